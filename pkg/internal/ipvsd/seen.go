package ipvsd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Sightings are all forms in which ipvsadm -Sn shows the servers of a host's table, look by look.
type Sightings struct {
	t     *testing.T
	stop  func()
	looks int
	forms map[string]map[string]int // by service and server, how often they were seen in each form; they were gone otherwise
	err   error
}

// glance is how long it is at least between two looks, which cost a process each.
const glance = 20 * time.Millisecond

// WatchServers begins to look at a host's table, again and again.
func WatchServers(t *testing.T, h *lab.Host) *Sightings {
	t.Helper()
	s := &Sightings{t: t, forms: make(map[string]map[string]int)}
	tick := time.NewTicker(glance)
	s.stop = Until(t.Context(), func() {
		table, err := Saved(h)
		if err != nil {
			s.err = err
		}
		s.looks++
		for line := range strings.Lines(table) {
			if word := strings.Fields(line); len(word) > 5 && word[0] == "-a" { // -a -t SERVICE -r SERVER -m -w 1
				server := word[2] + " " + word[4]
				if s.forms[server] == nil {
					s.forms[server] = make(map[string]int)
				}
				s.forms[server][strings.Join(word[5:], " ")]++
			}
		}
		<-tick.C
	})
	t.Cleanup(func() { s.stop(); tick.Stop() })
	return s
}

// Judge ends the looking. Each of these servers must have had that form in every look, "gone" if it must never have been there, or one of
// the forms that a slash divides, and all others only the form that they are to have.
func (s *Sightings) Judge(want map[string]string) {
	s.t.Helper()
	s.stop()
	if s.err != nil {
		s.t.Errorf("the table could not be read: %v", s.err)
	}
	for server, forms := range s.forms {
		if want[server] == "" {
			s.t.Errorf("%s was in the table, as %v", server, forms)
		}
	}
	for server, form := range want {
		allowed, there := strings.Split(form, "/"), 0
		for seen, times := range s.forms[server] {
			there += times
			if !slices.Contains(allowed, seen) {
				s.t.Errorf("%s was %q in %d of %d looks, and never may be but %q", server, seen, times, s.looks, form)
			}
		}
		if gone := s.looks - there; gone > 0 && !slices.Contains(allowed, "gone") {
			s.t.Errorf("%s was gone in %d of %d looks", server, gone, s.looks)
		}
	}
	s.t.Log(fmt.Sprint(s.looks, " looks at the table"))
}
