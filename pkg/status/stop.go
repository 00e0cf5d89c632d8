package status

import (
	"fmt"
	"strings"
)

// atStop says what will become of the services when the daemon stops.
func (s *Snapshot) atStop() string {
	said := []struct{ policy, text string }{
		{"leave", "left in the table, which goes on balancing"},
		{"quiesce", "quiesced: connections go on, new ones are refused"},
		{"remove", "removed from the table: connections end"},
	}
	count := make(map[string]int, len(said))
	for i := range s.Services {
		count[s.Services[i].OnStop]++
	}
	var parts []string
	for _, p := range said {
		switch n := count[p.policy]; n {
		case 0:
		case len(s.Services):
			return "all " + p.text
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, p.text))
		}
	}
	return strings.Join(parts, "\n")
}
