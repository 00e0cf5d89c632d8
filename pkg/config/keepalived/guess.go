package keepalived

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// names returns the keywords of a scope.
func (s *scope) names() []string {
	names := make([]string, len(s.keywords))
	for i, k := range s.keywords {
		names[i] = k.name
	}
	return names
}

// guess says what a word may stand for that is no keyword of a scope, or where it belongs.
func (t table) guess(in *scope, word string) string {
	if near := config.Closest(word, in.names()); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	var homes, near []string
	for name, s := range t {
		if s.keyword(word) != nil {
			homes = append(homes, home(name))
		} else if guess := config.Closest(word, s.names()); guess != "" {
			near = append(near, fmt.Sprintf("did you mean %q? It belongs %s", guess, home(name)))
		}
	}
	slices.Sort(homes)
	slices.Sort(near)
	switch {
	case len(homes) > 3:
		return word + " belongs in another block"
	case len(homes) > 0:
		return word + " belongs " + strings.Join(homes, " or ")
	case len(near) > 0:
		return near[0]
	}
	return ""
}

func home(scope string) string {
	if scope == "" {
		return "outside of a block"
	}
	return "in " + scope
}

// spelt are the keywords whose arguments keepalived reads with quotes of both kinds and backslashes.
var spelt = []string{
	"script", "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted", "notify_master_rx_lower_pri",
	"notify_up", "notify_down", "quorum_up", "quorum_down", "misc_path", "startup_script", "shutdown_script", "regex",
	"notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script",
}
