package config

import (
	"fmt"
	"strings"
	"testing"
)

// Names and tags are words that no command line takes for something else.
func TestNames(t *testing.T) {
	load := func(line string) (*Config, Diagnostics) {
		return Load("test.toml", []byte("[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nTCP_CHECK = true\n"+
			"[[virtual_server.real_server]]\naddress = \"198.51.100.1:80\"\n"+line+"\n"))
	}
	for line, want := range map[string]string{
		"":                               "  []",
		`name = "web-1.example_org"`:     "web-1.example_org []",
		`tags = "rack1"`:                 "  [rack1]",
		`tags = ["php", "a", "php"]`:     "  [a php]",
		"name = \"a\"\ntags = [\"b\"]\n": "a [b]",
	} {
		c, found := load(line)
		if len(found) > 0 {
			t.Fatal(found)
		}
		rs := &c.VirtualServers[0].RealServers[0]
		if got := fmt.Sprint(rs.Name, " ", rs.Tags); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		reloads(t, c)
	}
	for _, line := range []string{
		`name = ""`, `name = "a b"`, `name = "10.0.0.1"`, `name = "2001:db8::1"`, `name = "tag:x"`, `name = "ä"`, `name = ["a"]`, `name = 1`,
		fmt.Sprintf("name = %q", strings.Repeat("a", 64)), `tags = ["a", ""]`, `tags = ["a", "b c"]`, `tags = [1]`, `tags = true`, `tags = "10.0.0.1"`,
	} {
		if c, found := load(line); c != nil || found.Count(Error) != 1 {
			t.Errorf("%s: %v", line, found)
		}
	}
}
