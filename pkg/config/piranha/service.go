package piranha

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// methods are Piranha's words for how packets get to servers.
var methods = map[string]string{"nat": "NAT", "direct": "DR", "tunnel": "TUN"}

// service writes a virtual server.
func (t *translation) service(top, b *block) {
	t.Table(b.at, "virtual_server", true, 0, b.before...)
	address := strings.Fields(b.text("address", ""))[0]
	port := b.number("port", 80)
	protocol := strings.ToUpper(b.text("protocol", "tcp"))
	mark := b.number("fwmark", 0)
	if mark > 0 {
		t.set(b.values["fwmark"], "fwmark", mark)
	} else {
		t.Set(b.from("address"), "address", address+":"+strconv.FormatInt(port, 10))
		t.Set(b.from("protocol"), "protocol", protocol)
	}
	t.Set(b.from("scheduler"), "lb_algo", b.text("scheduler", "wlc"))
	kind := methods[top.text("network", "nat")]
	if kind == "" {
		t.Error(top.from("network"), "", "network must be nat, direct or tunnel")
		kind = "NAT"
	}
	t.Set(top.from("network"), "lb_kind", kind)
	if n := b.number("persistent", 0); n > 0 {
		t.Set(b.from("persistent"), "persistence_timeout", n)
		if mask := b.values["pmask"]; mask != nil {
			t.set(mask, "persistence_granularity", mask.value)
		}
	}
	t.Set(b.from("quiesce_server"), "inhibit_on_failure", b.number("quiesce_server", 0) == 1)
	timeout := max(b.number("timeout", 10), 1)
	t.Set(b.from("timeout"), "delay_loop", timeout)
	t.Set(b.from("timeout"), "connect_timeout", timeout)
	t.Set(b.from("timeout"), "retry", 0)
	if n := b.number("reentry", 15); n > 0 {
		t.Set(b.from("reentry"), "hold_down", n)
		t.Set(b.from("reentry"), "hold_down_max", n)
	}
	for _, l := range b.lines {
		t.Comment(l.at, l.before...)
	}
	shared := t.check(b, protocol)
	t.Table(b.at, "virtual_server."+shared, false, 1)
	t.exchange(b)
	if mark > 0 && shared != "PING_CHECK" {
		t.Set(b.from("port"), "connect_port", port)
	}
	for _, s := range b.blocks {
		t.server(s, kind, mark, port, shared)
	}
	if l := b.values["sorry_server"]; l != nil {
		t.Table(l.at, "virtual_server.sorry_server", true, 2)
		at := l.value
		if _, err := netip.ParseAddr(at); err == nil && mark == 0 {
			at += ":" + strconv.FormatInt(port, 10)
		}
		t.set(l, "address", at)
		t.Set(l.from, "TCP_CHECK", false)
	}
}

// check returns the type of a service's check.
func (t *translation) check(b *block, protocol string) string {
	switch {
	case b.values["send"] != nil || b.values["expect"] != nil:
		return "SIMPLETCP_CHECK"
	case protocol == "UDP":
		t.Warn(b.at, "write send and expect", "the service %s has nothing to send to its servers: they are pinged", b.name)
		return "PING_CHECK"
	}
	return "TCP_CHECK"
}

// exchange writes what is sent to a server, and what it must answer.
func (t *translation) exchange(b *block) {
	if l := b.values["send"]; l != nil && l.value != "" {
		t.set(l, "request", unescaped(l.value))
	}
	if l := b.values["expect"]; l != nil && l.value != "" {
		pattern := unescaped(l.value)
		if b.number("use_regex", 0) == 0 {
			pattern = regexp.QuoteMeta(pattern)
		} else {
			pattern = l.value
		}
		t.set(l, "receive", pattern)
	}
}

// server writes a real server.
func (t *translation) server(s *block, kind string, mark, port int64, check string) {
	if s.number("active", 0) == 0 {
		t.Note(s.at, "", "the server %s is not active, and left out", s.name)
		return
	}
	if s.values["address"] == nil {
		t.Error(s.at, "write address = ADDRESS", "the server %s has no address", s.name)
		return
	}
	own := s.number("port", port)
	t.Table(s.at, "virtual_server.real_server", true, 2, s.before...)
	switch {
	case mark > 0:
		t.set(s.values["address"], "address", s.text("address", ""))
	case kind == "NAT":
		t.set(s.values["address"], "address", s.text("address", "")+":"+strconv.FormatInt(own, 10))
	default:
		t.set(s.values["address"], "address", s.text("address", "")+":"+strconv.FormatInt(port, 10))
	}
	t.Set(s.from("weight"), "weight", s.number("weight", 1))
	for _, l := range s.lines {
		t.Comment(l.at, l.before...)
	}
	if own != port && (mark > 0 || kind != "NAT") && check != "PING_CHECK" {
		t.Table(s.from("port"), "virtual_server.real_server."+check, false, 3)
		t.Set(s.from("port"), "connect_port", own)
	}
}
