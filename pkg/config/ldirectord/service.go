package ldirectord

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// service is a virtual service.
type service struct {
	*section
	values
	six    bool
	mark   int64 // 0: it has an address
	at     endpoint
	reals  []real
	method string // of all servers; empty: they differ
	ok     bool   // it is known what it serves
}

// suffix is what the names of directives end with in services of IPv6.
func (s *service) suffix() string {
	if s.six {
		return "6"
	}
	return ""
}

// protocol returns the protocol of the service: tcp, udp or fwm.
func (s *service) protocol() string {
	switch {
	case s.mark != 0:
		return "fwm"
	case s.values["protocol"] != nil && word(s.values["protocol"]) != "fwm":
		return word(s.values["protocol"])
	case strings.HasSuffix(s.line.value, ":53"), strings.HasSuffix(s.line.value, ":domain"):
		return "udp"
	}
	return "tcp"
}

// read reads a section.
func (t *translation) read(sec *section) *service {
	s := &service{section: sec, six: sec.key == "virtual6"}
	s.values = t.values(inService, sec.lines)
	s.ok = t.serves(s)
	for _, l := range sec.lines {
		if l.key == "real" || l.key == "real6" {
			t.reals(s, l)
		}
	}
	if v := s.values["protocol"]; v != nil {
		switch p := word(v); {
		case s.mark != 0 && p != "fwm":
			t.Error(v.line.from, "write protocol=fwm, or leave it out", "a service for a fwmark has the protocol fwm")
		case s.mark == 0 && p == "fwm":
			t.Error(v.line.from, "write tcp or udp", "the protocol fwm is for services with a fwmark")
		}
	}
	other := "fallback6"
	if s.six {
		other = "fallback"
	}
	if v := s.values[other]; v != nil {
		t.Error(v.line.at, "write fallback"+s.suffix(), "%s is for services of the other family", other)
	}
	for i, r := range s.reals {
		if i == 0 {
			s.method = methods[r.method]
		} else if s.method != methods[r.method] {
			s.method = ""
		}
	}
	return s
}

// serves reads what stands behind virtual.
func (t *translation) serves(s *service) bool {
	if n, err := strconv.ParseUint(s.value, 10, 32); err == nil {
		s.mark = int64(n)
		if n == 0 {
			t.Error(s.from, "", "a fwmark is a number from 1 on")
		}
		return n != 0
	}
	if a, err := netip.ParseAddr(s.value); err == nil && a.Is4() {
		first, _, _ := strings.Cut(s.value, ".")
		t.Error(s.from, "write virtual="+s.value+":PORT", "the service has no port; ldirectord takes it for the fwmark %s", first)
		return false
	}
	var ok bool
	s.at, ok = t.endpoint(s, s.line, s.value)
	if ok && !s.at.hasPort {
		t.Error(s.from, "write ADDRESS:PORT", "the service has no port")
	}
	return ok && s.at.hasPort
}

// get returns what a service, or else all of them, set.
func (t *translation) get(s *service, name string) *value {
	if v := s.values[name]; v != nil {
		return v
	}
	return t.global[name]
}

// service writes a virtual server.
func (t *translation) service(s *service) {
	t.Table(s.line.at, "virtual_server", true, 0, s.line.comments()...)
	if s.mark != 0 {
		t.Set(s.from, "fwmark", s.mark)
		if s.six {
			t.Set(s.from, "ip_family", "inet6")
		} else {
			t.Set(s.from, "ip_family", "inet")
		}
	} else {
		t.Set(s.from, "address", s.at.String())
		t.put(s.values["protocol"], s.line, "protocol", strings.ToUpper(s.protocol()))
	}
	if v := s.values["cleanstop"]; v != nil {
		t.set(v, "on_stop", atStop(v))
	}
	for _, name := range []string{"servicename", "comment"} {
		if v := s.values[name]; v != nil {
			t.set(v, name, v.data)
		}
	}
	t.balancing(s)
	if s.method != "" {
		t.Set(s.reals[0].line.from, "lb_kind", s.method)
	}
	fallback, spare := t.spare(s)
	quiescent := t.get(s, "quiescent")
	if quiescent == nil {
		t.warnOnce(s.line.at, "write quiescent=no, or yes, before the first service",
			"quiescent is not written: dead servers are removed, as ldirectord does, whose manual says that they stay with weight 0")
	}
	t.put(quiescent, s.line, "inhibit_on_failure", yes(quiescent, false))
	t.alerts(s.values)
	t.fallbackCommand(s)
	shared := t.checks(s, nil)
	if spare && shared[0].state == "off" {
		t.switchedOff(s, shared)
	}
	t.timing(s, shared)
	for _, l := range s.lines {
		if l.key != "real" && l.key != "real6" && l != fallback.line {
			t.remaining(l)
		}
	}
	t.writeChecks(shared, "virtual_server", 1)
	for _, r := range s.reals {
		t.server(s, r, shared)
	}
	if spare {
		t.Table(s.line.at, "virtual_server.sorry_server", true, 1, fallback.line.comments()...)
		t.Set(fallback.line.from, "address", s.address(fallback))
		t.Set(fallback.line.from, "lb_kind", methods[fallback.method])
		t.Set(fallback.line.from, "TCP_CHECK", false)
	}
}

// switchedOff lets the fallback server have the clients. To package config, servers that are off are nothing to be sorry for.
func (t *translation) switchedOff(s *service, checks []check) {
	t.Warn(checks[0].line.from, "leave the fallback server out if nobody is to have the clients",
		"with checktype=off the fallback server has the clients, as with ldirectord, whose manual says that it has none")
	checks[0].state = "on"
	if !yes(t.get(s, "quiescent"), false) {
		for _, r := range s.reals {
			t.comments(r.line)
		}
		s.reals = nil
	}
	for i := range s.reals {
		s.reals[i].weight = 0
	}
}

// spare returns the fallback server, if there is one.
func (t *translation) spare(s *service) (real, bool) {
	v := t.get(s, "fallback"+s.suffix())
	if v == nil {
		return real{}, false
	}
	r, ok := t.fallback(s, v)
	if !ok {
		return r, false
	}
	for _, other := range s.reals {
		if s.address(other) == s.address(r) {
			t.Warn(v.line.from, "minimum_healthy = 1 stands in for it: when all servers are down, all have clients",
				"the fallback server is a real server, too, of the service %s", s.value)
			t.Set(v.line.from, "minimum_healthy", 1)
			return r, false
		}
		if other.weight == 0 {
			t.Warn(other.line.from, "", "to ipvsd a server with weight 0 is nobody that clients could have: while only such are up, the fallback server has them")
		}
	}
	return r, true
}

// scheduler is what ipvsadm takes; of "mh2", ldirectord takes the letters.
func scheduler(t *translation, l *line) (any, bool) {
	s := unquoted(l.value)
	letters := s
	if i := strings.IndexFunc(s, func(c rune) bool { return c < 'a' || c > 'z' }); i >= 0 {
		letters = s[:i]
	}
	if letters == "" {
		t.Error(l.from, "", "a scheduler is written in lower case, as in wrr")
		return nil, false
	}
	if letters != s {
		t.Warn(l.from, "", "ldirectord takes %s for the scheduler %s", s, letters)
	}
	return letters, true
}

// balancing writes how the kernel chooses a server.
func (t *translation) balancing(s *service) {
	v := s.values["scheduler"]
	algo := "wrr"
	if v != nil {
		algo = word(v)
	}
	t.put(v, s.line, "lb_algo", algo)
	flags := s.values["schedflags"]
	var set []string
	if flags != nil {
		set = strings.FieldsFunc(word(flags), func(c rune) bool { return c == ',' || c == ' ' })
	}
	for _, f := range set {
		if slices.Contains([]string{"flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback"}, f) {
			t.set(flags, f, true)
		} else {
			t.Error(flags.line.from, "flags are sh-port, sh-fallback, mh-port, mh-fallback, flag-1, flag-2 and flag-3", "the kernel's schedulers have no flag %s", f)
		}
	}
	if algo == "mh" && !yes(t.get(s, "quiescent"), false) && !slices.Contains(set, "mh-fallback") && !slices.Contains(set, "flag-1") {
		t.Set(s.line.at, "mh-fallback", false) // on by default; without servers of weight 0 nothing is lost without it
	}
	t.persistence(s)
	if ops := s.values["ops"]; ops != nil && yes(ops, false) {
		if s.protocol() == "udp" {
			t.set(ops, "ops", true)
		} else {
			t.Warn(ops.line.at, "leave it out", "ldirectord takes ops for UDP only")
		}
	}
}

func (t *translation) persistence(s *service) {
	timeout, mask := s.values["persistent"], s.values["netmask"]
	if number(0, timeout) == 0 {
		if mask != nil {
			t.Warn(mask.line.at, "write persistent=SECONDS, too", "netmask has no effect without persistent")
		}
		return
	}
	t.set(timeout, "persistence_timeout", timeout.data)
	if mask == nil {
		return
	}
	if bits, err := strconv.Atoi(word(mask)); err == nil {
		t.set(mask, "persistence_granularity", bits)
		return
	}
	t.set(mask, "persistence_granularity", word(mask))
}

// fallbackCommand writes what is run when the last server goes, and when the first one comes back.
func (t *translation) fallbackCommand(s *service) {
	v := t.get(s, "fallbackcommand")
	if v == nil {
		return
	}
	command := unquoted(word(v))
	argv, err := config.SplitCommand(command)
	switch {
	case err != nil:
		t.Error(v.line.from, "", "%v", err)
		return
	case len(argv) == 0:
		return
	case strings.ContainsAny(command, "|&;<>$`*?()~"):
		t.Warn(v.line.from, "write a script with it", "ldirectord gives the command to a shell; here it is run without one")
	}
	argv[0] = t.program(v.line, argv[0])
	at := ":0" // which is what ldirectord makes of a fwmark
	if s.mark == 0 {
		at = s.at.String()
	}
	t.set(v, "quorum_down", config.JoinCommand(append(slices.Clone(argv), "start", at, s.protocol())))
	t.set(v, "quorum_up", config.JoinCommand(append(argv, "stop", at, s.protocol())))
	t.rootNote(v.line)
}

// program returns where a program is.
func (t *translation) program(l *line, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	path, err := t.host.LookPath(name)
	if err != nil && t.abroad {
		t.Warn(l.from, "write its path", "%s is not found on this host; /usr/bin/%[1]s is taken for it", name)
		return "/usr/bin/" + name
	}
	if err != nil {
		t.Error(l.from, "write its path", "the program %s is not found: %v", name, err)
		return "/" + name
	}
	return path
}

func (t *translation) rootNote(l *line) {
	t.noteOnce(l.from, `write script_user = "root" in [global_defs] if they need it`,
		"commands are run as ipvsd's script_user, where ldirectord runs them as root")
}

// timing writes when servers are checked, and what failures come to. It stands for ldirectord's defaults, too.
func (t *translation) timing(s *service, checks []check) {
	if len(checks) == 0 || checks[0].state != "" {
		return
	}
	interval := t.global["checkinterval"]
	if own := s.values["checkinterval"]; own != nil {
		if yes(t.global["fork"], false) {
			interval = own
		} else {
			t.Warn(own.line.at, "write fork=yes, or checkinterval before the first service", "ldirectord takes the checkinterval of a service with fork=yes only")
		}
	}
	every := number(10, interval)
	t.put(interval, s.line, "delay_loop", every)
	failures := t.get(s, "failurecount")
	attempts := int64(1)
	if checks[0].table == "PING_CHECK" {
		attempts = number(1, t.get(s, "checkcount"))
	}
	most := number(1, failures) * attempts
	t.put(failures, s.line, "retry", most-1)
	if most > 1 {
		pause := fmt.Sprintf("%ds", every)
		if attempts > 1 {
			pause = "100ms" // the attempts of a ping follow each other
		}
		t.put(failures, s.line, "delay_before_retry", pause)
	}
}
