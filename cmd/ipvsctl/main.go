// Command ipvsctl asks and tells a running ipvsd, and checks configurations without one. Each verb has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitChanges = 2 // of plan, as diff has it: there is something to change
	exitConfig  = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us as it ends others
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exit is an error that has been told already and only has to become the exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errUsage marks what cobra finds wrong with the command line.
var errUsage = errors.New("try ipvsctl --help")

// run does everything but get at the process's own things. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command(&app{stdout: stdout, stderr: stderr})
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exit](err); ok {
		return int(code)
	}
	fmt.Fprintln(stderr, "ipvsctl:", status.PrintableLines(err.Error())) // another director may have said it
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintln(stderr, "Is it started? systemctl start ipvsd, or ipvsd -f FILE. Does it use another socket? --socket or IPVSD_SOCKET.")
	}
	return exitFailure
}

// app is what all verbs share.
type app struct {
	stdout, stderr io.Writer
	socket         string
	output         string // table or json
	color          string // auto, always or never
	shown          bool   // progress is on the terminal's last line
}

func (a *app) client() *control.Client { return control.NewClient(a.socket) }

func command(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "ipvsctl",
		Short:         "Asks and tells ipvsd, the control plane of the kernel's IP virtual server",
		Version:       daemon.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("there is no verb %q: %w", args[0], errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return errors.Join(oneOf("output", a.output, "table", "json"), oneOf("color", a.color, "auto", "always", "never"))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", err, errUsage) })
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	f := cmd.PersistentFlags()
	f.StringVar(&a.socket, "socket", control.SocketFromEnv(), "the daemon's control socket `PATH`; IPVSD_SOCKET sets it, too")
	f.StringVarP(&a.output, "output", "o", "table", "`FORM` of what is printed: table or json")
	f.StringVar(&a.color, "color", "auto", "`WHEN` to use colours: auto (on a terminal), always or never")
	cmd.AddCommand(statusCommand(a), listCommand(a), checksCommand(a), probeCommand(a), checkCommand(a), convertCommand(a), planCommand(a), applyCommand(a), confirmCommand(a), historyCommand(a), rollbackCommand(a), reloadCommand(a), statsCommand(a),
		rateCommand(a), connectionsCommand(a), eventsCommand(a), topCommand(a), exportCommand(a), importCommand(a), vrrpCommand(a), switchoverCommand(a), diffCommand(a), explainCommand(a), alertCommand(a), doctorCommand(a), realserverCommand(a),
		drainCommand(a), undrainCommand(a), disableCommand(a), enableCommand(a), weightCommand(a), drainsCommand(a), auditCommand(a), upgradeCommand(a))
	return cmd
}

// files returns a check for the number of arguments.
func files(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("the form is %s: %w", cmd.UseLine(), errUsage)
		}
		return nil
	}
}

func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("--%s %s: it can be one of %q: %w", flag, value, allowed, errUsage)
}
