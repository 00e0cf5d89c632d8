package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func (d *fake) Upgrade(context.Context) (*status.Upgrade, error) {
	return &status.Upgrade{From: "v1", To: "v2", OldPID: 6, PID: 7, Took: 123456789, Still: 1234567 * time.Nanosecond}, d.err
}

func TestUpgrade(t *testing.T) {
	d := &fake{}
	code, stdout, stderr := ctl(t, d, "upgrade")
	if want := "upgraded from v1 (process 6) to v2 (process 7) in 123ms; adverts waited for 1.23ms\n"; code != 0 || stdout != want || stderr != "" {
		t.Errorf("%d %q %q, want %q", code, stdout, stderr, want)
	}
	d.err = errors.New("the new process could not prepare: it ended: exit status 1")
	if code, _, stderr := ctl(t, d, "upgrade"); code != 1 || !strings.Contains(stderr, "exit status 1") {
		t.Errorf("a refused one: %d %q", code, stderr)
	}
}
