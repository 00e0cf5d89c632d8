package daemon

import (
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// unfit returns which scripts of a configuration can't be run as things are, a line each. They are no reason to refuse it: a
// script that is put right runs the next time.
func unfit(cfg *config.Config) []string {
	type program struct{ path, user, group string }
	uses := make(map[program]int)
	var wanted []program
	first := make(map[program]string) // who wants it
	add := func(p program, what, owner string) {
		if uses[p]++; uses[p] == 1 {
			wanted = append(wanted, p)
			first[p] = what + " of " + owner
		}
	}
	note := func(s *config.Script, event, owner string) {
		if s != nil {
			add(program{s.Argv[0], s.User, s.Group}, event, owner)
		}
	}
	for _, vs := range cfg.VirtualServers {
		note(vs.QuorumUp, "quorum_up", vs.Name)
		note(vs.QuorumDown, "quorum_down", vs.Name)
		for rs := range vs.Servers() {
			note(rs.NotifyUp, "notify_up", vs.Name)
			note(rs.NotifyDown, "notify_down", vs.Name)
			for _, id := range rs.Checks {
				c := id.Check()
				s, ok := c.Spec.(health.Misc)
				if !ok {
					continue
				}
				for path := range s.Argv.All() { // the first word
					add(program{path, s.User, s.Group}, c.Type, vs.Name)
					break
				}
			}
		}
	}
	var list []string
	for _, p := range wanted {
		err := (script.Command{Argv: []string{p.path}, User: p.user, Group: p.group}).Check()
		if err == nil {
			continue
		}
		who := first[p]
		if more := uses[p] - 1; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, fmt.Sprintf("%s will not run: %v", who, err))
	}
	return list
}
