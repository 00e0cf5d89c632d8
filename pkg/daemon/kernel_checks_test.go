//go:build kernel

package daemon_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// plugin is a MISC_CHECK that stays, and advises half of the weight. Its arguments are nobody's business.
const plugin = `#!/bin/sh
echo $$ > %[1]s.pid
while read -r number address port left; do echo "$number up 50%%"; done
`

// The checks of a server, as the daemon runs them and as somebody has them run once, and a weight that a plug-in advises.
func TestKernelChecksAndProbe(t *testing.T) {
	c := lab.NewNATCluster(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path, down := dir+"/plugin", dir+"/down"
	if err := os.WriteFile(path, fmt.Appendf(nil, plugin, path), 0o755); err != nil {
		t.Fatal(err)
	}
	d := ipvsd.Start(t, c.Director, fmt.Sprintf(`
[global_defs]
script_user = "root"
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
delay_loop = 0.5
retry = 0
[[virtual_server.real_server]]
address = "10.0.100.2:80"
weight = 10
HTTP_GET = { url = "/" }
MISC_CHECK = { misc_path = "%s hidden", plugin = true }
[[virtual_server.real_server]]
address = "10.0.100.3:80"
FILE_CHECK = { path = "%s", delay_loop = 3600 }
[[virtual_server]]
address = "192.168.1.203:80"
protocol = "TCP"
delay_loop = 0.5
retry = 0
real_servers = ["10.0.100.2:80"]
HTTP_GET = { url = "/" }
`, path, down))
	const table = `
-A -t 192.168.1.202:80 -s wlc
-a -t 192.168.1.202:80 -r 10.0.100.2:80 -m -w 5
-a -t 192.168.1.202:80 -r 10.0.100.3:80 -m -w 1
-A -t 192.168.1.203:80 -s wlc
-a -t 192.168.1.203:80 -r 10.0.100.2:80 -m -w 1
`
	ipvsd.WaitSaved(t, c.Director, table)
	if s := ipvsd.ServerOf(d.Snapshot(), "10.0.100.2:80"); s.Weight != 10 || s.EffectiveWeight != 5 || !strings.Contains(s.WeightReason, "advises 50%") {
		t.Errorf("status: %+v", s)
	}

	ask := func(q status.CheckQuery) map[string]*status.Check {
		t.Helper()
		s, err := d.Checks(t.Context(), q, true)
		if err != nil {
			t.Fatal(err)
		}
		checks := make(map[string]*status.Check)
		for i := range s.Checks {
			checks[s.Checks[i].Type] = &s.Checks[i]
		}
		return checks
	}
	lab.WaitFor(t, ipvsd.Patience, "more than there is room for", func() error {
		checks := ask(status.CheckQuery{Server: "10.0.100.2"})
		page := checks["HTTP_GET"]
		if len(checks) != 2 || page.State != health.Up || len(page.Servers) != 2 || page.Took == 0 {
			t.Fatalf("checks: %+v", checks)
		}
		if len(page.History) < health.Kept || page.Probes <= health.Kept {
			return fmt.Errorf("%d results of %d", len(page.History), page.Probes)
		}
		return nil
	})

	probe := func(q status.CheckQuery) *status.Probes {
		t.Helper()
		p, err := d.Probe(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := probe(status.CheckQuery{Server: "10.0.100.2"})
	if len(p.Probes) != 2 || !p.Passed() || len(p.Probes[0].Steps) == 0 || len(p.Probes[1].Steps) == 0 {
		t.Errorf("of a server that is up: %+v", p)
	}
	if text := fmt.Sprintf("%+v", p); strings.Contains(text, "hidden") {
		t.Errorf("the arguments of a script are told: %s", text)
	}

	// Nobody waits an hour for a file.
	if err := os.WriteFile(down, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(table, "10.0.100.3:80"))

	c.Web[0].Stop()
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(ipvsd.Without(table, "10.0.100.3:80"), "10.0.100.2:80"))
	p = probe(status.CheckQuery{Server: "10.0.100.2:80", Type: "HTTP_GET"})
	if len(p.Probes) != 1 || p.Passed() || p.Probes[0].Error != "connection refused" {
		t.Errorf("of a server that is down: %+v", p)
	}
	if page := ask(status.CheckQuery{State: "down"})["HTTP_GET"]; page == nil || page.Error != "connection refused" || page.Failures == 0 {
		t.Errorf("down: %+v", page)
	}

	pid, err := os.ReadFile(path + ".pid")
	if err != nil {
		t.Fatal(err)
	}
	d.Stop()
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
		t.Error("the plug-in runs on without the daemon")
	}
}
