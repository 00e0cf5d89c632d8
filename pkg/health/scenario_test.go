package health_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var update = flag.Bool("update", false, "write the traces as they are; commit them only if you know why they changed")

// TestScenarios runs the stories in testdata. The file "policy" has a setting a line, "results" a probe a line: pass or
// fail, how long it took, and by how much it started late if it did. "trace" is what comes of it, a line a probe.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file := map[string]*txtar.File{}
			for i := range story.Files {
				file[story.Files[i].Name] = &story.Files[i]
			}
			if file["policy"] == nil || file["results"] == nil || file["trace"] == nil {
				t.Fatal("a scenario has the files policy, results and trace")
			}
			got := trace(t, file["policy"].Data, file["results"].Data)
			if *update {
				file["trace"].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(file["trace"].Data); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// trace returns a line for each result: when it came, what it was, what it made of the state, and when the next probe is due.
func trace(t *testing.T, settings, results []byte) string {
	t.Helper()
	p, jitter := settingsOf(t, settings)
	c := health.New(p, start, jitter)
	var b strings.Builder
	line := func(now time.Time, event string) {
		alive := "not alive"
		if c.Alive() {
			alive = "alive"
		}
		fmt.Fprintf(&b, "%9s  %-16s %-9s %-9s  failures %d  next %s", now.Sub(start), event, c.State, alive, c.Failures,
			c.Deadline().Sub(start))
		if n, one := c.Turn(); one {
			fmt.Fprintf(&b, " turn %d", n)
		}
		if c.State == health.Down && c.Reason() != "failed" {
			fmt.Fprintf(&b, "  %s", c.Reason())
		}
		b.WriteString("\n")
	}
	line(start, "new")
	for lines := bufio.NewScanner(strings.NewReader(string(results))); lines.Scan(); {
		var late time.Duration
		word := strings.Fields(lines.Text())
		if len(word) == 4 && word[2] == "late" {
			late = duration(t, word[3])
		} else if len(word) != 2 {
			t.Fatalf("%q: a result is pass or fail, a duration, and maybe late and another one", lines.Text())
		}
		r := health.Result{Took: duration(t, word[1])}
		if word[0] == "fail" {
			r.Err = "failed"
		}
		began := c.Deadline().Add(late)
		c, _ = c.Start(began)
		now := began.Add(r.Took)
		c = c.Step(now, r)
		line(now, strings.Join(word, " "))
	}
	return b.String()
}

func settingsOf(t *testing.T, text []byte) (p health.Policy, jitter float64) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch key {
		case "delay_loop":
			p.DelayLoop = duration(t, value)
		case "delay_before_retry":
			p.DelayBeforeRetry = duration(t, value)
		case "warmup":
			p.Warmup = duration(t, value)
		case "retry":
			p.Retry, err = strconv.Atoi(value)
		case "alpha":
			p.Alpha = true
		case "rise":
			p.Rise, err = strconv.Atoi(value)
		case "fast_interval":
			p.FastInterval = duration(t, value)
		case "hold_down":
			p.HoldDown = duration(t, value)
		case "hold_down_max":
			p.HoldDownMax = duration(t, value)
		case "turns":
			p.Turns, err = strconv.Atoi(value)
		case "jitter":
			jitter, err = strconv.ParseFloat(value, 64)
		default:
			t.Fatalf("no setting is called %q", key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p, jitter
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
