// Command ipvsd is the daemon: it keeps the kernel's IPVS table as its configuration and the health of the servers demand.
//
// It stays in the foreground and logs to stderr. SIGHUP has it read its configuration again, SIGTERM and SIGINT stop it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 3
	exitRunning = 4 // another ipvsd has this network namespace or this socket

	// Of -t for a file of another tool, as keepalived -t has them.
	exitForeign  = 5
	exitInsecure = 6
)

var (
	// errUsage marks what cobra finds wrong with the command line.
	errUsage = errors.New("try ipvsd --help")
	// errForeign is daemon.ErrConfig where the test is about another tool's file.
	errForeign = errors.New("invalid configuration")
	// errInsecure is of a test: a script will not be run because others could exchange it.
	errInsecure = errors.New("a script is insecure")
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // nearly all of the heap lives as long as the configuration does
	}
	// A log that nobody reads any more is no reason to end. To ignore the signal would make our scripts ignore it, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The signals are caught from the first moment on: a SIGHUP that comes early must not end the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us as it ends others
	os.Exit(run(ctx, os.Args[1:], hangup, os.Stdout, os.Stderr))
}

// run does everything but get at the process's own things. It returns the exit code.
func run(ctx context.Context, args []string, hangup <-chan os.Signal, stdout, stderr io.Writer) int {
	cmd := command(hangup, stderr)
	cmd.SetOut(stdout)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "ipvsd:", err)
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

const long = `Keeps the kernel's IPVS table as configuration and health checks demand, and takes part in VRRP.

The configuration is ipvsd's own TOML, or a keepalived.conf, a ldirectord.cf, a lvs.cf of Piranha's, or what ipvsadm -Sn printed:
what the file says tells which. SIGHUP has it read again, with all that it includes.

Exit codes: 0 stopped, 1 failed, 2 wrong usage, 3 invalid configuration, 4 another ipvsd is running. Of -t: 0 valid, 3 invalid; for
another tool's file as keepalived -t has them: 0 valid, 5 invalid, 6 valid but for scripts that others than root could exchange.`

func command(hangup <-chan os.Signal, stderr io.Writer) *cobra.Command {
	o := daemon.Options{Version: daemon.Version()}
	var level slog.Level
	var test bool
	cmd := &cobra.Command{
		Use:           "ipvsd",
		Short:         "Keeps the kernel's IPVS table as configuration and health checks demand",
		Long:          long,
		Version:       o.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unexpected argument %q: %w", args[0], errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if test {
				return check(o.ConfigFile, o.Reading, stderr)
			}
			lines := newQueue(stderr, 1<<15)
			defer lines.end(time.Second)
			o.Log = logger(lines, level)
			return serve(cmd.Context(), o, hangup)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", err, errUsage) })
	cmd.SetErr(stderr)
	f := cmd.Flags()
	f.StringVarP(&o.ConfigFile, "file", "f", daemon.ConfigFile, "configuration `FILE`, in any of these dialects")
	f.StringVarP(&o.ConfigID, "config-id", "i", "", "`ID` of the lines of a keepalived.conf that begin with @ID (default: this host's name)")
	f.BoolVar(&o.Strict, "strict", false, "take warnings about the configuration for errors")
	f.StringVar(&o.Socket, "socket", control.SocketFromEnv(), "control socket `PATH`; IPVSD_SOCKET sets it, too")
	f.StringVar(&o.StateDir, "state-dir", daemon.StateDir, "`DIR` for what has to outlive the process")
	f.StringVarP(&o.PIDFile, "pid-file", "p", "", "write the process id to `FILE` (default: none)")
	f.BoolVarP(&test, "test", "t", false, "check the configuration, tell what is wrong with it, and exit")
	f.TextVar(&level, "log-level", slog.LevelInfo, "least `LEVEL` to log: debug, info, warn or error")
	return cmd
}

func serve(ctx context.Context, o daemon.Options, hangup <-chan os.Signal) error {
	d, err := daemon.New(o)
	if err != nil {
		return err
	}
	o.Log.Info("started", "version", o.Version, "file", o.ConfigFile, "socket", o.Socket)
	go func() {
		for {
			select {
			case <-hangup:
				d.Reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return d.Run(ctx)
}

// check prints what there is to say about a configuration file.
func check(file string, r daemon.Reading, stderr io.Writer) error {
	v := daemon.Check(file, r)
	if err := v.Answer.Problems(stderr); err != nil {
		return err
	}
	switch {
	case v.Rejected != "" && v.Foreign():
		return errForeign
	case v.Rejected != "":
		return daemon.ErrConfig
	case v.Insecure && v.Foreign():
		return errInsecure
	}
	return nil
}
