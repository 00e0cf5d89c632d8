package status

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Checks are the health checks that a CheckQuery asked for, and how the engine that runs all of them keeps up.
type Checks struct {
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"` // by the first of their servers
	Engine Engine    `json:"engine"`
}

// Check is a health check. All servers that ask for an equal one share it.
type Check struct {
	Type      string         `json:"type"`
	What      string         `json:"what,omitempty"` // what is asked for, in a few words, without secrets: "/health"
	Target    netip.AddrPort `json:"target"`         // of no meaning where a file or a command is checked
	State     health.State   `json:"state"`
	Since     time.Time      `json:"since,omitzero"`
	LastRun   time.Time      `json:"last_run,omitzero"` // when the last probe that ended was started
	Took      time.Duration  `json:"took"`
	Error     string         `json:"error,omitempty"`        // empty: the last run passed
	Failures  int            `json:"failures,omitempty"`     // in a row, up to now
	Passes    int            `json:"passes,omitempty"`       // in a row, up to now
	Missing   int            `json:"missing,omitempty"`      // so many more passes in a row bring it up
	HeldUntil time.Time      `json:"held_until,omitzero"`    // it is held down until then although it passes
	Warning   string         `json:"warning,omitempty"`      // what is about to become a failure
	Advice    *Advice        `json:"advice,omitempty"`       // what the server says of its weight
	NextRun   time.Time      `json:"next_run,omitzero"`      // absent: one runs, or none is to run
	Suspended bool           `json:"suspended,omitempty"`    // ha_suspend: none is to run
	Probes    uint64         `json:"probes"`                 // that ended
	Failed    uint64         `json:"failed"`                 // of those
	Servers   []CheckedBy    `json:"servers,omitempty"`      // that share it; not in a Snapshot
	History   []Run          `json:"last_results,omitempty"` // the newest first; only if asked for
}

// CheckedBy is a server that has a Check.
type CheckedBy struct {
	Service ipvs.ServiceKey `json:"service"`
	Group   string          `json:"group,omitempty"` // as in Service
	Server  netip.AddrPort  `json:"server"`
	Sorry   bool            `json:"sorry,omitempty"`
}

// Run is how one probe of a Check ended.
type Run struct {
	At      time.Time     `json:"at"` // when it ended
	Took    time.Duration `json:"took"`
	Error   string        `json:"error,omitempty"` // empty: it passed
	Warning string        `json:"warning,omitempty"`
	Advice  *Advice       `json:"advice,omitempty"`
	State   health.State  `json:"state"` // of the check from then on
}

// Advice is what a server says of its weight: the kind is "weight" (instead of the configured one), "percent" (of the configured
// one) or "add" (to it).
type Advice struct {
	Kind  string `json:"kind"`
	Value int32  `json:"value"`
}

// AdviceOf returns the JSON form of advice; nil if there is none.
func AdviceOf(a health.Advice) *Advice {
	kind := map[health.AdviceKind]string{health.Weigh: "weight", health.Percent: "percent", health.Add: "add"}[a.Kind]
	if kind == "" {
		return nil
	}
	return &Advice{kind, a.Value}
}

// Probes are the results of probes that somebody asked for. They don't count for the verdict.
type Probes struct {
	At     time.Time `json:"at"`
	Probes []Probe   `json:"probes"`
}

// Probe is how a probe went that somebody asked for.
type Probe struct {
	Type    string         `json:"type"`
	What    string         `json:"what,omitempty"`
	Target  netip.AddrPort `json:"target"`
	Servers []CheckedBy    `json:"servers"`
	Took    time.Duration  `json:"took"`
	Error   string         `json:"error,omitempty"` // empty: it passed
	Warning string         `json:"warning,omitempty"`
	Advice  *Advice        `json:"advice,omitempty"`
	Steps   []Step         `json:"steps"`
	More    int            `json:"more_steps,omitempty"` // that were left out, of too many
}

// Step is something that a probe did, or that a server answered.
type Step struct {
	After time.Duration `json:"after"` // the start of the probe
	Text  string        `json:"text"`
}

// Passed says whether all passed.
func (p *Probes) Passed() bool {
	for i := range p.Probes {
		if p.Probes[i].Error != "" {
			return false
		}
	}
	return true
}
