package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
)

const long = `Keeps the kernel's IPVS table as configuration and health checks demand, and takes part in VRRP.

The configuration is ipvsd's own TOML, or a keepalived.conf, a ldirectord.cf, a lvs.cf of Piranha's, or what ipvsadm -Sn printed:
what the file says tells which. keepalived's options are understood, too; those that have nothing to act on are noted in the log.

Signals: HUP reads the configuration again, with all that it includes; TERM and INT stop. With --dump-dir, as keepalived has it: USR1
writes keepalived.data, USR2 keepalived.stats, signal 63 the same with counters that begin anew, signal 36 keepalived.json.

Exit codes: 0 stopped, 1 failed, 2 wrong usage, 3 invalid configuration, 4 another ipvsd, keepalived or ldirectord is running. Of -t: 0
valid, 3 invalid; for another tool's file as keepalived -t has them: 0 valid, 5 invalid or in part without effect, 6 with
scripts that others than root could exchange or, as keepalived -t has it, without enable_script_security.`

// options are the command line's.
type options struct {
	daemon.Options
	level   slog.Level
	test    string // file of the test's output; "-" is stderr; empty: no test
	logFile string
	foreign keepalivedOptions
}

func command(p *process) *cobra.Command {
	o := &options{Options: daemon.Options{Version: daemon.Version(), Ready: p.ready}}
	cmd := &cobra.Command{
		Use:           p.name,
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
		RunE: func(cmd *cobra.Command, args []string) error {
			if done, err := o.foreign.instead(p); done {
				return err
			}
			if err := o.foreign.apply(o); err != nil {
				return err
			}
			if o.test != "" {
				return o.tested(p.stderr)
			}
			if _, err := os.Stat(o.ConfigFile); p.name == keepalived && err != nil {
				return fmt.Errorf("%w: %w", errNoConfig, err)
			}
			if p.name == keepalived && !o.foreign.stay && !p.detached && p.inherits == nil {
				return detach(p, os.Args)
			}
			return p.daemon(cmd.Context(), o)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", err, errUsage) })
	cmd.SetOut(p.stdout)
	cmd.SetErr(p.stderr)
	f := cmd.Flags()
	f.StringVarP(&o.ConfigFile, "file", "f", daemon.ConfigFile, "configuration `FILE`, in any of these dialects")
	f.StringVarP(&o.ConfigID, "config-id", "i", "", "`ID` of the lines of a keepalived.conf that begin with @ID (default: this host's name)")
	f.BoolVar(&o.Strict, "strict", false, "take warnings about the configuration for errors")
	f.StringVar(&o.Socket, "socket", control.SocketFromEnv(), "control socket `PATH`; IPVSD_SOCKET sets it, too")
	f.StringVar(&o.StateDir, "state-dir", daemon.StateDir, "`DIR` for what has to outlive the process")
	f.StringArrayVarP(&o.PIDFiles, "pid-file", "p", nil, "write the process id to `FILE` (default: none)")
	f.StringVarP(&o.test, "test", "t", "", "check the configuration, tell what is wrong with it on stderr (or in `FILE`), and exit")
	f.Lookup("test").NoOptDefVal = "-"
	f.TextVar(&o.level, "log-level", slog.LevelInfo, "least `LEVEL` to log: debug, info, warn or error")
	f.StringVarP(&o.logFile, "log-file", "g", "", "append the log to `FILE` (default: stderr; in the background, syslog)")
	f.StringVar(&o.DumpDir, "dump-dir", "", "`DIR` that signals have keepalived's dumps written to (default: none)")
	f.IntVar(&o.JSONVersion, "json-version", 1, "`VERSION` of keepalived.json: 1 or 2")
	f.BoolVar(&o.Force, "force", false, "start although keepalived or ldirectord runs in this network namespace")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	for flag, values := range map[string][]cobra.Completion{"log-level": {"debug", "info", "warn", "error"}, "json-version": {"1", "2"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
	}
	o.foreign.flags(f, p.name != keepalived)
	if p.name == keepalived {
		asKeepalived(cmd, o)
	}
	return cmd
}

// daemon runs the daemon until the context is done.
func (p *process) daemon(ctx context.Context, o *options) error {
	w, closeLog, err := p.log(o)
	if err != nil {
		return err
	}
	defer closeLog()
	o.Log = logger(w, o.level)
	for option, why := range o.foreign.noted() {
		o.Log.Info("an option has nothing to act on", "option", option, "reason", why)
	}
	return p.serve(ctx, o.Options)
}

// dumps are the dumps that signals ask for, with keepalived's signals: the last two are SIGRTMIN+2 and SIGRTMAX-1.
var dumps = map[os.Signal]daemon.Dump{
	syscall.SIGUSR1: daemon.DumpData, syscall.SIGUSR2: daemon.DumpStats, syscall.Signal(36): daemon.DumpJSON, syscall.Signal(63): daemon.DumpClearStats,
}

// handled are the signals that do not end the process.
func handled() iter.Seq[os.Signal] {
	return func(yield func(os.Signal) bool) {
		if !yield(syscall.SIGHUP) {
			return
		}
		maps.Keys(dumps)(yield)
	}
}

func (p *process) serve(ctx context.Context, o daemon.Options) error {
	if o.Namespace == "" {
		o.Namespace = os.Getenv(entered)
		_ = os.Unsetenv(entered) // scripts have no use for it
	}
	o.Program, o.Inheritance = p.program, p.inherits
	if o.Namespace != "" {
		o.Environ = []string{entered + "=" + o.Namespace}
	}
	if p.detached {
		o.Environ = append(o.Environ, background+"=1")
	}
	d, err := daemon.New(o)
	if elsewhere, ok := errors.AsType[*daemon.ElsewhereError](err); ok {
		return p.move(elsewhere.Namespace)
	}
	if err != nil {
		return err
	}
	o.Log.Info("started", "version", o.Version, "file", o.ConfigFile, "socket", o.Socket)
	go func() {
		for {
			select {
			case s := <-p.signals:
				if s == syscall.SIGHUP {
					d.Reload(ctx)
				} else {
					d.Dump(ctx, dumps[s])
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return d.Run(ctx)
}

// tested prints what there is to say about the configuration file.
func (o *options) tested(stderr io.Writer) error {
	if o.test == "-" {
		return check(o.ConfigFile, o.Reading, stderr)
	}
	f, err := os.OpenFile(o.test, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return check(o.ConfigFile, o.Reading, f)
}

func check(file string, r daemon.Reading, w io.Writer) error {
	v := daemon.Check(file, r)
	if err := v.Problems(w); err != nil {
		return err
	}
	switch {
	case v.Bare && v.Rejected == "":
		return errInsecure
	case v.Foreign() && (v.Rejected != "" || v.Odd):
		return errForeign
	case v.Rejected != "":
		return daemon.ErrConfig
	case v.Insecure && v.Foreign():
		return errInsecure
	}
	return nil
}
