package vrrp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reasons are for who is called at night and has not read an RFC.

const whyStepDown = "this host did not run for so long that another router may be active"

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// why is the reason of a unit for what happened to a member.
func (u *unit) why(cause *machine, reason string) string {
	if u.Name == "" {
		return reason
	}
	return cause.Name + ": " + reason
}

// whyOf is the reason of a member for what happened to it or to another one.
func (u *unit) whyOf(m, cause *machine, reason string) string {
	if m == cause {
		return reason
	}
	return cause.Name + " of its sync group: " + reason
}

// whyYield is why a router that was heard is better.
func (m *machine) whyYield() string {
	if m.heardPrio == m.effective {
		return fmt.Sprintf("%s has the same priority %d and the higher address", m.heard, m.heardPrio)
	}
	return fmt.Sprintf("%s has priority %d, ours is %d", m.heard, m.heardPrio, m.effective)
}

// whyWilling is why the active router is to be replaced.
func (m *machine) whyWilling() string {
	silent := m.router.now.Sub(m.heardAt)
	switch {
	case m.owns() && !m.heard.IsValid():
		return "owner of the addresses"
	case !m.heard.IsValid():
		return "no other router is active"
	case m.heardPrio == 0:
		return fmt.Sprintf("%s gave up the role", m.heard)
	case m.heardPrio < m.effective && silent < m.activeDown():
		return fmt.Sprintf("%s has only priority %d, ours is %d", m.heard, m.heardPrio, m.effective)
	}
	return fmt.Sprintf("%s (priority %d) was not heard for %v", m.heard, m.heardPrio, silent.Round(time.Millisecond))
}

// whyFault is the first of what keeps it at fault.
func (m *machine) whyFault() string { return m.faults()[0] }

// faults is all that keeps it at fault, and what it waits to know.
func (m *machine) faults() []string {
	var all []string
	if m.sourceless != "" {
		all = append(all, m.sourceless)
	}
	if m.FaultWithoutPeers && len(m.Peers) == 0 {
		all = append(all, "there is no unicast_peer")
	}
	for _, c := range m.contribs {
		switch {
		case c.Fault:
			if why := c.why(); !slices.Contains(all, why) { // an interface that is missing is no source, either
				all = append(all, why)
			}
		case c.waits() && c.Track.Kind == TrackChecks:
			all = append(all, "the virtual servers have not been checked yet")
		case c.waits():
			all = append(all, fmt.Sprintf("%s %s has not been looked at yet", c.Track.Kind, c.Track.Name))
		}
	}
	return all
}

// why tells what is wrong with the object of a contribution that is a fault.
func (c Contribution) why() string {
	words := c.Track.Kind.String() + " " + c.Track.Name
	if !c.Reading.Up && strings.Contains(c.Reading.Reason, words) {
		return c.Reading.Reason // which says it all
	}
	if c.Track.Kind == TrackFile {
		return words + " has the value " + strconv.Itoa(c.Reading.Value)
	}
	failing := [...]string{
		TrackInterface: " is down", TrackScript: " fails", TrackProcess: " does not run as it should", TrackBFD: " is down",
		TrackRoute: " is missing", TrackService: " has no quorum", TrackAddress: " is not on this host", TrackChecks: " are missing",
	}
	if c.Reading.Up {
		words += " is well, which is a fault in reverse"
	} else {
		words += failing[c.Track.Kind]
	}
	if c.Reading.Reason != "" {
		words += ": " + c.Reading.Reason
	}
	return words
}
