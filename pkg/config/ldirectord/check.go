package ldirectord

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// check is a table of a check, or that there is none.
type check struct {
	state  string // "on" or "off", which is no table
	table  string // TCP_CHECK and the like
	line   *line
	fields []field
}

// field is a key of such a table.
type field struct {
	key   string
	value any
	line  *line // where it comes from; nil: where the check does
}

func (c *check) add(key string, value any, l *line) {
	c.fields = append(c.fields, field{key, value, l})
}

// equal says whether two lists come to the same.
func equal(a, b []check) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].state != b[i].state || a[i].table != b[i].table || len(a[i].fields) != len(b[i].fields) {
			return false
		}
		for j, f := range a[i].fields {
			if g := b[i].fields[j]; f.key != g.key || f.value != g.value {
				return false
			}
		}
	}
	return true
}

// writeChecks writes checks into a table of a virtual or real server.
func (t *translation) writeChecks(list []check, in string, depth int) {
	several := len(list) == 2 && list[0].table == list[1].table
	for _, c := range list {
		if c.state != "" {
			t.Set(c.line.from, "checks", c.state)
			continue
		}
		t.Table(c.line.from, in+"."+c.table, several, depth)
		for _, f := range c.fields {
			at := c.line.from
			if f.line != nil {
				at = f.line.from
			}
			t.Set(at, f.key, f.value)
		}
	}
}

// ports are where services are at home.
var ports = map[string]uint16{
	"ftp": 21, "smtp": 25, "dns": 53, "http": 80, "pop": 110, "nntp": 119, "imap": 143, "ldap": 389, "https": 443, "submission": 587,
	"ldaps": 636, "imaps": 993, "pops": 995, "oracle": 1521, "radius": 1812, "http_proxy": 3128, "mysql": 3306, "pgsql": 5432, "sip": 5060,
}

// kindOf returns the service of negotiate checks, which the port says if it is not written, and where that stands.
func (s *service) kindOf() (string, *line) {
	if v := s.values["service"]; v != nil {
		return word(v), v.line
	}
	if s.mark == 0 {
		for name, port := range ports {
			if port == s.at.port {
				return name, s.line
			}
		}
	}
	return "none", s.line
}

// checks returns the checks of a server; without one, those of the service, for servers that differ in nothing.
func (t *translation) checks(s *service, r *real) []check {
	kind, at := s.kindOf()
	how, rounds := "negotiate", int64(0)
	if v := s.values["checktype"]; v != nil {
		how, at = word(v), v.line
		how, rounds = t.checkType(how, at, r == nil)
	}
	var list []check
	switch how {
	case "on", "off":
		return []check{{state: how, line: at}}
	case "connect":
		list = append(list, t.connect(s, r, at))
	case "ping":
		list = append(list, check{table: "PING_CHECK", line: at})
	case "external", "external-perl":
		list = append(list, t.external(s, r, at, how == "external-perl"))
	case "negotiate":
		if rounds > 0 {
			list = append(list, t.connect(s, r, at))
		}
		if kind != "none" {
			c := t.negotiate(s, r, kind, at)
			if rounds > 0 {
				c.add("delay_loop", rounds*number(10, t.global["checkinterval"]), at)
			}
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		if s.values["service"] == nil && r == nil {
			t.Warn(s.from, "write service, or checktype=connect; checktype=on if that is meant",
				"servers are never checked: the port says no service that ldirectord knows, and none is written")
		}
		return []check{{state: "on", line: at}}
	}
	for i := range list {
		t.limit(s, &list[i], how)
	}
	if dir := t.global["maintenancedir"]; dir != nil && r != nil {
		list = append(list, t.maintenance(dir, r))
	}
	return list
}

// checkType reads the type of checks, and how many connects there are for each negotiate.
func (t *translation) checkType(how string, l *line, first bool) (string, int64) {
	switch how {
	case "connect", "negotiate", "ping", "off", "on", "external", "external-perl":
		return how, 0
	}
	digits := how[:len(how)-len(strings.TrimLeft(how, "0123456789"))]
	n, err := strconv.ParseInt(digits, 10, 16)
	if !first {
		return "negotiate", n
	}
	switch {
	case err != nil:
		t.Error(l.from, "", "checktype must be connect, negotiate, ping, on, off, external, external-perl or a number")
	case digits != how:
		t.Warn(l.from, "", "ldirectord takes %s for the checktype %d: so many connects for each check of the service", how, n)
	}
	return "negotiate", n
}

// limit writes how long a check may take.
func (t *translation) limit(s *service, c *check, how string) {
	own, all := s.values, t.global
	order := []*value{own["checktimeout"], own["negotiatetimeout"], all["checktimeout"], all["negotiatetimeout"]}
	usual := int64(5)
	negotiates := how == "negotiate" && c.table != "TCP_CHECK" && c.table != "PING_CHECK"
	if negotiates && c.table != "LDAP_CHECK" {
		order[0], order[1], order[2], order[3] = order[1], order[0], order[3], order[2]
		usual = 30
	}
	key := "connect_timeout"
	if c.table == "MISC_CHECK" {
		key = "misc_timeout"
	}
	l := c.line
	for _, v := range order {
		if v != nil {
			l = v.line
			break
		}
	}
	c.add(key, number(usual, order...), l)
}

// probed returns the port that ldirectord checks, 0 if it knows none.
func (s *service) probed(r *real) uint16 {
	if v := s.values["checkport"]; v != nil {
		return uint16(min(number(0, v), 65535))
	}
	if r != nil && r.port != 0 {
		return r.port
	}
	kind, _ := s.kindOf()
	return ports[kind]
}

// connectPort writes the port to check, if it isn't the server's.
func (s *service) connectPort(c *check, r *real) {
	if r == nil {
		if len(s.reals) == 0 {
			return
		}
		r = &s.reals[0]
	}
	at := r.line
	if v := s.values["checkport"]; v != nil {
		at = v.line
	}
	if p := s.probed(r); p != 0 && p != s.port(*r) {
		c.add("connect_port", int(p), at)
	}
}

func (t *translation) connect(s *service, r *real, at *line) check {
	if s.protocol() == "udp" {
		return check{table: "PING_CHECK", line: at}
	}
	c := check{table: "TCP_CHECK", line: at}
	s.connectPort(&c, r)
	return c
}

// external is a command, which ldirectord gives addresses and ports.
func (t *translation) external(s *service, r *real, at *line, perl bool) check {
	c := check{table: "MISC_CHECK", line: at}
	path := "/bin/true"
	if v := s.values["checkcommand"]; v != nil {
		path, at = word(v), v.line
	}
	if r == nil {
		t.rootNote(at)
		if len(s.reals) == 0 {
			return c
		}
		r = &s.reals[0]
	}
	argv := []string{t.program(at, path)}
	if perl { // the script need be nothing that the kernel could start
		argv = []string{"/usr/bin/perl", path}
	}
	service, port := strconv.FormatInt(s.mark, 10), "0"
	if s.mark == 0 {
		service, port = bracketed(s.at.addr.String()), strconv.Itoa(int(s.at.port))
	}
	argv = append(argv, service, port, bracketed(r.addr.String()), strconv.Itoa(int(r.port)))
	c.add("misc_path", config.JoinCommand(argv), at)
	return c
}

func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// maintenance looks for files that say that a server is down.
func (t *translation) maintenance(dir *value, r *real) check {
	c := check{table: "MISC_CHECK", line: dir.line}
	path := strings.TrimSuffix(word(dir), "/") + "/"
	names := []string{r.addr.String()}
	if r.name != "" {
		names = append(names, r.name)
		if short, _, found := strings.Cut(r.name, "."); found {
			names = append(names, short)
		}
	}
	argv := []string{"/usr/bin/test"}
	for _, name := range names {
		for _, file := range []string{name, name + ":" + strconv.Itoa(int(r.port))} {
			if len(argv) > 1 {
				argv = append(argv, "-a")
			}
			argv = append(argv, "!", "-e", path+file)
		}
	}
	c.add("misc_path", config.JoinCommand(argv), dir.line)
	c.add("retry", 0, dir.line)
	t.noteOnce(dir.line.at, "ipvsctl can take a server out, too, without files",
		"files of maintenancedir are looked for by address, and by the server's name if the file has that; not by names that addresses have in the DNS")
	return c
}

// negotiate is a check that speaks the service's protocol.
func (t *translation) negotiate(s *service, r *real, kind string, at *line) check {
	tell := func(problem string) {
		if r == nil {
			t.Warn(at.from, "", "%s", problem)
		}
	}
	request, receive := s.values["request"], s.values["receive"]
	if r != nil && r.check {
		request, receive = &value{r.line, r.request}, &value{r.line, r.receive}
	}
	c := check{line: at}
	switch base := strings.TrimSuffix(kind, "s"); kind {
	case "http", "https", "http_proxy":
		t.http(s, r, kind, &c, request, receive)
		return c
	case "smtp", "submission":
		c.table = "SMTP_CHECK"
		s.connectPort(&c, r)
	case "nntp":
		c.table = "NNTP_CHECK"
		s.connectPort(&c, r)
	case "pop", "pops", "imap", "imaps", "ldap", "ldaps":
		c.table = strings.ToUpper(base) + "_CHECK"
		s.connectPort(&c, r)
		if kind != base {
			c.add("tls", true, at)
		}
		t.login(s, &c, base == "ldap")
		if base == "ldap" {
			s.exchange(&c, request, receive)
		} else if base == "pop" && s.values["login"] == nil {
			tell("ldirectord takes a POP server without login for well whatever happens, even if nobody listens; here its greeting is waited for")
		}
	case "ftp":
		c.table = "FTP_CHECK"
		s.connectPort(&c, r)
		t.login(s, &c, false)
		if word(receive) == "" {
			tell("ldirectord takes an FTP server without receive for well whatever happens; here it has to let the check log in")
		}
		if file := strings.TrimPrefix(word(request), "/"); file != "" { // ldirectord goes to / before it asks
			c.add("request", "/"+file, request.line)
		}
		s.exchange(&c, nil, receive)
	case "mysql", "pgsql":
		c.table = strings.ToUpper(kind) + "_CHECK"
		s.connectPort(&c, r)
		t.login(s, &c, false)
		if v := s.values["database"]; v != nil {
			c.add("database", v.data, v.line)
		}
		s.exchange(&c, request, nil)
	case "radius":
		c.table = "RADIUS_CHECK"
		s.connectPort(&c, r)
		t.login(s, &c, false)
		if v := s.values["secret"]; v != nil {
			c.add("secret", v.data, v.line)
		}
	case "sip":
		c.table = "SIP_CHECK"
		s.connectPort(&c, r)
		if v := s.values["login"]; v != nil {
			c.add("login", v.data, v.line)
		}
	case "simpletcp":
		c.table = "SIMPLETCP_CHECK"
		s.connectPort(&c, r)
		if request != nil {
			c.add("request", strings.ReplaceAll(strings.TrimPrefix(word(request), "/"), `\n`, "\n"), request.line)
		}
		if strings.ContainsAny(word(receive), "^$") { // ldirectord looks at each line by itself
			receive = &value{receive.line, "(?m)" + word(receive)}
		}
		s.exchange(&c, nil, receive)
	case "dns":
		t.dns(s, r, &c, request, receive, tell)
	case "oracle":
		c.table = "TCP_CHECK"
		s.connectPort(&c, r)
		if r == nil {
			t.Error(at.from, "write checktype=connect, or checktype=external with a command that asks the database", "there is no check for Oracle")
		}
	}
	return c
}

// exchange writes what is asked for and what the answer must match.
func (s *service) exchange(c *check, request, receive *value) {
	if word(request) != "" && strings.TrimPrefix(word(request), "/") != "" {
		c.add("request", strings.TrimPrefix(word(request), "/"), request.line)
	}
	if word(receive) != "" {
		c.add("receive", word(receive), receive.line)
	}
}

// login writes who logs in. To a directory, nobody does without a password.
func (t *translation) login(s *service, c *check, needsBoth bool) {
	login, passwd := s.values["login"], s.values["passwd"]
	switch {
	case login == nil && passwd != nil:
		t.warnOnce(passwd.line.at, "write login, too", "passwd has no effect without login")
		return
	case login == nil:
		return
	case passwd == nil && needsBoth:
		t.warnOnce(login.line.at, "write passwd, too", "login has no effect without passwd: the directory is asked anonymously")
		return
	}
	c.add("login", login.data, login.line)
	if passwd != nil {
		c.add("passwd", passwd.data, passwd.line)
	} else if c.table == "FTP_CHECK" {
		c.add("passwd", "ldirectord@"+t.host.Hostname(), login.line)
	}
}

// dns asks for an address, or for the name of one.
func (t *translation) dns(s *service, r *real, c *check, request, receive *value, tell func(string)) {
	c.table = "DNS_CHECK"
	s.connectPort(c, r)
	name := strings.TrimPrefix(word(request), "/")
	switch {
	case name == "" && r == nil:
		tell("ldirectord takes a name server without request for dead; here it is asked for the root")
	case name == "":
	case reverse(name) != "":
		c.add("type", "PTR", request.line)
		c.add("name", reverse(name), request.line)
	default:
		c.add("type", "A", request.line)
		c.add("name", name, request.line)
	}
	if word(receive) == "" {
		tell("ldirectord takes a name server without receive for dead; here any answer will do")
		return
	}
	c.add("expect", word(receive), receive.line)
}

// http asks for a page. A request that says a host goes there.
func (t *translation) http(s *service, r *real, kind string, c *check, request, receive *value) {
	c.table = "HTTP_GET"
	if kind == "https" {
		c.table = "SSL_GET"
		t.noteOnce(s.from, "write tls_verify = true into SSL_GET, in the file that ipvsctl convert makes, to have them checked, and names too",
			"certificates are not checked; ldirectord checks with newer versions of Perl's LWP who signed them, but not for whom")
	}
	path, host := word(request), ""
	whole, err := url.Parse(path)
	switch {
	case kind == "http_proxy":
		s.connectPort(c, r)
	case err == nil && (whole.Scheme == "http" || whole.Scheme == "https") && whole.Host != "":
		host = t.elsewhere(s, c, whole, request.line)
		path = whole.RequestURI()
	default:
		s.connectPort(c, r)
		path = "/" + strings.TrimPrefix(path, "/")
	}
	c.add("redirect", "follow", nil)
	t.noteOnce(s.from, "", "checks of web servers follow redirects to the same server only; ldirectord follows them anywhere, and a server is well if the other one is")
	fields := []string{"path = " + document.Quote(escaped(path))}
	if v := s.values["httpmethod"]; v != nil && word(v) == "HEAD" {
		fields = append(fields, `method = "HEAD"`)
	}
	if v := s.values["virtualhost"]; v != nil {
		host = word(v)
	}
	if host != "" {
		fields = append(fields, "virtualhost = "+document.Quote(host))
	}
	at := s.line
	if request != nil {
		at = request.line
	}
	if word(receive) != "" {
		fields = append(fields, "regex = "+document.Quote(word(receive)))
		at = receive.line // of the line, what can be wrong
	}
	c.add("url", document.Raw("{ "+strings.Join(fields, ", ")+" }"), at)
}

// elsewhere lets a check go to the host of a request, and returns what it calls that.
func (t *translation) elsewhere(s *service, c *check, u *url.URL, l *line) (host string) {
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	e, ok := t.endpoint(s, l, bracketed(u.Hostname())+":"+port)
	if !ok {
		return ""
	}
	c.add("connect_ip", e.addr.String(), l)
	c.add("connect_port", int(e.port), l)
	return u.Hostname()
}
