package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// fake is a control.Backend with fixed answers.
type fake struct {
	plan, reload status.Answer
	err          error
	planned      *control.File
	strict       bool // of the last reload
	table        status.Kernel
	checks       status.Checks
	probes       status.Probes
	trials       status.Trials
	asked        status.CheckQuery
	routers      control.Routers
	feed         *feed.Feed
	desk
	shelf
}

var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func (d *fake) Status(context.Context) (*status.Snapshot, error) {
	return &status.Snapshot{
		Version: "v1", RouterID: "lb1", PID: 7, Started: at, At: at, Config: status.Config{File: "/etc/ipvsd/ipvsd.toml", Loaded: at},
		Services: []status.Service{{
			Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Options: []string{"rr"}, InTable: true,
			Servers: []status.Server{{
				Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 1, InTable: true, TableWeight: 1,
				Health: health.Up, Since: at, Checks: []status.Check{{Type: "TCP_CHECK"}},
			}},
		}},
	}, d.err
}

func (d *fake) Plan(_ context.Context, f *control.File) (*status.Answer, error) {
	d.planned = f
	return &d.plan, d.err
}

func (d *fake) Reload(_ context.Context, strict bool) (*status.Answer, error) {
	d.strict = strict
	return &d.reload, d.err
}

func (d *fake) Table(context.Context, []ipvs.ServiceKey) (*status.Kernel, error) {
	return &d.table, d.err
}

func (d *fake) Checks(_ context.Context, q status.CheckQuery, last bool) (*status.Checks, error) {
	d.asked = q
	if !last && q.Server != "" {
		return nil, errors.New("the history is missing")
	}
	return &d.checks, d.err
}

func (d *fake) Probe(_ context.Context, q status.CheckQuery) (*status.Probes, error) {
	d.asked = q
	return &d.probes, d.err
}

// ctl runs ipvsctl against a daemon, or against none if it is nil.
func ctl(t *testing.T, d *fake, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return ctlIn(t.Context(), t, d, args...)
}

func ctlIn(ctx context.Context, t *testing.T, d *fake, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	if d != nil {
		defer serve(t, socket, d, d.routers)()
	}
	var out, errs bytes.Buffer
	code = run(ctx, append([]string{"--socket", socket}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// file writes a configuration and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ipvsd.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["198.51.100.1:80"]
TCP_CHECK = true
`

func TestVerbs(t *testing.T) {
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"list", &fake{}, []string{"list"}, 0, "  198.51.100.1:80  NAT           1", ""},
		{"status", &fake{}, []string{"status"}, 0, "ipvsd     v1 on lb1, pid 7", ""},
		{"color", &fake{}, []string{"list", "--color", "always"}, 0, "\x1b[32mup\x1b[0m", ""},
		{"plan of nothing", &fake{}, []string{"plan"}, 0, "", ""},
		{"plan of changes", &fake{plan: status.Answer{Changes: []string{"add server x"}}}, []string{"plan"}, 2, "add server x\n", ""},
		{"plan of a bad file", &fake{plan: status.Answer{Rejected: "f:1:1: no\n"}}, []string{"plan"}, 3, "", "f:1:1: no\n"},
		{"reload", &fake{reload: status.Answer{Changes: []string{"add server x"}}}, []string{"reload"}, 0, "add server x\n", ""},
		{"reload of a bad file", &fake{reload: status.Answer{Rejected: "f:1:1: no\n"}}, []string{"reload"}, 3, "", "f:1:1: no\nthe file is refused; what ran before stays in force\n"},
		{"reload that the kernel refuses", &fake{reload: status.Answer{Refused: []string{"add x: no"}}}, []string{"reload"}, 1, "", "refused: add x: no\n"},
		{"a daemon in trouble", &fake{err: errors.New("no luck")}, []string{"list"}, 1, "", "ipvsctl: no luck\n"},

		{"list without a daemon", nil, []string{"list"}, 1, "", "systemctl start ipvsd"},
		{"status without a daemon", nil, []string{"status"}, 1, "", "no ipvsd is listening"},
		{"reload without a daemon", nil, []string{"reload"}, 1, "", "no ipvsd is listening"},
		{"plan of a bad file without a daemon", nil, []string{"plan", file(t, "x = 1\n")}, 3, "", `"x"`},

		{"check of a good file", nil, []string{"check", file(t, good)}, 0, "", ""},
		{"check of a bad file", nil, []string{"check", file(t, "x = 1\n")}, 3, "", "ipvsd.toml:1:1: "},
		{"check of no file", nil, []string{"check", "/no/such.toml"}, 1, "", "no such file"},

		{"no verb", nil, []string{"frobnicate"}, 2, "", `there is no verb "frobnicate"`},
		{"no flag", nil, []string{"list", "--frob"}, 2, "", "unknown flag: --frob"},
		{"no such form", nil, []string{"list", "-o", "yaml"}, 2, "", "--output yaml"},
		{"too many arguments", nil, []string{"check", "a", "b"}, 2, "", "the form is ipvsctl check FILE"},
		{"too few arguments", nil, []string{"check"}, 2, "", "the form is ipvsctl check FILE"},
		{"help", nil, nil, 0, "Available Commands:", ""},
		{"version", nil, []string{"--version"}, 0, "ipvsctl version ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, tt.daemon, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, stdout, stderr)
			}
			if tt.stderr == "" && stderr != "" || tt.stdout == "" && stdout != "" {
				t.Errorf("unexpected output\nstdout: %s\nstderr: %s", stdout, stderr)
			}
		})
	}
}

// Every verb that prints something prints JSON, too, with the exit code that it has without.
func TestJSON(t *testing.T) {
	d := &fake{plan: status.Answer{Changes: []string{"add"}}, reload: status.Answer{Rejected: "no\n"}}
	for verb, want := range map[string]int{"list": 0, "status": 0, "plan": 2, "reload": 3, "check": 3} {
		args := []string{verb, "-o", "json"}
		if verb == "check" {
			args = append(args, file(t, "x = 1\n"))
		}
		code, stdout, stderr := ctl(t, d, args...)
		if code != want || !json.Valid([]byte(stdout)) || stderr != "" {
			t.Errorf("%s: exit code %d\nstdout: %s\nstderr: %s", verb, code, stdout, stderr)
		}
	}
}

// The file of a plan is sent, so that it may lie where the daemon can't see it.
func TestPlanSendsFile(t *testing.T) {
	d := &fake{}
	path := file(t, good)
	if code, _, stderr := ctl(t, d, "plan", path); code != 0 {
		t.Fatal(stderr)
	}
	if d.planned == nil || d.planned.Name != path || string(d.planned.Text) != good {
		t.Errorf("sent %+v", d.planned)
	}
}

// serve answers on a socket until stop is called, or the test is over.
func serve(t *testing.T, socket string, b control.Backend, r control.Routers) (stop func()) {
	t.Helper()
	s, err := control.Listen(socket, b, r, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
