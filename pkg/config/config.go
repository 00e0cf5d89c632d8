package config

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// Config is a whole configuration: checked, defaults filled in, inheritance resolved. Nobody after Load validates again.
type Config struct {
	GlobalDefs     GlobalDefs
	VirtualServers []*VirtualServer // in the order of the file; never changed after Load
	VRRP           VRRP

	outside places
}

// places are where programs and files are named, by their paths: each the first time, as something to be said about it.
type places map[string]Diagnostic

// add notes a place, unless the path is named before it.
func (p *places) add(path string, d Diagnostic) {
	if *p == nil {
		*p = make(places)
	}
	if first, known := (*p)[path]; !known || d.before(first) {
		(*p)[path] = d
	}
}

// Remark returns a warning about a program or a file that the configuration names, at the place where it does so first.
func (c *Config) Remark(path, message string) Diagnostic {
	d := c.outside[path]
	d.Severity, d.Message = Warning, message
	return d
}

// Relocate changes the places of Remark's warnings, for a text that was made of another file.
func (c *Config) Relocate(place func(Diagnostic) Diagnostic) {
	for path, d := range c.outside {
		c.outside[path] = place(d)
	}
}

// GlobalDefs are the settings of global_defs that have an effect. The others are checked and reported as warnings.
type GlobalDefs struct {
	RouterID       string
	NetNamespace   string        // network namespace to run in; empty: where the daemon is started
	OnStop         string        // StopLeaves, StopQuiesces or StopRemoves: of virtual servers that don't say, and of what an earlier configuration left
	AutoReload     bool          // read the file again when it has changed
	RSInitNotifies bool          // tell of servers that are up from the beginning, too
	LVSTimeouts    ipvs.Timeouts // of connection entries; zero fields keep the kernel's
	LVSSyncDaemon  SyncDaemons
	LVSSysctl      Sysctls
	Checks         CheckLimits
	Mail           Mail
	Webhooks       []Webhook
	FIFOs          []FIFO
	Metrics        Metrics
	API            API
	Peers          []Peer        // by name
	Wishes         member.Source // an etcd where directors tell each other what operators want of servers; zero: none
	Startup        Errand        // before all else
	Shutdown       Errand        // after all else
}

// Metrics is what Prometheus is told, and where.
type Metrics struct {
	Listen     netip.AddrPort // besides the control socket; zero: nowhere
	PerServer  bool           // servers have series of their own
	MaxServers int            // if there are no more than so many
}

// Errand is a command that the daemon runs once, and waits for.
type Errand struct {
	Script *Script // nil: none
	Limit  time.Duration
}

// CheckLimits is how much the checks of all servers may take together. Zero fields are the engine's own limits.
type CheckLimits struct {
	InFlight  int // probes at once
	PerSecond int // probes that start within a second; 0: no limit
	Scripts   int // of those at once: commands
}

// SyncDaemons are the sync daemons that are to run. A daemon whose interface is empty is nobody's business: one that
// runs goes on.
type SyncDaemons struct {
	Master, Backup ipvs.SyncDaemon
}

// Sysctls is how the IPVS sysctls are to be.
type Sysctls struct {
	Values   ipvs.Sysctls // as written, whatever the defaults are
	Defaults bool         // set what ipvs.SysctlDefaults says for the running kernel, too
	Restore  bool         // put back at stop what was there before the daemon came
}

// VirtualServer is one service, or one for each entry of a group, and the servers that they may send clients to.
type VirtualServer struct {
	Name         string         // no other has it: "tcp 192.0.2.1:80", or "group WEB tcp"
	Group        string         // name of its virtual_server_group; empty: none
	Services     []ipvs.Service // sorted by key, alike but for key and granularity; more than one only with a group
	RealServers  []RealServer
	Members      []Members    // who may join RealServers; see Join
	SorryServers []RealServer // serve while the quorum is lost and one of them is alive
	SorryInhibit bool         // they stay in the table with weight 0 otherwise
	Quorum       health.Quorum
	MinimumUp    health.Share  // with fewer servers up the checks are not believed, and all serve; zero: never
	DrainTimeout time.Duration // how long a server that left the configuration may finish its connections; 0: not at all
	HASuspend    bool          // no checks while none of the addresses is on this host
	Omega        bool          // the stop of the daemon is told to NotifyDown and QuorumDown
	OnStop       string        // what becomes of its services then: StopLeaves, StopQuiesces or StopRemoves
	QuorumUp     *Script       // nil: none
	QuorumDown   *Script
	Mail         ServiceMail
}

// RealServer is one server of a virtual server.
type RealServer struct {
	// Destination has the weight that the server has when healthy. Port 0 stands for the port of each service.
	Destination      ipvs.Destination
	Name             string        // what the operator calls it; others may have the same
	Tags             []string      // sorted; what it belongs to
	From             string        // the source of members that names it; empty: it stands in the file
	InhibitOnFailure bool          // weight 0 while down, instead of removal
	Checks           []health.ID   // up while all of them are, or Needed of them; without any it is always up
	Needed           int           // so many checks that pass are enough; 0: all
	Off              bool          // down on purpose; it has no checks
	SlowStart        time.Duration // from coming back to its full weight; 0: at once
	NotifyUp         *Script       // nil: none
	NotifyDown       *Script
	NoMail           bool // smtp_alert = false
}

// Script is a command that is run without a shell.
type Script struct {
	Argv        []string // program, which is an absolute path, and arguments
	User, Group string   // names or numbers; what they are when empty is in script_user of the reference
}

// Position is a place in a configuration file. Line and Column count from 1; Column counts characters.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}
