// Package upgrade is what a daemon tells the process that takes its place: a new version of itself, most of the time. It is no IO, which is
// that of package successor, and knows nothing of virtual routers: theirs is failover.Standing.
//
// All of it is JSON. A reader ignores what it doesn't know, and does without what is missing, so that a field may come or go. What changes the
// meaning of one gets another Format; then there is no upgrade in place, and the old process goes on.
package upgrade

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// Format is of what is told.
const Format = 1

// Offer is what comes first.
type Offer struct {
	Format  int
	Version string // of the old process
	PID     int
	Files   []string // the names of those that are handed over, in order
}

// Check returns why a process of this version can't go on for the one that offers.
func (o Offer) Check() error {
	if o.Format != Format {
		return fmt.Errorf("version %s hands itself over in format %d, and this one reads format %d: restart it (systemctl restart ipvsd)", o.Version, o.Format, Format)
	}
	return nil
}

// Ready is the answer, when all is prepared.
type Ready struct {
	Version string
}

// Knowledge is what was found out and decided, and is not on the disk, or may not be: that may be full, and the new process has read it
// before the old one stood still.
type Knowledge struct {
	health.Records
	Quorums map[string]health.State // by virtual server
	Told    map[string]Told         // by virtual server
	Wishes  admin.State
	Owned   desired.Owned
	Changed desired.Changed
	Members map[string]Pool // by virtual server and rule
	Events  event.Past
}

// Pool is who the members of a virtual server are by a rule, and since when no rule is there for them.
type Pool struct {
	member.Pool
	Idle time.Time `json:"idle,omitzero"`
}

// Told is what scripts and the log were told of a virtual server.
type Told struct {
	Servers  []Server
	Quorum   health.State
	Sorry    bool
	FailOpen bool
}

// Server is one of them.
type Server struct {
	Address string
	Sorry   bool
	State   health.State
	Checks  []health.State `json:",omitempty"`
}

// Parse reads what Knowledge is as JSON. What it returns may be false, but does no harm.
func Parse(text []byte) (*Knowledge, error) {
	k := new(Knowledge)
	if err := json.Unmarshal(text, k); err != nil {
		return nil, fmt.Errorf("what the old process knows can't be read: %w", err)
	}
	return k, nil
}
