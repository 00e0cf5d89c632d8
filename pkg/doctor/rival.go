package doctor

import (
	"fmt"
	"strings"
)

// rivals asks whether several programs write to one table. One alone may be any of them.
func rivals(f *Facts, r *Report) {
	byName := map[string]Process{}
	var names []string
	for _, p := range f.Processes {
		if _, known := byName[p.Name]; !known { // the first is the parent
			byName[p.Name] = p
			names = append(names, fmt.Sprintf("%s (pid %d)", p.Name, p.PID))
		}
	}
	for _, p := range f.Processes {
		first := byName[p.Name]
		if len(byName) < 2 || p.Name == "ipvsd" || p.PID != first.PID {
			continue
		}
		found := Finding{
			ID: "clash", Severity: Problem, Where: fmt.Sprintf("%s, pid %d", p.Name, p.PID),
			What: "These programs run side by side: " + strings.Join(names, ", ") + ".",
			Why:  "They write to the same table and may claim the same addresses: each undoes what the other does. One that does VRRP only, without virtual servers, is harmless to the table.",
			Mend: []string{fmt.Sprintf("kill %d", p.PID)},
		}
		if p.Unit != "" {
			found.Mend = []string{"systemctl disable --now " + word(p.Unit)}
		}
		if _, ours := byName["ipvsd"]; !ours { // to end all of them is to balance no more
			found.Then = "Let one of them run: this for all but that. " + strings.Join(found.Mend, "; ")
			found.Mend = nil
		}
		r.found(found)
	}
	for _, unit := range f.AtBoot {
		if len(byName) == 0 {
			break
		}
		r.found(Finding{
			ID: "clash-boot", Severity: Warning, Where: unit,
			What: fmt.Sprintf("%s loads a saved table when the machine starts, and %s is to keep the table.", unit, strings.Join(names, ", ")),
			Why:  "After a restart servers are in the table that nobody has checked, and services that have long gone. It may even empty the table first.",
			Mend: []string{"systemctl disable " + word(unit)},
		})
	}
}
