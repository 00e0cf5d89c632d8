package track

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// object is what is known of an object, and what is not yet believed.
type object struct {
	told   vrrp.Reading // as reported; not Known: nothing was
	next   vrrp.Reading // what will be if it lasts
	due    time.Time    // until then; zero: nothing waits
	delays delays
}

// delays are how long an object must be up, or down, to be believed.
type delays struct{ up, down time.Duration }

func delaysOf(c *config.VRRP, o vrrp.Object) delays {
	if o.Kind == vrrp.TrackProcess {
		p := c.Processes[o.Name]
		return delays{p.ForkDelay, p.TerminateDelay}
	}
	if o.Kind == vrrp.TrackInterface {
		d := c.UpDelay[o.Name]
		return delays{d.Up, d.Down}
	}
	return delays{}
}

// see takes a reading and says whether it is to be reported now. The first one always is.
func (s *object) see(now time.Time, r vrrp.Reading) bool {
	wait := s.delays.down
	if r.Up {
		wait = s.delays.up
	}
	switch {
	case r == s.told:
		s.due = time.Time{}
		return false
	case s.told.Known && r.Up != s.told.Up && wait > 0:
		if s.due.IsZero() {
			s.due = now.Add(wait)
		}
		s.next = r
		return false
	}
	s.told, s.due = r, time.Time{}
	return true
}
