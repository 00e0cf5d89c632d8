package daemon

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

const (
	firstForeign = "virtual_server 192.0.2.1 80 {\n  protocol TCP\n  real_server 10.0.0.2 80 {\n    weight 1\n  }\n}\n"
	nextForeign  = "virtual_server 192.0.2.2 80 {\n  protocol TCP\n  real_server 10.0.0.2 80 {\n    weight 1\n  }\n}\n"
)

// A keepalived.conf that lost a brace, or all of it, changes nothing if services would go; whoever removes one, or leaves the file as
// odd as it was, is obeyed.
func TestReloadOfAHalfFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		h := start(t, k, t.TempDir(), "")
		defer func() { h.stop() }()
		h.files.config = filepath.Join(t.TempDir(), "keepalived.conf")
		services := func() int {
			table, err := k.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(table)
		}
		for _, c := range []struct {
			name, text string
			refused    string // empty: it isn't
			services   int
		}{
			{"whole", firstForeign + nextForeign, "", 2},
			{"a brace is missing", strings.Replace(firstForeign, "  }\n}", "  }\n", 1) + nextForeign,
				"would take away tcp 192.0.2.2:80, real_server 10.0.0.2:80 of tcp 192.0.2.2:80: parts of it would be left out (", 2},
			{"cut off", firstForeign + nextForeign[:30], "would take away tcp 192.0.2.2:80", 2},
			{"a server is cut off", firstForeign + strings.Replace(nextForeign, "real_server", "real_sever", 1),
				"would take away tcp 192.0.2.2:80, real_server 10.0.0.2:80 of", 2},
			{"nothing", " \n", "would take away tcp 192.0.2.1:80, real_server", 2},
			{"an unknown word, but all services", firstForeign + nextForeign + "no_such_word\n", "", 2},
			{"that word still, one service less", firstForeign + "no_such_word\n", "", 1},
			{"both again", firstForeign + nextForeign, "", 2},
			{"one service less", nextForeign, "", 1},
			{"a comment", "# nothing any more\n", "", 0},
		} {
			h.write(c.text)
			plan, err := h.Plan(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if refused := plan.Rejected != ""; refused != (c.refused != "") {
				t.Errorf("%s: the plan says %q", c.name, plan.Rejected)
			}
			other := &control.File{Name: h.files.config, Text: []byte(c.text)} // as if it were another file: nobody is about to take it
			if plan, err = h.Plan(t.Context(), other); err != nil || plan.Rejected != "" {
				t.Errorf("%s: the plan of a file that was sent: %v, %v", c.name, plan, err)
			}
			a, err := h.Reload(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if refused := a.Rejected != ""; refused != (c.refused != "") || !strings.Contains(a.Rejected, c.refused) {
				t.Errorf("%s: rejected %q, warnings %q; want %q", c.name, a.Rejected, a.Warnings, c.refused)
			}
			if n := services(); n != c.services {
				t.Errorf("%s: %d services, want %d", c.name, n, c.services)
			}
		}
	})
}
