package vrrpio

import "time"

// late is an advert that left too late.
type late struct {
	in *instance // nil: none did
	by time.Duration
	n  int // how many more or less, with it
}

// or returns the worse of two.
func (a late) or(b late) late {
	n := a.n + b.n
	if b.by > a.by {
		a = b
	}
	a.n = n
	return a
}

// lateness writes the log of adverts that left late, so that it doesn't flood it.
type lateness struct {
	worst late // since the last line
	last  time.Time
}

// linesEvery is how often there is a line about late adverts.
const linesEvery = 10 * time.Second

func (s *lateness) add(l late, log *scribe) {
	if l.n == 0 {
		return
	}
	s.worst = s.worst.or(l)
	now := time.Now()
	if now.Sub(s.last) < linesEvery {
		return
	}
	log.warn("adverts left late: this host was too busy, and other routers may take over", "adverts", s.worst.n, "instance", s.worst.in.Name,
		"late", s.worst.by, "interval", s.worst.in.AdvertInterval)
	s.last, s.worst = now, late{}
}
