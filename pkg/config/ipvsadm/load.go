package ipvsadm

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// What ipvsadm takes where an option is left out.
const (
	defaultScheduler   = "wlc"
	defaultPersistence = 360 * time.Second
	maxPersistence     = 2678400 // seconds, and of every other timeout
)

// Load reads commands as ipvsadm -R would carry them out on an empty table. The name is what the diagnostics call the file;
// nothing is opened. The Config is nil when Diagnostics.Err is not; with warnings alone it can be used.
func Load(name string, source []byte) (*config.Config, config.Diagnostics) {
	r := read(name, source)
	if r.found.Err() != nil {
		return nil, r.found
	}
	c := r.settings()
	for _, s := range r.table() {
		c.VirtualServers = append(c.VirtualServers, s.virtual)
	}
	return c, r.found
}

// read carries out all lines of a file.
func read(name string, source []byte) *reader {
	r := &reader{file: name, services: make(map[ipvs.ServiceKey]*service), options: make(map[string]given)}
	number, words := 0, []word(nil)
	for line := range strings.Lines(strings.TrimPrefix(string(source), "\ufeff")) {
		number++
		if words = split(words[:0], strings.TrimSuffix(line, "\n"), number); len(words) > 0 {
			r.first = words[0]
			r.run(words)
		}
	}
	slices.SortStableFunc(r.found, func(a, b config.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r
}

// settings is a configuration of what the file says beside services.
func (r *reader) settings() *config.Config {
	c := config.Of(nil, ipvs.Settings{})
	c.GlobalDefs.LVSTimeouts, c.GlobalDefs.LVSSyncDaemon = r.timeouts, r.daemons
	return c
}

// table returns the services that are there in the end, in the order of the file.
func (r *reader) table() []*service {
	var all []*service
	for _, key := range r.order {
		if s := r.services[key]; s != nil {
			all = append(all, s)
			delete(r.services, key) // it may have been deleted and added again: then it is in order twice
		}
	}
	return all
}

// reader carries out commands, one after the other.
type reader struct {
	file     string
	found    config.Diagnostics
	first    word // of the line
	services map[ipvs.ServiceKey]*service
	order    []ipvs.ServiceKey
	timeouts ipvs.Timeouts
	daemons  config.SyncDaemons
	options  map[string]given // of the line
}

// service is a service of the table that comes about.
type service struct {
	virtual *config.VirtualServer
	place   map[netip.AddrPort]int // of its servers in virtual.RealServers
	line    int
}

func (r *reader) fail(at word, hint, format string, args ...any) {
	r.add(config.Error, at, hint, fmt.Sprintf(format, args...))
}

func (r *reader) warn(at word, hint, format string, args ...any) {
	r.add(config.Warning, at, hint, fmt.Sprintf(format, args...))
}

func (r *reader) add(s config.Severity, at word, hint, message string) {
	r.found = append(r.found, config.Diagnostic{
		Position: config.Position{File: r.file, Line: at.line, Column: at.column},
		Width:    max(1, utf8.RuneCountInString(at.text)),
		Severity: s, Message: message, Hint: hint,
	})
}

// run carries out a line.
func (r *reader) run(words []word) {
	c, ok := r.commandLine(words)
	if !ok {
		return
	}
	letter := c.letter()
	if strings.IndexByte("RSLlh", letter) >= 0 {
		r.fail(c.at, "a file holds what makes a table: -A and -a", "--%s has no place in a file", c.name)
		return
	}
	for _, g := range c.options {
		if strings.IndexByte(g.in, letter) < 0 {
			r.fail(g.at, "", "%s does not go with --%s", g.at.text, c.name)
		}
	}
	switch letter {
	case 'C':
		clear(r.services)
	case 'Z':
		r.warn(c.at, "", "--zero has no effect here: counters are not part of a configuration")
	case setTimeouts:
		r.set(c)
	case startDaemon, stopDaemon:
		r.daemon(c, letter == startDaemon)
	case 'A', 'E', 'D':
		r.onService(c, letter)
	default:
		r.onServer(c, letter)
	}
}

func (r *reader) onService(c command, letter byte) {
	key, at, ok := r.key(c)
	if !ok {
		return
	}
	s := r.services[key]
	switch {
	case letter == 'D':
		if r.defined(s, key, at) {
			delete(r.services, key)
		}
		return
	case letter == 'A' && s != nil:
		r.fail(at, fmt.Sprintf("it is defined on line %d", s.line), "the service %s is there already", key)
		return
	case letter == 'E' && !r.defined(s, key, at):
		return
	}
	options := r.serviceOptions(c, key, at)
	if s == nil {
		s = &service{virtual: config.Virtual(options), place: make(map[netip.AddrPort]int), line: at.line}
		r.services[key] = s
		r.order = append(r.order, key)
	}
	s.virtual.Services[0] = options
}

func (r *reader) defined(s *service, key ipvs.ServiceKey, at word) bool {
	if s == nil {
		r.fail(at, "define it with -A on a line above", "the service %s is not defined", key)
	}
	return s != nil
}

// key reads what the service is known by.
func (r *reader) key(c command) (key ipvs.ServiceKey, at word, ok bool) {
	six, sixth := c.options["ipv6"]
	count := 0
	for _, p := range []ipvs.Protocol{ipvs.TCP, ipvs.UDP, ipvs.SCTP} {
		g, given := c.options[p.String()+"-service"]
		if !given {
			continue
		}
		count++
		at = g.value
		var addr netip.AddrPort
		addr, _, ok = r.address(g.value, "service")
		key = ipvs.AddressKey(p, addr)
	}
	if g, given := c.options["fwmark-service"]; given {
		count++
		at = g.value
		family := ipvs.IPv4
		if sixth {
			family = ipvs.IPv6
		}
		var mark uint32
		mark, ok = r.mark(g.value)
		key = ipvs.FWMarkKey(mark, family)
	} else if sixth {
		r.fail(six.at, "the address says the family", "-6 goes with -f only")
		ok = false
	}
	switch {
	case count == 1:
		return key, at, ok
	case count > 1:
		r.fail(c.at, "", "the line names several services")
	case !c.broken:
		r.fail(c.at, "add -t, -u, --sctp-service or -f", "--%s needs a service", c.name)
	}
	return key, at, false
}

// mark reads a firewall mark. ipvsadm -S prints those from 2147483648 on as negative numbers, and reads them only as they are.
func (r *reader) mark(w word) (uint32, bool) {
	n, err := strconv.ParseInt(w.text, 10, 64)
	if err != nil || n == 0 || n > math.MaxUint32 || n < math.MinInt32 {
		r.fail(w, "", "%q is not a firewall mark from 1 to 4294967295", w.text)
		return 0, false
	}
	return uint32(n), true
}

// address reads ADDRESS[:PORT]. It says whether there is a port, and whether all is well.
func (r *reader) address(w word, what string) (a netip.AddrPort, hasPort, ok bool) {
	if a, err := netip.ParseAddrPort(w.text); err == nil && a.Addr().Zone() == "" {
		return a, true, true
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(w.text, "["), "]")); err == nil && a.Zone() == "" {
		return netip.AddrPortFrom(a, 0), false, true
	}
	const numeric = "save the table with numbers: ipvsadm -Sn"
	host, port := w.text, ""
	if i := strings.LastIndexByte(w.text, ':'); i >= 0 {
		host, port = w.text[:i], w.text[i+1:]
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && a.Zone() == "" {
		hint := "a port is a number from 0 to 65535"
		if isName(port) {
			hint = numeric
		}
		r.fail(w, hint, "port %q of the %s is not a number", port, what)
		return a0, false, false
	}
	hint := ""
	if isName(host) {
		hint = numeric
	}
	r.fail(w, hint, "%q of the %s is not an IP address", host, what)
	return a0, false, false
}

var a0 netip.AddrPort

// isName says whether a text looks like the name of a host or of a port.
func isName(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }) &&
		!strings.ContainsAny(s, "$:%[]\"'")
}

// number reads the value of an option; the fallback holds where it isn't given.
func (r *reader) number(c command, name string, least, most, fallback uint64) uint64 {
	g, given := c.options[name]
	if !given {
		return fallback
	}
	n, err := strconv.ParseUint(g.value.text, 10, 64)
	if err != nil || n < least || n > most {
		r.fail(g.value, "", "%s is a number from %d to %d, not %q", g.at.text, least, most, g.value.text)
		return fallback
	}
	return n
}

// set carries out --set: a zero keeps what there is.
func (r *reader) set(c command) {
	if len(c.arguments) != 3 {
		r.fail(c.at, "write --set TCP TCPFIN UDP", "--set needs three timeouts, in seconds")
		return
	}
	for i, t := range []*time.Duration{&r.timeouts.TCP, &r.timeouts.TCPFin, &r.timeouts.UDP} {
		w := c.arguments[i]
		n, err := strconv.ParseUint(w.text, 10, 32)
		switch {
		case err != nil || n > maxPersistence:
			r.fail(w, "", "a timeout is 0 to %d seconds, not %q", maxPersistence, w.text)
		case n > 0:
			*t = time.Duration(n) * time.Second
		}
	}
}

// daemon carries out --start-daemon and --stop-daemon.
func (r *reader) daemon(c command, start bool) {
	var d *ipvs.SyncDaemon
	switch c.state.text {
	case ipvs.SyncMaster.String():
		d = &r.daemons.Master
	case ipvs.SyncBackup.String():
		d = &r.daemons.Backup
	default:
		r.fail(c.state, "", "a sync daemon is master or backup, not %q", c.state.text)
		return
	}
	if !start {
		*d = ipvs.SyncDaemon{}
		return
	}
	if d.Interface != "" {
		r.fail(c.at, "", "the sync daemon %s runs already", c.state.text)
	}
	*d = ipvs.SyncDaemon{
		Interface: c.options["mcast-interface"].value.text,
		SyncID:    uint8(r.number(c, "syncid", 0, math.MaxUint8, 0)),
		MaxLen:    uint16(r.number(c, "sync-maxlen", 1, 65507, 0)),
		Group:     ipvs.SyncGroup,
		Port:      uint16(r.number(c, "mcast-port", 1, math.MaxUint16, ipvs.SyncPort)),
		TTL:       uint8(r.number(c, "mcast-ttl", 1, math.MaxUint8, ipvs.SyncTTL)),
	}
	if d.Interface == "" {
		r.fail(c.at, "add --mcast-interface IFACE", "a sync daemon needs an interface")
	}
	if g, given := c.options["mcast-group"]; given {
		group, err := netip.ParseAddr(g.value.text)
		if err != nil || !group.IsMulticast() || group.Zone() != "" {
			r.fail(g.value, "", "%q is not a multicast address", g.value.text)
		}
		d.Group = group
	}
}

// prefix returns the length of the prefix that an IPv4 netmask stands for, false if it stands for none.
func prefix(mask netip.Addr) (uint8, bool) {
	ones, ended := uint8(0), false
	for _, b := range mask.As4() {
		for bit := range slices.Values([]byte{128, 64, 32, 16, 8, 4, 2, 1}) {
			switch {
			case b&bit == 0:
				ended = true
			case ended:
				return 0, false
			default:
				ones++
			}
		}
	}
	return ones, true
}
