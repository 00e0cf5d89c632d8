package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func planCommand(a *app) *cobra.Command {
	var stateDir, against string
	var r daemon.Reading
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Say what a reload, or FILE, would change: settings, virtual routers, services, and the kernel's table",
		Long: `Say what a reload would change, and change nothing. With FILE: what that file would change if it were the daemon's. First comes what
the configuration changes, in the words of the file and without secrets: settings, virtual routers with their addresses, services with their servers and
checks. Then what is done to the kernel's table, in order, and what waits for a check. A text that means the same is no change. Without a running daemon the
table alone is compared, with FILE or with ` + daemon.ConfigFile + `.
With -o json it is an object: "configuration" has a "kind", a "name" and a "change" (add, edit or delete) for each, with "keywords" ("keyword", "was" and "is",
or "added" and "removed" of a list; absent: the default) and "members", the servers; "changes" and "waiting" are lines of text; "warnings", and
"rejected" if the file is not valid.
Exit codes: 0 nothing would change, 2 something would, 3 the file is not valid.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readFile(args, r)
			if against != "" && len(args) > 0 {
				return fmt.Errorf("--against names a configuration of the history, and %s is another one: %w", args[0], errUsage)
			}
			if against != "" {
				file, err = a.revision(cmd.Context(), against)
			}
			if err != nil {
				return err
			}
			answer, err := a.client().Plan(cmd.Context(), file)
			if errors.Is(err, control.ErrNotRunning) {
				answer, err = a.planAlone(cmd.Context(), stateDir, file)
			}
			if err != nil {
				return err
			}
			if err := a.answer(answer); err != nil {
				return err
			}
			if !answer.Empty() {
				return exit(exitChanges)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&stateDir, "state-dir", daemon.StateDir, "the daemon's `DIR`, read if it isn't running")
	cmd.Flags().StringVar(&against, "against", "", "what would change with configuration `N` of ipvsctl history, as it was with all that it included")
	readingFlags(cmd, &r)
	return cmd
}

// readFile returns the file that is named, with what it includes, nil if none is.
func readFile(args []string, r daemon.Reading) (*control.File, error) {
	if len(args) == 0 {
		return nil, nil
	}
	return daemon.ReadFile(args[0], r)
}

// planAlone makes the plan that a daemon would make if it were started now.
func (a *app) planAlone(ctx context.Context, stateDir string, file *control.File) (*status.Answer, error) {
	if file == nil {
		var err error
		if file, err = daemon.ReadFile(daemon.ConfigFile, daemon.Reading{}); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(a.stderr, "No daemon is listening on %s: this is what one would do if it were started now.\n", a.socket)
	return daemon.Plan(ctx, stateDir, *file)
}
