package counterpart

import (
	"strings"
	"time"
)

// Handover is what a switchover found of the other directors, one of which takes over.
type Handover struct {
	Refused string `json:"refused,omitempty"` // why nothing was handed over; empty: it has begun
	Unknown string `json:"unknown,omitempty"` // why no director could be compared with this one
	// Peers are those with which clients would be worse off, by what, and those that did not answer.
	Peers []Comparison  `json:"peers"`
	Took  time.Duration `json:"took"` // nanoseconds until that was known
}

// Handover returns what comparisons mean for a switchover. Where one director is poorer it is refused, unless it is forced: which one would take
// over is not known. A director that did not answer is no reason: what can't be asked may still serve, and who isn't there takes nothing over.
func (all *Comparisons) Handover(force bool) Handover {
	h := Handover{Peers: []Comparison{}}
	var worse []string
	for _, c := range all.Peers {
		c.Differences = c.Poorer()
		switch {
		case len(c.Differences) > 0:
			worse = append(worse, c.Peer)
		case c.Error == "":
			continue
		}
		h.Peers = append(h.Peers, c)
	}
	if len(worse) > 0 && !force {
		h.Refused = "clients would be worse off with " + strings.Join(worse, " and ") + "; with force it is handed over all the same"
	}
	return h
}
