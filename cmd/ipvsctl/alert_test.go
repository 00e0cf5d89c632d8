package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func (d *fake) Trial(context.Context) (*status.Trials, error) { return &d.trials, d.err }

func TestAlert(t *testing.T) {
	mail := status.Trial{To: "mail server mail:25", Recipients: "ops@example.org", Took: 20 * time.Millisecond}
	hook := status.Trial{To: "webhook CHAT", Error: "status 404\x1b[2J", Took: time.Second}
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string
	}{
		{"taken", &fake{trials: status.Trials{Trials: []status.Trial{mail}}}, []string{"alert", "test"}, 0,
			"mail server mail:25, for ops@example.org: taken, took 20ms\n", ""},
		{"one is not", &fake{trials: status.Trials{Trials: []status.Trial{mail, hook}}}, []string{"alert", "test"}, 1, "webhook CHAT: failed: status 404", ""},
		{"json", &fake{trials: status.Trials{Trials: []status.Trial{mail}}}, []string{"-o", "json", "alert", "test"}, 0, `"to": "mail server mail:25"`, ""},
		{"nobody", &fake{}, []string{"alert", "test"}, 1, "", "nobody to alert"},
		{"no daemon", nil, []string{"alert", "test"}, 1, "", "no ipvsd is listening"},
		{"no such verb", &fake{}, []string{"alert", "frob"}, 2, "", "the form is ipvsctl alert"},
	} {
		code, stdout, stderr := ctl(t, tt.daemon, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || strings.Contains(stdout, "\x1b") {
			t.Errorf("%s: exit code %d, want %d\nstdout: %s\nstderr: %s", tt.name, code, tt.code, stdout, stderr)
		}
	}
}
