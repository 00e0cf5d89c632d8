package connection

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
)

// What a counter keeps at most, so that no client can make it large: about 45 MB at worst, the Summary included.
const (
	maxGroups  = 1 << 16 // combinations of service, server and state
	maxClients = 1 << 16
)

// Summary is how many entries there are, by service, server and state, in the order of addresses.
type Summary struct {
	Entries  uint64    `json:"entries"`
	Services []Service `json:"services"`
	// Other are entries that are in Entries but not in Services: those of new services, servers and states after the
	// first 65,536 combinations. (The ports of a firewall mark's service make such numbers.)
	Other uint64 `json:"other,omitempty"`

	// Clients are the addresses with the most entries, most first, if they were asked for. Exact as long as there are no
	// more than 65,536 addresses; after that a number may be too low by ClientsError at most, and an address that has more
	// entries than that is never missing.
	Clients      []Client `json:"clients,omitempty"`
	ClientsError uint64   `json:"clients_error,omitempty"`
}

// Service are the entries of what clients connected to, see Connection.Service.
type Service struct {
	Service string   `json:"service"`
	Entries uint64   `json:"entries"`
	Servers []Server `json:"servers"`
}

// Server are the entries of a server in a Service.
type Server struct {
	Addr    netip.AddrPort    `json:"server"`
	Entries uint64            `json:"entries"`
	States  map[string]uint64 `json:"states"`
}

// Client are the entries of a client's address.
type Client struct {
	Addr    netip.Addr `json:"client"`
	Entries uint64     `json:"entries"`
}

// Summarize counts entries, and lists so many Clients. An error among the entries ends it.
func Summarize(entries iter.Seq2[Connection, error], top int) (*Summary, error) {
	n := counter{groups: map[group]uint64{}, clients: map[netip.Addr]uint64{}}
	for c, err := range entries {
		if err != nil {
			return nil, err
		}
		n.add(&c)
		if top > 0 {
			n.addClient(c.Client.Addr())
		}
	}
	return n.summary(top), nil
}

type counter struct {
	entries, other uint64
	groups         map[group]uint64
	clients        map[netip.Addr]uint64
	clientsError   uint64
}

type group struct {
	protocol        string
	virtual, server netip.AddrPort
	state           string
}

func (n *counter) add(c *Connection) {
	n.entries++
	g := group{c.Protocol, c.Virtual, c.Server, c.State}
	if _, known := n.groups[g]; known || len(n.groups) < maxGroups {
		n.groups[g]++
	} else {
		n.other++
	}
}

// addClient counts as Misra and Gries do ("Finding repeated elements", 1982): where there is no place for another address,
// one entry is taken from each, which makes place. This happens once for maxClients entries at most.
func (n *counter) addClient(a netip.Addr) {
	if _, known := n.clients[a]; known || len(n.clients) < maxClients {
		n.clients[a]++
		return
	}
	n.clientsError++
	for a := range n.clients {
		if n.clients[a]--; n.clients[a] == 0 {
			delete(n.clients, a)
		}
	}
}

func (n *counter) summary(top int) *Summary {
	s := &Summary{Entries: n.entries, Services: []Service{}, Other: n.other, ClientsError: n.clientsError}
	var last group
	for _, g := range slices.SortedFunc(maps.Keys(n.groups), group.compare) {
		if len(s.Services) == 0 || g.protocol != last.protocol || g.virtual != last.virtual {
			s.Services = append(s.Services, Service{Service: serviceName(g.protocol, g.virtual)})
		}
		service := &s.Services[len(s.Services)-1]
		if len(service.Servers) == 0 || g.server != last.server {
			service.Servers = append(service.Servers, Server{Addr: g.server, States: map[string]uint64{}})
		}
		server := &service.Servers[len(service.Servers)-1]
		count := n.groups[g]
		service.Entries += count
		server.Entries += count
		server.States[g.state] = count
		last = g
	}
	for a, count := range n.clients {
		s.Clients = append(s.Clients, Client{a, count})
	}
	slices.SortFunc(s.Clients, func(a, b Client) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), a.Addr.Compare(b.Addr))
	})
	s.Clients = s.Clients[:min(top, len(s.Clients))]
	return s
}

func (g group) compare(o group) int {
	return cmp.Or(g.virtual.Compare(o.virtual), cmp.Compare(g.protocol, o.protocol), g.server.Compare(o.server),
		cmp.Compare(g.state, o.state))
}
