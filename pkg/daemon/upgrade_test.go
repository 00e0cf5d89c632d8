package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/failover"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/upgrade"
)

// upgrading returns a daemon that is nothing but what an upgrade needs, where the new process is a shell script.
func upgrading(t *testing.T, script string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	o := Options{Program: filepath.Join(dir, "program"), PIDFiles: []string{filepath.Join(dir, "pid")}, Log: log}
	if err := os.WriteFile(o.Program, []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{
		options: o, owner: newOwner(o, filesIn(Options{StateDir: dir}), new(ipvstest.Kernel), nil), departs: make(chan struct{}),
		failover: failover.New(failover.Options{Log: log}),
		engine:   engine.New(func(context.Context, health.Check) (f health.Finding, err error) { return f, nil }, func(engine.Report) {}),
	}
	go func() { _ = d.engine.Run(t.Context()) }()
	go func() {
		for {
			select {
			case f := <-d.owner.requests:
				f(t.Context())
			case <-t.Context().Done():
				return
			}
		}
	}()
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	d.locks = []*os.File{lock}
	if d.server, err = control.Listen(filepath.Join(dir, "socket"), nil, nil, log); err != nil {
		t.Fatal(err)
	}
	return d
}

// After an upgrade that failed the process id is this one's again, also if the new process had written its own.
func TestProcessIDAfterFailedUpgrade(t *testing.T) {
	d := upgrading(t, "echo 1 >pid; echo 1 >lock; exit 7\n")
	if _, err := d.upgradeUntil(t.Context())(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("it is upgraded: %v", err)
	}
	for _, name := range []string{d.options.PIDFiles[0], d.locks[0].Name()} {
		text, err := os.ReadFile(name)
		if got, want := strings.TrimSpace(string(text)), fmt.Sprint(os.Getpid()); err != nil || got != want {
			t.Errorf("%s: %q, want %s (%v)", filepath.Base(name), got, want, err)
		}
	}
}

// A stop is not waited for until a new process that hangs has had its time, and leaves none behind.
func TestStopDuringUpgrade(t *testing.T) {
	d := upgrading(t, "echo $$ >started; exec sleep 600\n")
	started := filepath.Join(filepath.Dir(d.options.Program), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	stop, end := context.WithCancel(t.Context())
	defer end()
	pid := make(chan string, 1)
	go func() {
		text, _ := os.ReadFile(started) // when it has
		pid <- strings.TrimSpace(string(text))
		end()
	}()
	if _, err := d.upgradeUntil(stop)(t.Context()); err == nil || !strings.Contains(err.Error(), "the daemon stops") {
		t.Errorf("%v", err)
	}
	if left := "/proc/" + <-pid; left == "/proc/" {
		t.Error("it was not started")
	} else if _, err := os.Stat(left); err == nil {
		t.Error("the new process is left behind")
	}
}

// What a new process hears and says until it is ready, knows all, serves and runs.
const (
	getsReady = "hear() { read -r text <&3; }\nsay() { echo '{\"Kind\":\"'$1'\",\"Body\":{}}' >&3; }\necho $$ >new\nhear; say ready\n"
	getsKnown = getsReady + "hear; say known\n"
	getsServe = getsKnown + "hear; say serving\n"
	getsToRun = getsServe + "say running\n"
)

// newProcess returns the id of the one that was started last, and whether it is still there.
func (d *Daemon) newProcess(t *testing.T) (pid int, lives bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(d.options.Program), "new"))
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		t.Fatal(err)
	}
	return pid, syscall.Kill(pid, 0) == nil
}

// goesOn says whether the checks and the owner of a daemon answer in time.
func (d *Daemon) goesOn(t *testing.T, limit time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	checks := make(chan struct{})
	d.engine.Freeze(func(map[health.ID]health.Checker) { close(checks) })
	select {
	case <-checks:
	case <-ctx.Done():
		return false
	}
	_, err := ask(ctx, d.owner, func(context.Context) struct{} { return struct{}{} })
	return err == nil
}

// Whenever one of the two processes is told to end, or the new one ends or stands still, the new one is gone and the old one goes on, until
// that says that it runs: never both, and never none.
func TestOneInCharge(t *testing.T) {
	const ends, stops, late = "signal: terminated", "the daemon stops", "it has not answered within"
	for name, c := range map[string]struct{ script, want string }{
		"the new one ends when it is ready":                {getsReady + "kill -TERM $$", ends},
		"the new one ends when it knows all":               {getsKnown + "kill -TERM $$", ends},
		"the new one ends when it serves":                  {getsServe + "kill -TERM $$", ends},
		"the new one stands still when it knows all":       {getsKnown + "kill -STOP $$", late},
		"the new one stands still when it serves":          {getsServe + "kill -STOP $$", late},
		"the old one is to end when the new one is ready":  {getsReady + "echo >stop; exec sleep 600", stops},
		"the old one is to end when the new one knows all": {getsKnown + "echo >stop; exec sleep 600", stops},
		"the old one is to end when the new one serves":    {getsServe + "echo >stop; exec sleep 600", stops},
		"nothing happens":                                  {getsToRun + "exec sleep 600", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := upgrading(t, c.script)
			told := filepath.Join(filepath.Dir(d.options.Program), "stop")
			if err := syscall.Mkfifo(told, 0o600); err != nil {
				t.Fatal(err)
			}
			stop, end := context.WithCancel(t.Context())
			defer end()
			if c.want == stops {
				go func() {
					_, _ = os.ReadFile(told)
					end()
				}()
			}
			u, err := d.upgradeUntil(stop)(t.Context())
			pid, lives := d.newProcess(t)
			if c.want == "" {
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
				if err != nil || u.PID != pid || !lives || !d.departed() || d.goesOn(t, 200*time.Millisecond) {
					t.Errorf("%+v, %v; the new process, %d, lives: %v; the old one has departed: %v", u, err, pid, lives, d.departed())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if lives {
				t.Error("the new process is still there")
			}
			if d.departed() || !d.goesOn(t, time.Minute) {
				t.Error("the old one does not go on")
			}
		})
	}
}

// A stop that reaches the new process when it is in charge, or about to be, finds all its parts there, however late they look. One that reaches it
// before has none of them begin.
func TestStopOfNewProcess(t *testing.T) {
	for name, charge := range map[string]bool{"in charge": true, "not in charge": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const parts = 20
				i := &Inheritance{charge: make(chan struct{})}
				d := &Daemon{options: Options{Inheritance: i}, owner: &owner{ended: make(chan struct{})}}
				tasks, ctx := errgroup.WithContext(t.Context())
				var began, over atomic.Int32
				part := func() error {
					began.Add(1)
					return ctx.Err()
				}
				for range parts {
					tasks.Go(func() error {
						defer over.Add(1)
						return d.begin(part)
					})
				}
				tasks.Go(func() error { return errors.New("stop") })
				synctest.Wait()
				if ctx.Err() == nil || over.Load() > 0 {
					t.Errorf("%d parts did not wait for who is in charge", over.Load())
				}
				if charge {
					close(i.charge)
				}
				close(d.owner.ended)
				_ = tasks.Wait()
				for range parts { // what looks when both are so
					_ = d.begin(part)
				}
				if want := map[bool]int32{true: 2 * parts}[charge]; began.Load() != want {
					t.Errorf("%d parts began, want %d", began.Load(), want)
				}
			})
		})
	}
}

// A reload that comes too late for the old process is for the new one, which may have read the file before.
func TestReloadDuringUpgrade(t *testing.T) {
	d := upgrading(t, "")
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	d.owner.reloads.Lock() // and for ever: an upgrade that went well
	done := make(chan struct{})
	go func() {
		d.Reload(t.Context())
		close(done)
	}()
	d.depart(os.Getpid())
	<-done
	<-heard
}

// The new process goes on with all verdicts, also if its keys of checks have another form, or the old one names no subjects.
func TestVerdictsOfUpgrade(t *testing.T) {
	for name, heard := range map[string]func(health.Records) health.Records{
		"the same version":   func(r health.Records) health.Records { return r },
		"another form":       func(r health.Records) health.Records { return otherKeys(r, health.KeyForm+1) },
		"an earlier version": func(r health.Records) health.Records { return health.Records{Checks: r.Checks} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := start(t, new(ipvstest.Kernel), t.TempDir(), web, second)
				old.pass(10 * time.Second)
				before := old.sinces()
				told, err := ask(t.Context(), old.owner, func(context.Context) []byte {
					text, _ := json.Marshal(old.knowledge(old.verdicts, time.Now())) // what came of it is looked at
					return text
				})
				k, failed := upgrade.Parse(told)
				if err := errors.Join(err, failed); err != nil {
					t.Fatal(err)
				}
				k.Records = heard(k.Records)
				fresh := start(t, new(ipvstest.Kernel), t.TempDir(), web)
				n, err := ask(t.Context(), fresh.owner, func(context.Context) int { return len(fresh.inherit(k, time.Now())) })
				if after := fresh.sinces(); err != nil || n != 3 || !slices.Equal(after, before) {
					t.Errorf("%d verdicts, %q, and were %q (%v)", n, after, before, err)
				}
				old.stop()
				fresh.stop()
			})
		})
	}
}

// The new process may have read the disk before sources of members said something else, and the disk may not have taken what settings were
// before: it hears of both.
func TestKnowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := start(t, new(ipvstest.Kernel), t.TempDir(), withMembers)
		old.says(byDirectory, "1:web 2:web")
		old.pass(10 * time.Second)
		told, err := ask(t.Context(), old.owner, func(context.Context) []byte {
			text, _ := json.Marshal(old.knowledge(nil, time.Now())) // what came of it is looked at
			return text
		})
		k, failed := upgrade.Parse(told)
		if err := errors.Join(err, failed); err != nil {
			t.Fatal(err)
		}
		if len(k.Changed) == 0 {
			t.Error("the old one has changed no setting")
		}
		for name, c := range k.Changed { // as a process before the old one has found it
			c.Was = "found"
			k.Changed[name] = c
		}
		want := maps.Clone(k.Changed)
		fresh := start(t, new(ipvstest.Kernel), t.TempDir(), withMembers)
		changed, err := ask(t.Context(), fresh.owner, func(context.Context) desired.Changed {
			fresh.inherit(k, time.Now())
			return maps.Clone(fresh.settings.changed)
		})
		if d := cmp.Diff(want, changed); err != nil || d != "" {
			t.Errorf("%v\n%s", err, d)
		}
		fresh.pass(10 * time.Second)
		fresh.wantServing("the new one", addrs([]int{1, 2})...)
		if s := fresh.status().Services[0]; len(s.Servers) != 2 {
			t.Errorf("it has %+v", s.Servers)
		}
		old.stop()
		fresh.stop()
	})
}
