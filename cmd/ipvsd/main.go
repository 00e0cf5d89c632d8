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
)

// errUsage marks what cobra finds wrong with the command line.
var errUsage = errors.New("try ipvsd --help")

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
	case errors.Is(err, daemon.ErrRunning):
		return exitRunning
	}
	return exitFailure
}

func command(hangup <-chan os.Signal, stderr io.Writer) *cobra.Command {
	o := daemon.Options{Version: daemon.Version()}
	var level slog.Level
	var test bool
	cmd := &cobra.Command{
		Use:           "ipvsd",
		Short:         "Keeps the kernel's IPVS table as configuration and health checks demand",
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
				return check(o.ConfigFile, stderr)
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
	f.StringVarP(&o.ConfigFile, "file", "f", daemon.ConfigFile, "configuration `FILE`")
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
func check(file string, stderr io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", daemon.ErrConfig, err)
	}
	answer := daemon.Check(control.File{Name: file, Text: text})
	if err := answer.Problems(stderr); err != nil {
		return err
	}
	if answer.Rejected != "" {
		return daemon.ErrConfig
	}
	return nil
}
