package engine

import "time"

// Limits are how much the checks may take together. Zero fields are the defaults.
type Limits struct {
	InFlight  int // probes at once, without scripts: DefaultPlaces
	PerSecond int // probes that start within a second: no limit
	Scripts   int // MISC_CHECKs at once: DefaultScripts
}

// The limits unless Places and Limit say otherwise.
const (
	DefaultPlaces  = 1024
	DefaultScripts = 64
)

// A lane is the probes that share places: one that is due when all are taken gets the next one that becomes free. Scripts have a
// lane of their own, so that those that hang keep nothing else from being probed.
type lane struct {
	places  int
	running int
	queue   []*job // due, and waiting, the one that waits longest first
}

func (l *lane) free() bool { return l.running < l.places }

// pace is a token bucket. Within no second it lets more than its number of probes start; a twentieth of them may start at
// once, because probes that start together cost less.
type pace struct {
	gap    time.Duration // from one token to the next; 0: no limit
	bucket time.Duration // as long as it takes to fill it
	next   time.Duration // the moment from which there is a token
}

func paceOf(perSecond int) pace {
	if perSecond <= 0 {
		return pace{}
	}
	burst := perSecond / 20
	gap := time.Second/time.Duration(perSecond-burst) + 1 // rounded up
	return pace{gap: gap, bucket: time.Duration(burst) * gap}
}

// take takes a token if there is one.
func (p *pace) take(now time.Duration) bool {
	if p.gap == 0 {
		return true
	}
	p.next = max(p.next, now-p.bucket)
	if p.next > now {
		return false
	}
	p.next += p.gap
	return true
}
