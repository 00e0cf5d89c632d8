package ipvs

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Service is what an operator decides of a virtual service. The kernel's own facts about it are in ServiceStatus.
type Service struct {
	ServiceKey
	Scheduler string       // the kernel's name: rr, wlc, mh, ...
	Flags     ServiceFlags // without Persistent and Hashed: the one follows from Persistence, the other is the kernel's

	// Persistence is how long a client stays with its server after its last connection, in whole seconds; 0 is off.
	Persistence time.Duration
	// Granularity is the length of the prefix by which clients count as one for Persistence: 32 or 128 for single
	// addresses. The kernel wants it set, for IPv6 from 1 to 128, whether or not there is persistence.
	Granularity uint8
	// Engine is the persistence engine ("sip"), empty for none. An edit without it takes it away from the service.
	Engine string
}

// ServiceFlags are the IP_VS_SVC_F_ bits of a service.
type ServiceFlags uint32

// The flags of a service. The three scheduler flags mean what the scheduler makes of them.
const (
	Persistent ServiceFlags = 1 << iota // kept by drivers, from Service.Persistence
	Hashed                              // read only: the kernel sets it on every service
	OnePacket                           // schedule every datagram by itself (UDP and fwmark)
	Scheduler1
	Scheduler2
	Scheduler3

	SHFallback = Scheduler1 // sh: another server when the hashed one has weight 0 or is overloaded
	SHPort     = Scheduler2 // sh: hash the client's port too
	MHFallback = Scheduler1
	MHPort     = Scheduler2

	// Settable are the flags that an operator decides.
	Settable = OnePacket | Scheduler1 | Scheduler2 | Scheduler3
)

// Names returns the flags in keepalived's words, as the scheduler understands them: "ops", "mh-port", "flag-3".
func (f ServiceFlags) Names(scheduler string) []string {
	var names []string
	for _, n := range FlagNames {
		if f&n.Flag != 0 && (n.Scheduler == "" || n.Scheduler == scheduler) {
			names = append(names, n.Name)
			f &^= n.Flag
		}
	}
	return names
}

// FlagNames are keepalived's words for the flags. Where a word belongs to a scheduler it comes before the general one.
var FlagNames = []struct {
	Name      string
	Flag      ServiceFlags
	Scheduler string // the only scheduler that knows the word; empty: any
}{
	{"ops", OnePacket, ""},
	{"sh-fallback", SHFallback, "sh"},
	{"sh-port", SHPort, "sh"},
	{"mh-fallback", MHFallback, "mh"},
	{"mh-port", MHPort, "mh"},
	{"flag-1", Scheduler1, ""},
	{"flag-2", Scheduler2, ""},
	{"flag-3", Scheduler3, ""},
}

// Schedulers are the schedulers of Linux 6.x (net/netfilter/ipvs). A kernel need not have them all built.
var Schedulers = []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos"}

// KnownScheduler says whether s is one of Schedulers.
func KnownScheduler(s string) bool { return slices.Contains(Schedulers, s) }

// DropsClients says whether the scheduler drops the clients that it hashes to a server with weight 0, or to one that is full,
// instead of choosing another server (ip_vs_sh.c, ip_vs_mh.c, ip_vs_dh.c).
func (s *Service) DropsClients() bool {
	switch s.Scheduler {
	case "sh", "mh":
		return s.Flags&SHFallback == 0 // mh's is the same bit
	case "dh":
		return true
	}
	return false
}

// String describes the service in one line: "tcp 192.0.2.1:80 wlc persistent 300s".
func (s Service) String() string {
	return strings.Join(append([]string{s.ServiceKey.String()}, s.Options()...), " ")
}

// Options returns what the service is set to besides its key, a word or two each.
func (s Service) Options() []string {
	o := append([]string{s.Scheduler}, s.Flags.Names(s.Scheduler)...)
	if s.Persistence > 0 {
		p := "persistent " + s.Persistence.String()
		if s.Granularity != s.Family.Bits() {
			p += " /" + strconv.Itoa(int(s.Granularity))
		}
		o = append(o, p)
	}
	if s.Engine != "" {
		o = append(o, "pe "+s.Engine)
	}
	return o
}
