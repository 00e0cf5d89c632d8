package keepalived

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inventory returns the keywords that keepalived has, by block.
func inventory(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/keywords.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		name, words, ok := strings.Cut(line, ": ")
		if !ok || line[0] == '#' {
			continue
		}
		if name == "-" {
			name = ""
		}
		all[name] = strings.Fields(words)
		slices.Sort(all[name])
	}
	return all
}

// Each keyword of keepalived has a fate, and says why unless it is honoured; nothing else is taken for one.
func TestKeywords(t *testing.T) {
	got := map[string][]string{}
	for _, k := range Keywords() {
		got[k.Scope] = append(got[k.Scope], k.Name)
		if k.Fate != Honoured && k.Remark == "" {
			t.Errorf("%s %s is %v: why?", k.Scope, k.Name, k.Fate)
		}
	}
	if diff := cmp.Diff(inventory(t), got); diff != "" {
		t.Errorf("keywords (-keepalived +ipvsd):\n%s", diff)
	}
}

// A keyword that has a block has a scope for it, and each scope is reached.
func TestScopes(t *testing.T) {
	known := newTable()
	reached := map[*scope]bool{known[""]: true}
	for _, s := range known {
		for _, k := range s.keywords {
			reached[known.block(s, k.name)] = true
		}
	}
	for name, s := range known {
		if !reached[s] {
			t.Errorf("no keyword has a block %s", name)
		}
	}
}

// Blocks with lines of their own form are those alone that keepalived has.
func TestFreeScopes(t *testing.T) {
	var free []string
	for name, s := range newTable() {
		if s.free() {
			free = append(free, name)
		}
	}
	slices.Sort(free)
	want := []string{
		"garp_group interfaces", "interface_up_down_delays", "linkbeat_interfaces", "notification_email", "static_ipaddress", "static_routes",
		"static_rules", "track_bfd", "track_group group", "track_interface", "track_process", "track_script", "unicast_peer", "virtual_ipaddress",
		"virtual_ipaddress_excluded", "virtual_routes", "virtual_rules", "virtual_server_group", "vrrp_instance track_file",
		"vrrp_sync_group group", "vrrp_sync_group track_file",
	}
	if diff := cmp.Diff(want, free); diff != "" {
		t.Error(diff)
	}
}
