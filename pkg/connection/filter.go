package connection

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Query is a Filter in words, as command lines and URLs have it. An empty word filters nothing.
type Query struct {
	Service string // "tcp 192.0.2.1:80", "192.0.2.1:80", "192.0.2.1", "192.0.2.0/24", "tcp", "fwmark 7"
	Server  string // an address, with or without port, or a prefix
	Client  string // as Server
	State   string // one of States, in any case
	Family  string // "inet" or "inet6"
}

// Filter says which entries are wanted. Its zero value wants all.
type Filter struct {
	Protocol string // as in Connection
	Client   Endpoint
	Virtual  Endpoint
	Server   Endpoint
	State    string
	Family   ipvs.Family // the client's; its server may have the other
}

// Endpoint is addresses, by prefix, and a port. What is zero in it stands for any.
type Endpoint struct {
	Prefix netip.Prefix
	Port   uint16
}

// Filter returns what the words mean. The error names the word and says how it is to be written.
func (q Query) Filter() (f Filter, err error) {
	if err = f.service(q.Service); err != nil {
		return Filter{}, fmt.Errorf("service: %w", err)
	}
	if f.Server, err = parseEndpoint(q.Server); err != nil {
		return Filter{}, fmt.Errorf("server: %w", err)
	}
	if f.Client, err = parseEndpoint(q.Client); err != nil {
		return Filter{}, fmt.Errorf("client: %w", err)
	}
	f.State = strings.ToUpper(q.State)
	if f.State != "" && !slices.Contains(States, f.State) {
		return Filter{}, fmt.Errorf("state: %q is none: they are %s", q.State, strings.Join(States, ", "))
	}
	switch q.Family {
	case "":
	case ipvs.IPv4.String():
		f.Family = ipvs.IPv4
	case ipvs.IPv6.String():
		f.Family = ipvs.IPv6
	default:
		return Filter{}, fmt.Errorf("family: %q is not %q or %q", q.Family, ipvs.IPv4, ipvs.IPv6)
	}
	return f, nil
}

// service reads a service: protocol and port may be missing, and port 0, as in the service's key, is all ports. Of a service
// with a firewall mark only the templates are known.
func (f *Filter) service(s string) error {
	protocol, rest, two := strings.Cut(strings.TrimSpace(s), " ")
	p, err := ipvs.ParseProtocol(protocol)
	switch {
	case protocol == "fwmark":
		k, err := ipvs.ParseServiceKey(s)
		if err != nil {
			return err
		}
		a := markAddr(k)
		f.Protocol, f.Virtual.Prefix = markProtocol, netip.PrefixFrom(a, a.BitLen())
		return nil
	case err == nil:
		f.Protocol = p.String()
	case two:
		return err
	default:
		rest = protocol
	}
	f.Virtual, err = parseEndpoint(strings.TrimSpace(rest))
	return err
}

func parseEndpoint(s string) (e Endpoint, err error) {
	if s == "" {
		return e, nil
	}
	var a netip.Addr
	if ap, err := netip.ParseAddrPort(s); err == nil {
		a, e.Port = ap.Addr(), ap.Port()
	} else if e.Prefix, err = netip.ParsePrefix(s); err == nil {
		if masked := e.Prefix.Masked(); e.Prefix != masked {
			return Endpoint{}, fmt.Errorf("%q has bits behind the prefix: write %q", s, masked)
		}
		return e, nil
	} else if a, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err != nil {
		return Endpoint{}, fmt.Errorf(`%q is not an address: write "192.0.2.1", "192.0.2.1:80", "192.0.2.0/24", "2001:db8::1" or "[2001:db8::1]:80"`, s)
	}
	if a.Zone() != "" {
		return Endpoint{}, fmt.Errorf("%q has a zone, which IPVS knows nothing of", s)
	}
	e.Prefix = netip.PrefixFrom(a, a.BitLen())
	return e, nil
}

// Match says whether an entry is wanted.
func (f *Filter) Match(c *Connection) bool {
	return (f.Protocol == "" || f.Protocol == c.Protocol) &&
		(f.State == "" || f.State == c.State) &&
		(f.Family == 0 || f.Family == ipvs.FamilyOf(c.Client.Addr())) &&
		f.Client.has(c.Client) && f.Virtual.has(c.Virtual) && f.Server.has(c.Server)
}

func (e Endpoint) has(a netip.AddrPort) bool {
	return (e.Port == 0 || e.Port == a.Port()) && (!e.Prefix.IsValid() || e.Prefix.Contains(a.Addr()))
}
