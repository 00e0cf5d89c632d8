//go:build kernel

package vrrpio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// patience is for what takes a moment on a slow kernel.
const patience = 60 * time.Second

// director is a Runner on a host of the lab.
type director struct {
	*Runner
	host *lab.Host
	tb   testing.TB
	stop func()
	log  *lines
}

func newDirector(tb testing.TB, h *lab.Host) *director {
	tb.Helper()
	d := &director{host: h, tb: tb, log: &lines{}}
	d.Runner = New(Options{Log: slog.New(slog.NewTextHandler(d.log, nil)), Report: func([]vrrp.Action) {}})
	ctx, cancel := context.WithCancel(context.Background())
	run := make(chan error, 2)
	go func() { run <- h.Do(func() error { return d.Run(ctx) }) }()
	go func() {
		run <- h.Do(func() error {
			vipnl.Interfaces(ctx, func(list []vip.Interface, err error) {
				if err == nil {
					d.Interfaces(list)
				}
			})
			return nil
		})
	}()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-run, <-run); err != nil {
			tb.Errorf("%s: %v", h.Name, err)
		}
	})
	tb.Cleanup(func() {
		d.stop()
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", h.Name, d.log)
		}
	})
	return d
}

func (d *director) statuses() []vrrp.Status {
	d.tb.Helper()
	all, _, err := d.Status(context.Background())
	if err != nil {
		d.tb.Fatalf("%s: %v", d.host.Name, err)
	}
	return all
}

func (d *director) status(name string) vrrp.Status {
	d.tb.Helper()
	all := d.statuses()
	i := slices.IndexFunc(all, func(s vrrp.Status) bool { return s.Name == name })
	if i < 0 {
		d.tb.Fatalf("%s: no instance %q", d.host.Name, name)
	}
	return all[i]
}

// becomes waits until all instances are in a state.
func (d *director) becomes(want vrrp.State) {
	d.tb.Helper()
	lab.WaitFor(d.tb, patience, d.host.Name, func() error {
		for _, s := range d.statuses() {
			if s.State != want {
				return fmt.Errorf("%s is %v (%s; %v), want %v: %+v", s.Name, s.State, s.Reason, s.Faults, want, s.Counters)
			}
		}
		return nil
	})
}
