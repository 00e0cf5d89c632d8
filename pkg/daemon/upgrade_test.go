package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
)

// upgrading returns a daemon that is nothing but what an upgrade needs before the new process is ready, which is a shell script.
func upgrading(t *testing.T, script string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	o := Options{Program: filepath.Join(dir, "program"), PIDFiles: []string{filepath.Join(dir, "pid")}, Log: log}
	if err := os.WriteFile(o.Program, []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{options: o, owner: &owner{cfg: &config.Config{}, requests: make(chan func(context.Context))}, departs: make(chan struct{})}
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
