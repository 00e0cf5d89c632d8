package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// confirming is what is said wherever a configuration may have to be confirmed.
const confirming = `With --confirm the daemon goes back to the former configuration by itself unless ipvsctl confirm comes in time, even if it, or this
command, is killed meanwhile; a restart of the machine goes back at once, and setting the clock changes nothing. Until then no other configuration is taken:
apply, rollback N, reload, SIGHUP and autoreload are refused, and ipvsctl rollback goes back at once.`

func applyCommand(a *app) *cobra.Command {
	var t control.Taking
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Have the daemon take FILE in place of its configuration file, with --confirm for a time, and say what that changed",
		Long: `Have the daemon take FILE in place of its configuration file: it is checked, written there as a whole, with mode and owner as they were, and
then taken as by a reload. A file with errors changes nothing. What FILE includes is looked for beside the daemon's file, and is left as it is there. If the daemon's
file has changes that were not taken, they would be lost: that is refused without --force.
` + confirming + `
What was in force before is in ipvsctl history. Exit codes: 0 taken, 1 taken but the kernel refused some of it, or not taken, 3 the file is not valid.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			r, err := a.client().Apply(cmd.Context(), control.Application{Name: name, Text: text, Taking: t})
			if err != nil {
				return err
			}
			return a.taken(r)
		},
	}
	takingFlags(cmd, &t)
	strictFlag(cmd, &t.Strict)
	return cmd
}

func takingFlags(cmd *cobra.Command, t *control.Taking) {
	f := cmd.Flags()
	f.DurationVar(&t.Confirm, "confirm", 0, "go back after `TIME` (60s, 1s to 24h) unless ipvsctl confirm comes before; 0: stay")
	f.BoolVar(&t.Force, "force", false, "take it although changes of the daemon's file would be lost, or it does not look whole, or included files have changed")
	f.StringVar(&t.Reason, "reason", "", "`WHY`, for the history")
}

// taken prints what came of taking a configuration.
func (a *app) taken(r *status.Answer) error {
	err := a.answer(r)
	if r.Rejected != "" && a.output != "json" {
		fmt.Fprintln(a.stderr, "the file is refused; what ran before stays in force")
	}
	return err
}

func confirmCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "Keep the configuration that ipvsctl apply or rollback took with --confirm",
		Long: `Keep the configuration that ipvsctl apply or rollback took with --confirm.
Exit codes: 0 it stays, 1 none waits for a confirmation: the time was over, or there was none.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.client().Confirm(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(r, r.Text)
		},
	}
}

func rollbackCommand(a *app) *cobra.Command {
	var t control.Taking
	cmd := &cobra.Command{
		Use:   "rollback [N]",
		Short: "Have the daemon take configuration N of its history again; without N, the former one",
		Long: `Have the daemon take configuration N of ipvsctl history again; without N, the newest that differs from the one in force. If a configuration waits
for its confirmation, rollback without N goes back at once. The daemon's file is written, and not those that it includes: if they are not as they were, that
is said and nothing is done, unless with --force. If the daemon's file has changes that were not taken, the same.
` + confirming + `
Exit codes: 0 taken, 1 taken but the kernel refused some of it, or not taken, 3 the configuration is not valid any more.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			back := control.Return{Taking: t}
			if len(args) > 0 {
				n, err := revisionNumber(args[0])
				if err != nil {
					return err
				}
				back.Number = n
			}
			r, err := a.client().Rollback(cmd.Context(), back)
			if err != nil {
				return err
			}
			return a.taken(r)
		},
	}
	takingFlags(cmd, &t)
	return cmd
}
