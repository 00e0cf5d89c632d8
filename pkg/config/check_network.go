package config

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var networkKeywords = []keyword{
	{in: inDNS, name: "type", kind: oneOf("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "PTR", "RRSIG", "DNSKEY"), doc: "what is asked for"},
	{in: inDNS, name: "name", kind: domain, doc: "name that is asked for"},
	{in: inDNS, name: "tcp", kind: boolean, doc: "asks over TCP"},
	{in: inDNS, name: "expect", kind: text, doc: "regular expression that one of the answers must match"},
	{in: inDNS, name: "receive", kind: text, aliasOf: "expect", doc: "ldirectord's name of expect"},

	{in: inUDP, name: "payload", kind: payload, doc: "what is sent"},
	{in: inUDP, name: "require_reply", kind: replyPattern, doc: "there must be an answer, or one that begins so"},
	{in: inUDP, name: "min_reply_length", kind: datagram, doc: "bytes that an answer must have"},
	{in: inUDP, name: "max_reply_length", kind: datagram, doc: "bytes that an answer may have"},

	{in: inSIP, name: "tcp", kind: boolean, doc: "asks over TCP"},
	{in: inSimpleTCP, name: "udp", kind: boolean, doc: "over UDP"},
	{in: inSimpleTCP, name: "request", kind: text, doc: "what is sent"},
	{in: inSimpleTCP, name: "receive", kind: text, doc: "regular expression that the answer must match"},

	{in: inGRPC, name: "service", kind: text, doc: "the service whose health is asked for"},
	{in: inGRPC, name: "authority", kind: hostName, doc: "the host that is asked for"},

	{in: inAgent, name: "send", kind: text, doc: "what the agent is told first"},
}

// expect resolves a regular expression without options.
func (c *chain) expect(keyword string) (re health.Regex) {
	pattern, v := own[string](c, keyword)
	if v == nil || v.data == nil {
		return re
	}
	re.Pattern = pattern
	c.compiles(re, v)
	return re
}

// compiles reports a regular expression that can't be used.
func (c *chain) compiles(re health.Regex, v *value) {
	if _, err := re.Compile(); err != nil {
		c.fail(v.at, "in double quotes write a backslash twice, or write it in single quotes: '\\d+'", "%s: %s", v.keyword.name, strings.TrimPrefix(err.Error(), "regex: "))
	}
}

// over says whether the virtual server is for a protocol, which is then the one to check with, too.
func (c *chain) over(protocol string) bool {
	if c.virtual.value("fwmark") != nil {
		return false
	}
	if name, v := lookup[string]("group", c.virtual); v != nil {
		g := c.groups[name]
		if g == nil || !slices.ContainsFunc(g.entries, func(e claim) bool { return e.mark == 0 }) {
			return false
		}
	}
	served, _ := lookup[string]("protocol", c.virtual)
	return served == protocol
}

func readDNS(c *chain, k *health.Check) {
	var s health.DNS
	s.Type, _ = own[string](c, "type")
	s.Name, _ = own[string](c, "name")
	tcp, written := own[bool](c, "tcp")
	s.TCP = tcp || written == nil && c.over("TCP")
	s.Expect = c.expect("expect")
	k.Spec = s
}

func printDNS(spec health.Spec, p *printer) inline {
	s := spec.(health.DNS)
	return inline{
		{"type", s.Type, defaultOf("type")}, {"name", s.Name, defaultOf("name")}, {"tcp", s.TCP, p.protocol == "TCP"},
		{"expect", s.Expect.Pattern, ""},
	}
}

// reply is the value of require_reply.
type reply struct {
	needed      bool
	bytes, mask string
}

func readUDP(c *chain, k *health.Check) {
	var s health.UDP
	s.Payload, _ = own[string](c, "payload")
	r, _ := own[reply](c, "require_reply")
	s.Require, s.Reply, s.Mask = r.needed, r.bytes, r.mask
	least, _ := own[int64](c, "min_reply_length")
	most, limited := own[int64](c, "max_reply_length")
	s.Min, s.Max = int(least), int(most)
	if s.Reply == "" {
		for _, name := range []string{"min_reply_length", "max_reply_length"} {
			if v := written(name, c.own[:]...); v != nil && v.data != nil && v.data != defaultOf(name) {
				c.warn(v.key, `write require_reply = "01 02", as the answer begins`, "%s has no effect without bytes in require_reply", name)
			}
		}
	}
	switch {
	case limited == nil || limited.data == nil:
	case most < least:
		c.fail(limited.at, "write the smaller number with min_reply_length", "max_reply_length %d is less than min_reply_length, which is %d", most, least)
	case int(most) < len(s.Reply):
		c.fail(limited.at, "let it have room", "max_reply_length %d is less than require_reply, which has %d bytes", most, len(s.Reply))
	}
	k.Spec = s
}

func printUDP(spec health.Spec, _ *printer) inline {
	s := spec.(health.UDP)
	list := inline{
		{"payload", strings.ToUpper(hex.EncodeToString([]byte(s.Payload))), ""},
		{"min_reply_length", int64(s.Min), defaultOf("min_reply_length")}, {"max_reply_length", int64(s.Max), defaultOf("max_reply_length")},
	}
	if s.Reply == "" {
		return append(list, field{"require_reply", s.Require, false})
	}
	digits := []byte(strings.ToUpper(hex.EncodeToString([]byte(s.Reply))))
	for i := range digits {
		if s.Mask[i/2]>>(4-4*(i%2))&0xf == 0 {
			digits[i] = 'X'
		}
	}
	return append(list, field{"require_reply", string(digits), ""})
}

func readSIP(c *chain, k *health.Check) {
	var s health.SIP
	s.User, _ = own[string](c, "login")
	s.TLS = c.tls("")
	tcp, written := own[bool](c, "tcp")
	s.TCP = tcp || written == nil && (s.TLS.Mode != health.Plain || c.over("TCP"))
	if s.TLS.Mode != health.Plain && !s.TCP && written.data != nil {
		c.fail(written.at, "leave it out", "tls works only over TCP")
	}
	k.Spec = s
}

func printSIP(spec health.Spec, p *printer) inline {
	s := spec.(health.SIP)
	list := inline{{"login", s.User, ""}, {"tcp", s.TCP, s.TLS.Mode != health.Plain || p.protocol == "TCP"}}
	return append(list, printTLS(s.TLS, "sni")...)
}

func readSimpleTCP(c *chain, k *health.Check) {
	var s health.SimpleTCP
	s.Send, _ = own[string](c, "request")
	s.Expect = c.expect("receive")
	s.TLS = c.tls("")
	udp, written := own[bool](c, "udp")
	s.UDP = udp || written == nil && s.TLS.Mode == health.Plain && c.over("UDP")
	switch {
	case s.UDP && s.TLS.Mode != health.Plain:
		c.fail(written.at, "leave one of them out", "tls works only over TCP")
	case s.UDP:
		c.missing(`write request = "TEXT": over UDP nobody answers what was not sent`, "request")
	}
	k.Spec = s
}

func printSimpleTCP(spec health.Spec, p *printer) inline {
	s := spec.(health.SimpleTCP)
	list := inline{
		{"request", s.Send, ""}, {"receive", s.Expect.Pattern, ""},
		{"udp", s.UDP, s.TLS.Mode == health.Plain && p.protocol == "UDP"},
	}
	return append(list, printTLS(s.TLS, "sni")...)
}

func readGRPC(c *chain, k *health.Check) {
	var s health.GRPC
	s.Service, _ = own[string](c, "service")
	s.Authority, _ = own[string](c, "authority")
	s.TLS = c.tls("")
	k.Spec = s
}

func printGRPC(spec health.Spec, _ *printer) inline {
	s := spec.(health.GRPC)
	return append(inline{{"service", s.Service, ""}, {"authority", s.Authority, ""}}, printTLS(s.TLS, "sni")...)
}

func readAgent(c *chain, k *health.Check) {
	send, _ := own[string](c, "send")
	k.Spec = health.Agent{Send: send}
}

func printAgent(spec health.Spec, _ *printer) inline {
	return inline{{"send", spec.(health.Agent).Send, ""}}
}
