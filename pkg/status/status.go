// Package status is what ipvsd tells about itself: a Snapshot, which is the JSON contract of the control socket, and its
// forms as text. A Snapshot is made by package daemon and never changed afterwards; nothing here asks anybody anything.
//
// JSON: durations are nanoseconds, times RFC 3339, absent fields mean zero. Fields are added, never renamed.
package status

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Snapshot is everything that ipvsd knows at one moment.
type Snapshot struct {
	Version  string    `json:"version"`
	RouterID string    `json:"router_id"` // the director's name
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	At       time.Time `json:"at"`
	Config   Config    `json:"config"`
	Table    Table     `json:"table"`
	Settings *Settings `json:"settings,omitempty"` // absent: they were not read yet
	Services []Service `json:"services"`
	Engine   Engine    `json:"engine"`
	VRRP     *VRRP     `json:"vrrp,omitempty"` // absent: there are no virtual routers

	Wishes       []admin.Wish `json:"wishes,omitempty"`        // what the operator wants of servers
	WishesRecord string       `json:"wishes_record,omitempty"` // why that can't be written to the disk
	Directors    []Director   `json:"directors,omitempty"`     // the others that are to know of it

	Sources       []Source `json:"sources,omitempty"`        // of members
	SourcesRecord string   `json:"sources_record,omitempty"` // why their last answers can't be written to the disk

	Audit     string `json:"audit,omitempty"`      // why the audit log can't be written
	AuditLost uint64 `json:"audit_lost,omitempty"` // entries of it since the start
}

// Config is which configuration is in force, and why a newer one is not.
type Config struct {
	File     string    `json:"file"`
	Loaded   time.Time `json:"loaded"`
	Warnings int       `json:"warnings,omitempty"`
	// Rejected holds the errors of a file that was refused after that. What it would have changed is as it was.
	Rejected   string    `json:"rejected,omitempty"`
	RejectedAt time.Time `json:"rejected_at,omitzero"`
	Pending    *Pending  `json:"pending,omitempty"` // absent: it stays without a confirmation
}

// Table is how the kernel's table and ipvsd get on.
type Table struct {
	Error       string `json:"error,omitempty"`              // why it can't be read or changed at all
	Version     string `json:"version,omitempty"`            // of the kernel's IPVS
	ConnBuckets uint32 `json:"connection_buckets,omitempty"` // of its connection table, fixed when the module was loaded

	Record  string    `json:"record,omitempty"` // why the record of what is ours can't be written
	Read    time.Time `json:"read,omitzero"`    // when it was last read
	Changed time.Time `json:"changed,omitzero"`
	Changes uint64    `json:"changes"` // commands that took effect since the start
	Drift   uint64    `json:"drift"`   // those of them that undid what others did to our services
	Refused []Refused `json:"refused,omitempty"`
	Foreign []string  `json:"foreign,omitempty"` // services, and servers of our services, that others put there
}

// Refused is a change that the kernel won't make.
type Refused struct {
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
}

// Service is a virtual server of the configuration, or what it is for one entry of its group.
type Service struct {
	Key     ipvs.ServiceKey `json:"service"`
	Group   string          `json:"group,omitempty"` // name of the virtual server with a group, as in logs: "group WEB tcp"
	Options []string        `json:"options"`         // scheduler first
	InTable bool            `json:"in_table"`
	Stats   ipvs.Stats      `json:"stats"`
	Servers []Server        `json:"servers"`

	Quorum    Quorum `json:"quorum"`
	Sorry     bool   `json:"sorry_servers_serve,omitempty"`
	FailOpen  bool   `json:"fail_open,omitempty"` // so few servers are up that the checks are not believed: all serve
	Suspended bool   `json:"suspended,omitempty"` // ha_suspend: no checks, the address is on another host
	OnStop    string `json:"on_stop"`             // what becomes of it when the daemon stops: leave, quiesce or remove
}

// Quorum is how many servers of a Service live, by weight, and how many it needs.
type Quorum struct {
	State  health.State `json:"state"`
	Live   int64        `json:"live_weight"`
	Needed int64        `json:"needed_weight"`
}

// Server is a real server or a sorry server of a Service.
type Server struct {
	Addr    netip.AddrPort `json:"server"`
	Sorry   bool           `json:"sorry,omitempty"`
	Forward string         `json:"forward"`
	Weight  int32          `json:"weight"`        // as configured
	Off     bool           `json:"off,omitempty"` // in the configuration

	// What the weight is, or would be if the server had clients, after all that its checks advise.
	EffectiveWeight int32     `json:"effective_weight"`
	WeightReason    string    `json:"weight_reason,omitempty"`   // why it isn't the configured one
	SlowStartUntil  time.Time `json:"slow_start_until,omitzero"` // it has less until then, and more and more

	From   string       `json:"from,omitempty"` // the source of members that names it; absent: it is in the configuration
	Name   string       `json:"name,omitempty"`
	Tags   []string     `json:"tags,omitempty"`
	Wishes []admin.Wish `json:"wishes,omitempty"` // what the operator wants of it, the strictest first

	InTable       bool       `json:"in_table"`
	TableWeight   int32      `json:"table_weight"` // as the kernel has it
	ActiveConns   uint32     `json:"active_connections"`
	InactiveConns uint32     `json:"inactive_connections"`
	Stats         ipvs.Stats `json:"stats"`

	Health health.State `json:"health"`
	Since  time.Time    `json:"since,omitzero"`
	Error  string       `json:"error,omitempty"` // of the last failed check
	Checks []Check      `json:"checks,omitempty"`
	Needed int          `json:"checks_needed,omitempty"` // so many of them; absent: all
}

// Count returns how many of the service's real servers may have clients, and how many there are.
func (s *Service) Count() (serving, all int) {
	for i := range s.Servers {
		if s.Servers[i].Sorry {
			continue
		}
		all++
		if s.Servers[i].InTable && s.Servers[i].TableWeight > 0 {
			serving++
		}
	}
	return serving, all
}
