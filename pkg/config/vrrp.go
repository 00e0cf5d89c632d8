package config

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// VRRP is what a file says of the virtual routers of this host, and of all that they depend on and own. The zero value is
// a host without any.
type VRRP struct {
	Instances []*Instance // in the order of the file
	Groups    []*Group
	Static    vip.Wish            // static_ipaddress, static_routes, static_rules
	Tracked   map[string][]string // track_group: names of instances, by its name
	Scripts   map[string]health.ID
	Files     map[string]TrackFile
	Processes map[string]Process
	BFD       map[string]*bfd.Config
	// Routes are the objects of track_route: by name, what must be there.
	Routes map[string]TrackRoute

	Pacing     map[string]vip.Pacing // of frames that tell neighbours, by interface; "" for the others
	UpDelay    map[string]LinkDelay  // interface_up_down_delays
	Linkbeat   map[string]string     // linkbeat_interfaces: links that are asked whether they are up; by MII, ETHTOOL, IOCTL, or "" for any
	DynamicIfs bool                  // dynamic_interfaces: those missing may come later, which is nothing to warn of
	AllStates  bool                  // fifo_write_vrrp_states_on_reload: lines about all instances and groups after a reload
	LogUnknown bool                  // log_unknown_vrids
	NoReports  bool                  // disable_local_igmp: the sysctl igmp_link_local_mcast_reports is 0
	Realtime   Realtime
	SyncRole   string // instance whose role the sync daemons follow; empty: none
	// WaitForChecks is how long at most instances wait at the start for the first checks of the virtual servers.
	WaitForChecks time.Duration
	// BackupOnly makes the director balance nothing while it is backup: net.ipv4.vs.backup_only follows the role.
	BackupOnly bool
}

// Realtime is how the thread that sends adverts runs.
type Realtime struct {
	Priority int   // vrrp_rt_priority: of SCHED_RR; 0: SCHED_OTHER
	NoSwap   bool  // vrrp_no_swap: all memory is locked
	CPUs     []int // vrrp_cpu_affinity; empty: any
	Nice     int   // vrrp_priority
}

// Instance is a vrrp_instance: its part in the protocol, and what it owns while it is active.
type Instance struct {
	vrrp.Instance
	Active vip.Wish  // while active; Owner is its name
	Idle   vip.Wish  // while not: the addresses on lo, of a director that is also a real server
	Link   *vip.Link // interface that is made for it; nil: none
	// MoreLinks are made for addresses on other interfaces: use_vmac of an address, use_vmac_addr.
	MoreLinks []vip.Link
	Notify    Notify
	// KeyFiles are the keys of auth_hmac that stand in files, by ID: whoever runs it reads them into HMAC.Keys. A file has the key
	// as bytes, or as "hex:" and digits; a line's end behind it doesn't count.
	KeyFiles map[uint8]string
	// PasswordFile has Auth.Password in its first line, for whoever runs it; empty: that is written in the configuration.
	PasswordFile string
	// PromoteSecondaries sets the sysctl of the interface.
	PromoteSecondaries bool
}

// Group is a vrrp_sync_group.
type Group struct {
	vrrp.Group
	Notify Notify
}

// Notify is who is told of transitions. Scripts get what keepalived gives them.
type Notify struct {
	Master, Backup, Fault, Stop, Deleted *Script // notify_master and so on; nil: none
	Any                                  *Script // notify
	RxLowerPri                           *Script // notify_master_rx_lower_pri
	PriorityChanges                      bool    // lines in the FIFO for those
	Mail                                 bool    // smtp_alert
	TellDeleted                          bool    // notify_deleted: an instance that a reload removes is DELETED, not at FAULT
}

// FIFO is where events are written for whoever reads there: notify_fifo, vrrp_notify_fifo, lvs_notify_fifo.
type FIFO struct {
	Path        string
	Script      *Script // reader that the daemon starts, with the path as last argument; nil: none
	User, Group string  // owner of a FIFO that is made
	VRRP, LVS   bool    // lines about virtual routers, about virtual servers
}

// TrackFile is a track_file (vrrp_track_file).
type TrackFile struct {
	Path      string
	Init      bool // it is made with Value at the start
	Value     int
	Overwrite bool
}

// Process is a vrrp_track_process.
type Process struct {
	Argv           []string // name or path, and parameters
	Match          string   // param_match: "" (parameters don't matter), "exact", "initial", "partial"
	FullCommand    bool
	Quorum         int
	QuorumMax      int // -1: no limit
	ForkDelay      time.Duration
	TerminateDelay time.Duration
}

// TrackRoute is a track_route: a route that must be there, or a gateway that must answer neighbour discovery.
type TrackRoute struct {
	Route   string // destination, "default" included; empty: Gateway counts
	Gateway string // address of a neighbour
	Dev     string // interface; empty: any
}

// LinkDelay is how long news of a link must last to be believed.
type LinkDelay struct{ Up, Down time.Duration }
