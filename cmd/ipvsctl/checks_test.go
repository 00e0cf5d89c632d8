package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var (
	oneDown = status.Checks{Checks: []status.Check{{Type: "HTTP_GET", What: "/health", State: health.Down, LastRun: at, Error: "status 503"}}}
	refused = status.Probes{Probes: []status.Probe{{Type: "TCP_CHECK", Error: "connection refused", Steps: []status.Step{{Text: "connecting"}}}}}
	passed  = status.Probes{Probes: []status.Probe{{Type: "TCP_CHECK"}}}
)

func TestChecksAndProbe(t *testing.T) {
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"checks", &fake{checks: oneDown}, []string{"checks"}, 0, "status 503", ""},
		{"checks of a server", &fake{checks: oneDown}, []string{"checks", "198.51.100.1"}, 0, "failed: status 503", ""},
		{"checks of no server", &fake{}, []string{"checks", "198.51.100.1"}, 1, "", "no check of 198.51.100.1"},
		{"checks of no type", &fake{}, []string{"checks", "--type", "TPC_CHECK"}, 1, "", "no check is like that"},
		{"checks of a type, and none is down", &fake{}, []string{"checks", "--type", "TCP_CHECK", "--state", "down"}, 0, "SERVER", ""},
		{"checks, and none is down", &fake{}, []string{"checks", "--state", "down"}, 0, "SERVER", ""},
		{"checks in no such state", &fake{}, []string{"checks", "--state", "sideways"}, 2, "", "sideways"},
		{"checks of no address", &fake{}, []string{"checks", "web1"}, 2, "", `"web1" is no address`},
		{"stats", &fake{}, []string{"checks", "--stats"}, 0, "probes running: 0", ""},
		{"stats of some", &fake{}, []string{"checks", "--stats", "--type", "TCP_CHECK"}, 2, "", "about all checks"},
		{"checks without a daemon", nil, []string{"checks"}, 1, "", "no ipvsd is listening"},

		{"probe that passes", &fake{probes: passed}, []string{"probe", "198.51.100.1:80"}, 0, "passed", ""},
		{"probe that fails", &fake{probes: refused}, []string{"probe", "198.51.100.1:80"}, 1, "failed: connection refused", ""},
		{"probe of no check", &fake{}, []string{"probe", "198.51.100.1:80"}, 1, "", "nothing to run"},
		{"probe of no address", &fake{}, []string{"probe", "web1"}, 2, "", `"web1" is no address`},
		{"probe of nothing", &fake{}, []string{"probe"}, 2, "", "the form is ipvsctl probe SERVER"},
		{"probe without a daemon", nil, []string{"probe", "198.51.100.1"}, 1, "", "no ipvsd is listening"},
		{"probe with a bad file", nil, []string{"probe", "-f", file(t, "x = 1\n"), "198.51.100.1"}, 3, "", "ipvsd.toml:1:1: "},
		{"probe with no file", nil, []string{"probe", "-f", "/no/such.toml", "198.51.100.1"}, 1, "", "no such file"},
		{"probe with a file without it", nil, []string{"probe", "-f", file(t, good), "198.51.100.9"}, 1, "", "nothing to run"},
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

// What chooses among the checks reaches the daemon, and JSON comes with the same exit codes.
func TestChecksAndProbeAsk(t *testing.T) {
	d := &fake{checks: oneDown, probes: refused}
	q := status.CheckQuery{Server: "198.51.100.1", Service: "tcp 192.0.2.1:80", Type: "HTTP_GET"}
	for verb, want := range map[string]int{"checks": 0, "probe": 1} {
		code, stdout, stderr := ctl(t, d, verb, "-o", "json", "--service", q.Service, "--type", q.Type, q.Server)
		if code != want || !json.Valid([]byte(stdout)) || stderr != "" || d.asked != q {
			t.Errorf("%s: exit code %d, asked for %+v\nstdout: %s\nstderr: %s", verb, code, d.asked, stdout, stderr)
		}
	}
}

// Without a daemon, the file says what is probed.
func TestProbeWithAFile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(good, "198.51.100.1:80", l.Addr().String(), 1)
	code, stdout, stderr := ctl(t, nil, "probe", "-f", file(t, text), "127.0.0.1")
	if head := fmt.Sprintf("%s  TCP_CHECK  tcp 192.0.2.1:80\n", l.Addr()); code != 0 || stderr != "" ||
		!strings.HasPrefix(stdout, head) || !strings.HasSuffix(stdout, " passed\n") || strings.Count(stdout, "\n") < 3 {
		t.Errorf("exit code %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = ctl(t, nil, "probe", "-f", file(t, text), l.Addr().String())
	if code != exitFailure || stderr != "" || !strings.Contains(stdout, "failed: connection refused") {
		t.Errorf("nobody listens: exit code %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
	}
}
