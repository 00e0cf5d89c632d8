package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Empty says whether there is nothing to do. Foreign objects are nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Commands returns the steps as the kernel takes them.
func (p Plan) Commands() []ipvs.Command {
	cmds := make([]ipvs.Command, len(p.Steps))
	for i := range p.Steps {
		cmds[i] = p.Steps[i].Command()
	}
	return cmds
}

// Command returns the step as the kernel takes it.
func (s Step) Command() ipvs.Command {
	c := ipvs.Command{Op: s.Op, Service: *s.Service}
	if s.Destination != nil {
		c.Destination = *s.Destination
	}
	return c
}

// String describes the step, of an edit what changes, and why a server goes or comes that is to stay:
// "edit server 192.0.2.10:80 of tcp 192.0.2.1:80: weight 1 -> weight 3".
func (s Step) String() string {
	switch s.Reason {
	case Differs:
	case Order:
		if s.Op == ipvs.NewDestination {
			return fmt.Sprintf("re-add server %s of %s: order of %s", s.Destination, s.Service.ServiceKey, s.Service.Scheduler)
		}
		return fmt.Sprintf("%s, to add it again: order of %s", s.Command(), s.Service.Scheduler)
	case Drained:
		return s.Command().String() + ": its connections have ended"
	}
	switch s.Op {
	case ipvs.SetService:
		return fmt.Sprintf("%s %s: %s", s.Op, s.Service.ServiceKey, changes(s.WasService.Options(), s.Service.Options()))
	case ipvs.SetDestination:
		return fmt.Sprintf("%s %s of %s: %s", s.Op, s.Destination.Addr, s.Service.ServiceKey,
			changes(s.WasDestination.Options(), s.Destination.Options()))
	case ipvs.DelService:
		if s.Servers < 0 {
			return s.Command().String() + ", with its servers"
		}
		return fmt.Sprintf("%s, with %d servers", s.Command(), s.Servers)
	default:
		return s.Command().String()
	}
}

// changes names the options that differ, the old ones before the arrow.
func changes(was, is []string) string {
	only := func(a, b []string) string {
		var out []string
		for _, o := range a {
			if !slices.Contains(b, o) {
				out = append(out, o)
			}
		}
		if len(out) == 0 {
			return "none"
		}
		return strings.Join(out, ", ")
	}
	return only(was, is) + " -> " + only(is, was)
}
