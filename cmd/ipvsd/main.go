// Command ipvsd is the daemon: it keeps the kernel's IPVS table as its configuration and the health of the servers demand.
//
// It stays in the foreground and logs to stderr. SIGHUP has it read its configuration again, SIGTERM and SIGINT stop it. Called
// under the name of keepalived or ldirectord it has the command line of that, and goes into the background as that does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 3
	exitRunning = 4 // another ipvsd has this network namespace or this socket, or keepalived or ldirectord runs here

	// Of -t for a file of another tool, as keepalived -t has them.
	exitForeign  = 5
	exitInsecure = 6
)

var (
	// errUsage marks what cobra finds wrong with the command line.
	errUsage = errors.New("try --help")
	// errForeign is daemon.ErrConfig where the test is about another tool's file.
	errForeign = errors.New("the configuration is invalid, or a part of it has no effect")
	// errInsecure is of a test: a script will not be run because others could exchange it, or keepalived would say that it could be so.
	errInsecure = errors.New("scripts are insecure, or enable_script_security is missing")
)

// process is what belongs to the process as a whole.
type process struct {
	name           string // that it was called by
	signals        <-chan os.Signal
	stdout, stderr io.Writer
	detached       bool                // in the background
	program        string              // its file; empty: nobody knows
	inherits       *daemon.Inheritance // from the process whose place it takes; nil: there is none
	ready          func()              // tells who waits for it, in the foreground; nil: nobody
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // nearly all of the heap lives as long as the configuration does
	}
	if err := script.KeepCapabilities(); err != nil {
		fmt.Fprintln(os.Stderr, "ipvsd:", err)
	}
	// A log that nobody reads any more is no reason to end. To ignore the signal would make our scripts ignore it, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The signals are caught from the first moment on: a SIGHUP that comes early must not end the process.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, slices.Collect(handled())...)
	ends := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if slices.Contains(os.Args, "--"+ignoreInterrupt) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
		ends = ends[:1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us as it ends others
	p := &process{name: filepath.Base(os.Args[0]), signals: signals, stdout: os.Stdout, stderr: os.Stderr}
	p.ready, p.detached = whoWaits()
	var err error
	if p.inherits, err = daemon.Inherit(); err != nil {
		fmt.Fprintln(os.Stderr, "ipvsd:", err)
		os.Exit(exitFailure)
	}
	if p.inherits != nil { // it is where that process was
		p.detached = os.Getenv(background) != ""
		_ = os.Unsetenv(background)
	}
	if p.program, err = program(); err != nil {
		fmt.Fprintln(os.Stderr, "ipvsd: upgrades in place are not possible:", err)
	}
	began := time.Now()
	code := run(ctx, p, os.Args[1:])
	if p.inherits == nil && os.Getenv("NOTIFY_SOCKET") != "" {
		linger(ctx, code, began)
	}
	os.Exit(code)
}

// leastLife is how long a process of a unit lives at least that ends with an error of its own.
const leastLife = time.Second

// linger waits until then. The unit starts again within 100 ms, for the sake of one that was killed. An error that stays would have it do so ten
// times a second. systemd's RestartSteps= is no help: it counts all restarts since somebody last started the unit.
func linger(ctx context.Context, code int, began time.Time) {
	if code != exitFailure {
		return
	}
	select {
	case <-time.After(time.Until(began.Add(leastLife))):
	case <-ctx.Done():
	}
}

// run does everything but get at the process's own things. It returns the exit code.
func run(ctx context.Context, p *process, args []string) int {
	if p.name == ldirectord {
		return p.ldirectord(ctx, args)
	}
	cmd := command(p)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if code, ok := errors.AsType[exit](err); ok {
		return int(code) // all is said
	}
	if p.name == keepalived && errors.Is(err, daemon.ErrRunning) {
		err = fmt.Errorf("daemon is already running: %w", err) // in keepalived's words, which end the same
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
	}
	if p.name == keepalived {
		return keepalivedCode(err)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, daemon.ErrConfig):
		return exitConfig
	case errors.Is(err, errForeign):
		return exitForeign
	case errors.Is(err, errInsecure):
		return exitInsecure
	case errors.Is(err, daemon.ErrRunning):
		return exitRunning
	}
	return exitFailure
}

// exit is an error that has been told already and only has to become the exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
