package ipvs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sysctl is one of the kernel's settings of IPVS, net.ipv4.vs.NAME.
type Sysctl struct {
	Name     string
	Kind     SysctlKind
	Min, Max int64   // of SysctlNumber and SysctlPowerOfTwo
	Boot     string  // what a kernel starts with; empty: it depends on the machine
	Since    Release // the first kernel that has it; zero: older than Linux 4.0
	Doc      string
}

// SysctlKind is what the value of a Sysctl looks like.
type SysctlKind uint8

// The kinds.
const (
	SysctlSwitch     SysctlKind = iota + 1 // 0 or 1; the kernel takes any other number for 1
	SysctlNumber                           // from Min to Max
	SysctlPowerOfTwo                       // from Min to Max
	SysctlDefence                          // 0 off, 1 automatic, 3 always; the kernel makes 1 a 2 while memory is short
	SysctlThreshold                        // two numbers: a count of packets, and the period that it is repeated in
	SysctlCPUs                             // CPUs such as "0-3,5", or none
)

// SysctlTable are the sysctls of Linux 4.0 to 7.1, by name (Documentation/networking/ipvs-sysctl.rst and
// net/netfilter/ipvs/ip_vs_ctl.c). A kernel need not have them all: some depend on how it was built. debug_level is missing:
// it is the whole machine's.
var SysctlTable = []Sysctl{
	number("am_droprate", 0, maxInt, "10", "drop one packet in so many while drop_packet is 3"),
	number("amemthresh", 0, maxInt, "1024", "pages of free memory below which automatic defences act"),
	toggle("backup_only", "0", "don't schedule while a backup sync daemon runs, against loops under DR and TUN"),
	toggle("cache_bypass", "0", "forward to the original destination when no cache server is there"),
	since(7, 1, number("conn_lfactor", -8, 8, "-4", "load of the connection table, a power of two: smaller is a larger table")),
	since(4, 1, number("conn_reuse_mode", 0, 3, "1", "a client's reused port: 0 keeps its server, 1 reschedules after TIME_WAIT, 2 after FIN_WAIT too")),
	toggle("conntrack", "0", "let netfilter track connections of IPVS, for stateful rules and SNAT"),
	defence("drop_entry", "forget random half-open connections"),
	defence("drop_packet", "drop a part of the packets"),
	since(6, 2, Sysctl{Name: "est_cpulist", Kind: SysctlCPUs, Doc: "CPUs that compute rates"}),
	since(6, 2, number("est_nice", -20, 19, "0", "niceness of the threads that compute rates")),
	toggle("expire_nodest_conn", "0", "end connections of a removed server instead of dropping their packets"),
	toggle("expire_quiescent_template", "0", "persistent clients leave a server of weight 0"),
	since(4, 4, toggle("ignore_tunneled", "0", "don't schedule packets of unknown protocols such as IPIP")),
	toggle("nat_icmp_send", "0", "answer a server's packet of no known connection with ICMP, under NAT"),
	toggle("pmtu_disc", "1", "answer packets that are too large with ICMP; 0: fragment them, under TUN"),
	since(5, 16, toggle("run_estimation", "1", "compute rates; with many services that takes its time")),
	since(4, 4, toggle("schedule_icmp", "0", "schedule ICMP errors of no known connection by the packet in them")),
	defence("secure_tcp", "use stricter states of TCP with shorter timeouts"),
	toggle("sloppy_sctp", "0", "a connection may begin with any packet, SCTP"),
	toggle("sloppy_tcp", "0", "a connection may begin with any packet but RST, TCP"),
	toggle("snat_reroute", "1", "route replies under NAT as if the director had sent them"),
	since(7, 1, number("svc_lfactor", -8, 8, "-3", "load of the service table, a power of two: smaller is a larger table")),
	toggle("sync_persist_mode", "0", "send to backups only the persistence of persistent clients, not their connections"),
	{Name: "sync_ports", Kind: SysctlPowerOfTwo, Min: 1, Max: 64, Boot: "1", Doc: "threads and ports of a sync daemon; as it starts"},
	number("sync_qlen_max", 0, 1<<32-1, "", "messages that may wait to be sent to backups"),
	number("sync_refresh_period", 0, maxInt/1000, "0", "seconds by which a timer must have moved to be sent to backups again"),
	number("sync_retries", 0, 3, "0", "how often a message is sent to backups again"),
	number("sync_sock_size", 0, maxInt, "0", "bytes of a sync daemon's socket buffer, 0 the system's; as it starts"),
	{Name: "sync_threshold", Kind: SysctlThreshold, Boot: "3 50", Doc: "packet of a connection that has it sent to backups, and period in packets"},
	number("sync_version", 0, 1, "1", "version of the protocol to backups"),
}

const maxInt = 1<<31 - 1

func number(name string, least, most int64, boot, doc string) Sysctl {
	return Sysctl{Name: name, Kind: SysctlNumber, Min: least, Max: most, Boot: boot, Doc: doc}
}

func toggle(name, boot, doc string) Sysctl {
	return Sysctl{Name: name, Kind: SysctlSwitch, Boot: boot, Doc: doc}
}

func defence(name, doc string) Sysctl {
	return Sysctl{Name: name, Kind: SysctlDefence, Boot: "0", Doc: doc + ": 0 never, 1 when memory is short, 3 always"}
}

func since(major, minor int, s Sysctl) Sysctl {
	s.Since = Release{major, minor}
	return s
}

// FindSysctl returns the entry of SysctlTable with a name.
func FindSysctl(name string) (Sysctl, bool) {
	i, ok := slices.BinarySearchFunc(SysctlTable, name, func(s Sysctl, name string) int { return strings.Compare(s.Name, name) })
	if !ok {
		return Sysctl{}, false
	}
	return SysctlTable[i], true
}

// Check says what is wrong with a value. It is stricter than the kernel, which takes "3 50" for 3, and -1 for on.
func (s Sysctl) Check(value string) error {
	if s.valid(value) {
		return nil
	}
	return fmt.Errorf("%s is %s, not %q", s.Name, s.Wants(), value)
}

func (s Sysctl) valid(value string) bool {
	switch s.Kind {
	case SysctlSwitch:
		return value == "0" || value == "1"
	case SysctlNumber:
		_, ok := decimal(value, s.Min, s.Max)
		return ok
	case SysctlPowerOfTwo:
		n, ok := decimal(value, s.Min, s.Max)
		return ok && n&(n-1) == 0
	case SysctlDefence:
		_, ok := decimal(value, 0, 3)
		return ok
	case SysctlThreshold:
		f := strings.Fields(value)
		if len(f) != 2 {
			return false
		}
		n, ok := decimal(f[0], 0, maxInt)
		period, okPeriod := decimal(f[1], 0, maxInt)
		return ok && okPeriod && (n < period || period == 0)
	case SysctlCPUs:
		return validCPUs(value)
	}
	return false
}

// Wants says what the value is to be: "0 or 1".
func (s Sysctl) Wants() string {
	switch s.Kind {
	case SysctlSwitch:
		return "0 or 1"
	case SysctlPowerOfTwo:
		return fmt.Sprintf("a power of two from %d to %d", s.Min, s.Max)
	case SysctlDefence:
		return "0 (off), 1 (when memory is short) or 3 (always)"
	case SysctlThreshold:
		return `two numbers such as "3 50", the first below the second unless that is 0`
	case SysctlCPUs:
		return `CPUs as the kernel lists them, such as "0-3,5", or empty`
	default:
		return fmt.Sprintf("a number from %d to %d", s.Min, s.Max)
	}
}

// Normal returns a value, as the kernel prints it or as somebody wrote it, in the one form that a Sysctl is kept in: with
// single spaces, and 1 for a switch that is set to any other number than 0.
func (s Sysctl) Normal(value string) string {
	value = strings.Join(strings.Fields(value), " ")
	if s.Kind == SysctlSwitch && value != "0" && value != "" {
		return "1"
	}
	return value
}

// Same says whether two values mean the same. A defence of 1 does what one of 2 does.
func (s Sysctl) Same(a, b string) bool {
	a, b = s.Normal(a), s.Normal(b)
	automatic := func(v string) bool { return s.Kind == SysctlDefence && (v == "1" || v == "2") }
	return a == b || automatic(a) && automatic(b)
}

// decimal reads a number the way the kernel prints it.
func decimal(s string, least, most int64) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s && n >= least && n <= most
}

// validCPUs wants a list as the kernel prints it ("%*pbl"): only then what is read back equals what was written.
func validCPUs(s string) bool {
	if s == "" {
		return true
	}
	next := int64(0)
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, ok := decimal(first, next, maxInt)
		to := from
		if ok && isRange {
			to, ok = decimal(last, from+1, maxInt)
		}
		if !ok {
			return false
		}
		next = to + 2 // the one after would have been part of the range
	}
	return true
}

// SysctlDefault is a value that ipvsd sets unless told otherwise, and why.
type SysctlDefault struct{ Name, Value, Why string }

// SysctlDefaults returns what ipvsd sets on a kernel whose release is what uname -r prints, by name. The reasons at length
// are in contrib/decisions/0008-sysctl-defaults.md. If the release can't be read there are no defaults: the error says so.
func SysctlDefaults(release string) ([]SysctlDefault, error) {
	r, err := ParseRelease(release)
	if err != nil {
		return nil, fmt.Errorf("no defaults for sysctls: %w", err)
	}
	nodest := "flows of a removed server end at once instead of vanishing for up to their timeout"
	if r.Compare(Release{5, 9}) < 0 {
		nodest = "flows of a removed server end with their next packet instead of vanishing for up to their timeout"
	}
	return []SysctlDefault{
		{"expire_nodest_conn", "1", nodest},
		{"expire_quiescent_template", "1", "persistent clients leave a server of weight 0, or it never drains"},
	}, nil
}
