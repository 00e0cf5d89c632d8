package keepalived

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// settleServices finds out what the virtual servers come to, when all of the file is read.
func (t *translation) settleServices() {
	if t.ipvs.settled {
		return
	}
	t.ipvs.settled = true
	for _, s := range t.ipvs.services {
		s.dropped = !t.settleService(s)
	}
	t.merge()
	for _, s := range t.ipvs.services {
		if !s.dropped {
			t.settleChecks(s)
		}
	}
}

// settleService says whether keepalived serves a virtual server.
func (t *translation) settleService(s *service) bool {
	if s.name != "" {
		i := slices.IndexFunc(t.ipvs.groups, func(g *group) bool { return g.name == s.name && !g.dropped })
		if i < 0 {
			t.Warn(s.at, "", "there is no virtual_server_group %s: keepalived goes without this virtual server", s.name)
			return false
		}
		s.group = t.ipvs.groups[i]
	}
	if !t.settleFamily(s) {
		return false
	}
	t.settleProtocol(s)
	if s.find("lb_algo") == nil {
		t.Assume(s.at, "write lvs_sched wlc", "there is no scheduler: keepalived takes wlc")
	}
	if s.find("lb_kind") == nil {
		t.Assume(s.at, "write lvs_method NAT", "there is no forwarding method: keepalived takes NAT")
	}
	t.settlePersistence(s)
	if l := s.find("ops"); l != nil && !s.marked() && s.text("protocol") != "UDP" {
		t.Drop(l.node.At, "leave it out", "ops works only with UDP: keepalived goes without it")
		s.remove("ops")
	}
	if s.text("lb_algo") == "mh" { // which ipvsd would do better
		if s.find("inhibit_on_failure") == nil {
			s.set(nil, "inhibit_on_failure", false)
		}
		if s.find("mh-fallback") == nil && s.find("flag-1") == nil {
			s.set(nil, "mh-fallback", false)
		}
	}
	t.settleServers(s)
	if len(s.servers) == 0 {
		t.Drop(s.at, "write a real_server", "there is no real server: keepalived goes without this virtual server")
		return false
	}
	t.settleQuorum(s)
	if s.find("alpha") == nil && slices.ContainsFunc(s.servers, func(r *server) bool { return len(r.checks) > 0 }) {
		s.set(nil, "alpha", false)
	}
	return true
}

// settleQuorum looks at what package config tells of, and keepalived as well.
func (t *translation) settleQuorum(s *service) {
	sum, quorum := int64(0), int64(1)
	for _, r := range s.servers {
		weight, ok := valueOf[int64](r.find("weight"))
		if !ok {
			if weight, ok = valueOf[int64](s.find("weight")); !ok {
				weight = 1
			}
		}
		sum += weight
	}
	if v, ok := valueOf[int64](s.find("quorum")); ok {
		quorum = v
	}
	hysteresis, _ := valueOf[int64](s.find("hysteresis"))
	if quorum > sum || hysteresis >= quorum {
		t.Odd()
	}
}

// settleFamily takes out servers that keepalived takes out because they are of the other family.
func (t *translation) settleFamily(s *service) bool {
	v4, v6 := s.families()
	tunnels := !slices.ContainsFunc(s.servers, func(r *server) bool { return s.how(r) != "TUN" })
	written := s.find("ip_family")
	if v4 || v6 {
		if v4 && v6 && !tunnels {
			t.Drop(s.at, "make a group for each family", "the group %s has both families, which only lvs_method TUN can serve: keepalived goes without this virtual server", s.name)
			return false
		}
		if written != nil && (written.value == "inet6") != v6 {
			t.ignored(written.node.Args[0], "leave it out", "the address is of another family")
		}
		if s.group == nil || !slices.ContainsFunc(s.group.entries, func(e groupEntry) bool { return e.mark && e.family == "" }) {
			s.remove("ip_family")
		}
	} else {
		bits := s.find("persistence_granularity")
		narrow, _ := valueOf[int64](bits)
		switch {
		case written != nil:
			v6 = written.value == "inet6"
		case bits != nil && narrow > 32:
			v6 = true
			s.set(nil, "ip_family", "inet6")
		default:
			for i, r := range s.servers {
				if i == 0 || s.how(r) != "TUN" {
					v6 = r.addr.Is6()
				}
				if s.how(r) != "TUN" {
					break
				}
			}
			if slices.ContainsFunc(s.servers, func(r *server) bool { return r.addr.Is6() != v6 }) {
				if tunnels {
					v6 = false
				}
				s.set(nil, "ip_family", map[bool]string{false: "inet", true: "inet6"}[v6])
			}
		}
		v4 = !v6
	}
	s.servers = slices.DeleteFunc(s.servers, func(r *server) bool {
		return t.strange(r, v4, v6, s.how(r), "the server")
	})
	if s.sorry != nil && t.strange(s.sorry, v4, v6, s.howSorry(), "the sorry server") {
		s.sorry = nil
	}
	return true
}

// strange says whether keepalived takes out a server for its family.
func (t *translation) strange(r *server, v4, v6 bool, how, what string) bool {
	if how == "TUN" || r.addr.Is4() && v4 || r.addr.Is6() && v6 {
		return false
	}
	t.Drop(r.node.Args[0].At, "only lvs_method TUN leads from one family to the other", "%s is of another family than the virtual server: keepalived goes without it", what)
	return true
}

// how returns how packets get to a server: NAT, DR or TUN.
func (s *service) how(r *server) string {
	for _, f := range []*frame{r.frame, s.frame} {
		if how := f.text("lb_kind"); how != "" {
			how, _, _ = strings.Cut(how, " ")
			return how
		}
	}
	return "NAT"
}

// howSorry is how for the sorry server.
func (s *service) howSorry() string {
	if how, _, _ := strings.Cut(s.text("sorry_server_lvs_method"), " "); how != "" {
		return how
	}
	return s.how(s.sorry)
}

// settleProtocol finds out the protocol.
func (t *translation) settleProtocol(s *service) {
	l := s.find("protocol")
	switch {
	case s.marked() && l != nil:
		t.Drop(l.node.At, "leave it out", "a fwmark is for all protocols")
		s.remove("protocol")
	case !s.marked() && l == nil:
		t.Assume(s.at, "write protocol TCP if that is meant", "there is no protocol: keepalived takes UDP")
		s.set(nil, "protocol", "UDP")
	}
}

// settlePersistence finds out how long clients stay with a server.
func (t *translation) settlePersistence(s *service) {
	bits, narrowed := s.find("persistence_granularity"), false
	_, v6 := s.families()
	if bits != nil {
		narrowed = t.granularity(s, bits, v6 || s.text("ip_family") == "inet6")
	}
	if narrowed && s.group != nil {
		if l := s.find("persistence_granularity"); l != nil {
			t.Warn(l.node.At, "leave it out", "keepalived 2.2.7 loses persistence_granularity of a group: clients are told apart by all of their address")
			s.remove("persistence_granularity")
			s.set(l.node, "persistence_timeout", orTrue(s))
		}
	}
	timed := s.find("persistence_timeout") != nil
	if slices.Contains(s.ports(), 0) && !timed && !narrowed {
		t.Assume(s.at, "write persistence_timeout", "a virtual server on all ports has persistence: keepalived sets a time of 360 seconds")
		s.set(nil, "persistence_timeout", true)
		timed = true
	}
	if l := s.find("persistence_engine"); l != nil && (!timed && !narrowed || s.text("protocol") == "TCP" || s.text("protocol") == "SCTP") {
		t.Warn(l.node.At, "leave it out", "the engine sip tells calls apart only with UDP and persistence: it has no effect")
		s.remove("persistence_engine")
	}
}

// granularity settles persistence_granularity, and says whether it is there.
func (t *translation) granularity(s *service, l *line, v6 bool) bool {
	w := l.node.Args[0]
	if v6 {
		v, rest := leading(w.Text)
		if rest != "" || v < 1 || v > 128 {
			t.ignored(w, "write 1 to 128", "persistence_granularity of IPv6 can't be %s", w.Text)
			s.remove("persistence_granularity")
			return false
		}
		l.value = v
		return true
	}
	mask, err := netip.ParseAddr(w.Text)
	v, rest := leading(w.Text)
	switch {
	case err == nil && mask.Is4() && mask.String() != "0.0.0.0":
		if !netmask(mask) {
			t.Warn(w.At, "write a netmask such as 255.255.255.0", "persistence_granularity %s has a hole; clients are told apart by all of their address", w.Text)
			s.remove("persistence_granularity")
			s.set(l.node, "persistence_timeout", orTrue(s))
			return true
		}
		l.value = w.Text
	case rest == "" && v >= 1 && v <= 32:
		t.Warn(w.At, "write a netmask such as 255.255.255.0", "persistence_granularity %d is the netmask 0.0.0.%[1]d to keepalived, with which most clients share a server; here it is a length", v)
		l.value = v
	default:
		t.ignored(w, "write a netmask such as 255.255.255.0", "persistence_granularity can't be %s", w.Text)
		s.remove("persistence_granularity")
		return false
	}
	return true
}

// orTrue is the persistence_timeout of a virtual server that has some persistence.
func orTrue(s *service) any {
	if l := s.find("persistence_timeout"); l != nil {
		return l.value
	}
	return true
}

// netmask says whether an IPv4 address is one.
func netmask(a netip.Addr) bool {
	b := a.As4()
	hosts := ^binary.BigEndian.Uint32(b[:])
	return hosts&(hosts+1) == 0
}

// settleServers finds out the ports of servers, and takes out those that are there twice.
func (t *translation) settleServers(s *service) {
	kept := s.servers[:0]
	seen := make(map[netip.AddrPort]bool, len(s.servers))
	for _, r := range s.servers {
		if linkLocal(r.addr) {
			t.Warn(r.node.Args[0].At, "write another address", "the kernel takes no server with a link-local address: keepalived goes without it")
			continue
		}
		t.settlePort(s, r, s.how(r))
		t.settleThresholds(r)
		r.checks = slices.DeleteFunc(r.checks, func(c *check) bool { return t.aimless(r, c) })
		key := netip.AddrPortFrom(r.addr, r.at(s))
		if seen[key] {
			t.Drop(r.node.Args[0].At, "leave one of them out", "the server %s is there twice: keepalived goes without the second one", key)
			continue
		}
		seen[key] = true
		kept = append(kept, r)
	}
	clear(s.servers[len(kept):])
	s.servers = kept
	if s.sorry == nil {
		return
	}
	t.settlePort(s, s.sorry, s.howSorry())
	if seen[netip.AddrPortFrom(s.sorry.addr, s.sorry.at(s))] {
		t.Warn(s.sorry.node.Args[0].At, "take another server", "the sorry server is a real server as well: when that has failed nobody else is left, and it is left out here")
		s.sorry = nil
	}
}

func linkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// aimless says whether keepalived goes without a check for where it connects to, and settles where it connects from.
func (t *translation) aimless(r *server, c *check) bool {
	to := r.addr
	if ip := c.text("connect_ip"); ip != "" {
		to = netip.MustParseAddr(ip)
	}
	if linkLocal(to) && c.find("bind_if") == nil && slices.Contains(portCheckers, c.kind) {
		t.Drop(c.node.At, "write bind_if", "the link-local address %s needs an interface: keepalived goes without this %s", to, c.kind)
		return true
	}
	if l := c.find("bindto"); l != nil && netip.MustParseAddr(c.text("bindto")).Is4() != to.Is4() {
		t.ignored(l.node.Args[0], "write an address of the same family", "bindto is of another family than %s", to)
		c.remove("bindto")
	}
	return false
}

// port returns the port of all services, 0 if they have several, or one of them is a fwmark.
func (s *service) port() uint16 {
	ports := s.ports()
	if len(ports) != 1 || s.group != nil && slices.ContainsFunc(s.group.entries, func(e groupEntry) bool { return e.mark }) {
		return 0
	}
	return ports[0]
}

// at returns the port that a server has with the services of a virtual server: its own or, if they have one only, theirs.
func (r *server) at(s *service) uint16 {
	if r.port == 0 {
		return s.port()
	}
	return r.port
}

// settlePort finds out the port of a server. Under DR and TUN it is the service's, but checks go on to where they went.
func (t *translation) settlePort(s *service, r *server, how string) {
	checked := r.port
	switch {
	case r.port == 0 && how == "NAT" && !s.marked() && (s.group != nil || r == s.sorry) && s.ports()[0] != 0:
		t.Warn(r.node.Args[0].At, "write the port", "keepalived sends clients to port 0 of it; here it has the port of the service")
	case r.port == 0 || how == "NAT":
	case s.marked():
		t.Drop(r.node.Args[1].At, "leave the port out, and write connect_port in checks", "under %s a server of a fwmark has no port", how)
		r.port = 0
	case s.port() != r.port:
		if slices.ContainsFunc(s.ports(), func(p uint16) bool { return p != r.port }) {
			t.Drop(r.node.Args[1].At, "", "under %s packets are not changed: a server has the port of the service, not %d", how, r.port)
		}
		r.port = 0
	}
	if checked == 0 && s.group == nil {
		checked = s.port()
	}
	for _, c := range r.checks {
		if c.find("connect_port") != nil || !slices.Contains(portCheckers, c.kind) {
			continue
		}
		switch {
		case checked != 0 && r.at(s) != checked:
			c.set(nil, "connect_port", int64(checked))
		case checked == 0 && r.at(s) == 0 && r.off == "":
			t.Warn(c.node.At, "write connect_port", "keepalived checks port 0, where nobody answers: the server is down for good")
			r.off = "off"
		}
	}
	if r.off != "" {
		r.checks = nil
	}
}

// portCheckers are the checkers that connect to a port.
var portCheckers = []string{"TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "UDP_CHECK"}

// settleThresholds takes out a threshold with which the kernel refuses a server.
func (t *translation) settleThresholds(r *server) {
	upper, lower := r.find("uthreshold"), r.find("lthreshold")
	most, _ := valueOf[int64](upper)
	least, limited := valueOf[int64](lower)
	if !limited || least <= most {
		return
	}
	hint := "write a smaller lthreshold"
	if upper == nil {
		hint = "write uthreshold, too"
	}
	t.Warn(lower.node.At, hint, "lthreshold %d is more than uthreshold, which is %d: the kernel refuses keepalived's server, and here it goes without lthreshold", least, most)
	r.remove("lthreshold")
}

// valueOf returns the value of a line, if it is there and of a type.
func valueOf[T any](l *line) (v T, ok bool) {
	if l != nil {
		v, ok = l.value.(T)
	}
	return v, ok
}
