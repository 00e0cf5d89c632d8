package exporter

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const contrib = "../../../contrib/"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(contrib + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The rules are what promtool takes, and bring about what their tests say; each alert is among that. Without promtool: make tools.
func TestRules(t *testing.T) {
	for _, command := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		c := exec.Command("promtool", command...)
		c.Dir = contrib + "prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", command, err, out)
		}
	}
	tests := read(t, "prometheus/alerts_test.yml")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, "prometheus/alerts.yml"), -1)
	if len(alerts) < 20 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, m := range alerts {
		if !strings.Contains(tests, `{alertname="`+m[1]+`"`) {
			t.Errorf("no test brings about %s", m[1])
		}
	}
}

// Each metric that rules, their tests, the dashboard and the documents name is there.
func TestMetricsThatAreNamed(t *testing.T) {
	names := append(Names(), "ipvsd_check_probe_duration_seconds", "ipvsd_check_probe_lateness_seconds")
	for _, file := range []string{"prometheus/alerts.yml", "prometheus/alerts_test.yml", "prometheus/README.md", "grafana/ipvsd.json", "../README.md"} {
		found := regexp.MustCompile(`\bipvsd_[a-z_]+`).FindAllString(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range found {
			if !slices.Contains(names, name) {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}

// panel is what a dashboard has of a panel that matters here.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

// The dashboard has panels that don't overlap, with expressions that Prometheus takes.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		UID    string
		Panels []panel
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/ipvsd.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$director", ".*", "$service", ".*")
	rules := "groups:\n- name: dashboard\n  rules:\n"
	places := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: the number is there twice, or it has no title, or nothing in it", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" {
					t.Fatalf("%s is over %s", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		for i, target := range p.Targets {
			rules += fmt.Sprintf("  - record: panel:%d:%d\n    expr: %q\n", p.ID, i, variables.Replace(target.Expr))
		}
	}
	if dashboard.UID != "ipvsd" || len(dashboard.Panels) < 30 {
		t.Errorf("uid %q, %d panels", dashboard.UID, len(dashboard.Panels))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
