package choice

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Question is what is asked, with what the kernel tells.
type Question struct {
	Client  netip.AddrPort // port 0: any new one
	Service *status.KernelService
	// Connections are the entries of the client and of its network, as far as persistence counts clients as one, of the service.
	Connections []connection.Connection
	Sysctls     ipvs.Sysctls
	Release     string // of the kernel
	Wide        bool   // the kernel counts in 64 bits: mh's hash depends on it
}

// FTP is the port of which persistence remembers the client for all ports, for the sake of transfers (FTPPORT in ip_vs_sched_persist).
const FTP = 21

// How says what decides.
type How string

// The ways.
const (
	ByConnection  How = "connection"  // that exists
	ByPersistence How = "persistence" // of an earlier one
	ByScheduler   How = "scheduler"
	ByNobody      How = "nobody" // it is refused or dropped
)

// Answer is which server the client would get.
type Answer struct {
	Client    netip.AddrPort  `json:"client"`
	Service   ipvs.ServiceKey `json:"service"`
	Scheduler string          `json:"scheduler"`
	How       How             `json:"decided_by"`
	// Server is the one; absent: several are possible, see Candidates, or there is none.
	Server netip.AddrPort `json:"server,omitzero"`
	// Certain says that Server, or that there is none, holds as long as the table and its counters are as they were.
	Certain    bool        `json:"certain"`
	Reasons    []string    `json:"reasons"` // in the order in which the kernel comes to them
	Doubts     []string    `json:"doubts,omitempty"`
	Candidates []Candidate `json:"candidates"` // all servers, in the order in which the kernel walks over them
}

// Candidate is a server of the service.
type Candidate struct {
	Server   netip.AddrPort `json:"server"`
	Weight   int32          `json:"weight"`
	Active   uint32         `json:"active_connections"`
	Inactive uint32         `json:"inactive_connections"`
	Can      bool           `json:"can_be_chosen"`
	Why      string         `json:"why,omitempty"`   // not; or what speaks for it
	Share    float64        `json:"share,omitempty"` // of new connections, 0 to 1, where that is what is known

	maybe bool // whether it is closed is not known
	rank  int
}

// Explain answers a question.
func Explain(q *Question) *Answer {
	s := q.Service
	a := &Answer{Client: q.Client, Service: s.Key, Scheduler: strings.Join(s.Options, " "), Candidates: candidates(s)}
	if a.existing(q) || a.persistent(q) {
		return a
	}
	a.schedule(q)
	return a
}

func (a *Answer) because(format string, args ...any) {
	a.Reasons = append(a.Reasons, fmt.Sprintf(format, args...))
}

func (a *Answer) doubt(format string, args ...any) {
	a.Doubts = append(a.Doubts, fmt.Sprintf(format, args...))
}

// chosen is the end of it.
func (a *Answer) chosen(how How, server netip.AddrPort, certain bool) {
	a.How, a.Server, a.Certain = how, server, certain
}

func candidates(s *status.KernelService) []Candidate {
	list := make([]Candidate, 0, len(s.Servers))
	for i := range s.Servers {
		r := &s.Servers[i]
		c := Candidate{Server: r.Addr, Weight: r.Weight, Active: r.ActiveConns, Inactive: r.InactiveConns, Can: true, rank: r.Rank}
		c.judge(r)
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Candidate) int { return a.rank - b.rank })
	return list
}

// judge says whether the server takes new connections. From the upper threshold on it is closed, until there are fewer than the lower one, or
// than three quarters of the upper one (ip_vs_bind_dest, ip_vs_unbind_dest); in between it depends on what came before.
func (c *Candidate) judge(r *status.KernelServer) {
	total, upper, lower := uint64(c.Active)+uint64(c.Inactive), uint64(r.UpperThreshold), uint64(r.LowerThreshold)
	open := lower != 0 && total < lower || lower == 0 && total*4 < upper*3
	switch {
	case c.Weight == 0:
		c.Can, c.Why = false, "weight 0"
	case upper == 0:
	case total >= upper:
		c.Can, c.Why = false, fmt.Sprintf("full: %d connections, closed from %d on", total, upper)
	case !open:
		c.maybe, c.Why = true, fmt.Sprintf("perhaps still closed: %d connections; it was if it had %d", total, upper)
	}
}

// existing looks for the client's connection: its packets stay with its server, whatever the weights.
func (a *Answer) existing(q *Question) bool {
	by := map[netip.AddrPort]int{}
	n, port := 0, q.Service.Key.Addr.Port()
	for i := range q.Connections {
		c := &q.Connections[i]
		known := a.has(c.Server)
		if c.Client.Addr() != q.Client.Addr() || c.Client.Port() == 0 || port != 0 && c.Virtual.Port() != port || port == 0 && !known {
			continue // without a port of its own it may be another service's
		}
		n++
		by[c.Server]++
		if c.Client.Port() != q.Client.Port() {
			continue
		}
		a.because("The client's connection from port %d exists (%s, forgotten after %v without a packet): its packets go to %s.", c.Client.Port(), c.State, c.Expires, c.Server)
		if !known {
			a.because("That server is not in the table any more: the packets are dropped%s.",
				map[bool]string{true: ", and with expire_nodest_conn the connection is ended"}[q.Sysctls["expire_nodest_conn"] == "1"])
			a.chosen(ByNobody, netip.AddrPort{}, true)
			return true
		}
		if slices.Contains([]string{"TIME_WAIT", "CLOSE", "FIN_WAIT"}, c.State) && q.Sysctls["conn_reuse_mode"] != "0" {
			a.doubt("The connection is over: a new one from the same port is scheduled anew (conn_reuse_mode).")
		}
		a.chosen(ByConnection, c.Server, true)
		return true
	}
	switch {
	case q.Service.Key.FWMark != 0:
		a.doubt("Which connections came by a firewall mark the kernel doesn't tell.")
	case n > 0 && q.Client.Port() == 0:
		a.because("The client's connections stay with their servers: %s. What follows is for a new one.", counts(by))
	case q.Client.Port() != 0:
		a.because("There is no connection from port %d.", q.Client.Port())
	}
	return false
}

// has says whether a server of the table has an address; one without a port has the port that the client asked for.
func (a *Answer) has(server netip.AddrPort) bool {
	return slices.ContainsFunc(a.Candidates, func(x Candidate) bool {
		return x.Server == server || x.Server == netip.AddrPortFrom(server.Addr(), 0)
	})
}

func counts(by map[netip.AddrPort]int) string {
	var list []string
	for s, n := range by {
		list = append(list, fmt.Sprintf("%d to %s", n, s))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// persistent looks for the template of the client, or of its network (ip_vs_sched_persist).
func (a *Answer) persistent(q *Question) bool {
	s := q.Service
	if s.Persistence == 0 {
		return false
	}
	if s.Engine != "" {
		a.doubt("Persistence goes by what the engine %q finds in the packet, such as a Call-ID: the client's address does not tell.", s.Engine)
		return false
	}
	network, err := q.Client.Addr().Prefix(int(s.Granularity))
	if err != nil {
		a.doubt("%v", err)
		return false
	}
	who := "the client"
	if !network.IsSingleIP() {
		who = network.String()
	}
	template := netip.AddrPortFrom(network.Addr(), 0)
	port := s.Key.Addr.Port()
	if port == FTP {
		port = 0
	}
	i := slices.IndexFunc(q.Connections, func(c connection.Connection) bool { return c.Client == template && c.Virtual.Port() == port })
	if i < 0 {
		a.because("The service is persistent (%v), and nothing is remembered of %s.", s.Persistence, who)
		return false
	}
	c := &q.Connections[i]
	at := slices.IndexFunc(a.Candidates, func(x Candidate) bool {
		return x.Server.Addr() == c.Server.Addr() && (x.Server.Port() == c.Server.Port() || c.Server.Port() == 0)
	})
	switch {
	case at < 0:
		a.because("Persistence remembers %s for %s, which is not in the table any more.", c.Server, who)
		return false
	case a.Candidates[at].Weight == 0 && q.Sysctls["expire_quiescent_template"] == "1":
		a.because("Persistence remembers %s for %s, which has weight 0: with expire_quiescent_template that ends it.", c.Server, who)
		return false
	}
	a.because("Persistence: %s had %s before, remembered for another %v. Weight and thresholds don't count.", who, c.Server, c.Expires)
	a.chosen(ByPersistence, a.Candidates[at].Server, true)
	return true
}
