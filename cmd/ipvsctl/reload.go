package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func reloadCommand(a *app) *cobra.Command {
	var strict bool
	var reason string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon take its configuration file as it is now, and say what that changed",
		Long: `Have the daemon take its configuration file as it is now, and say what that changed. A file with errors changes nothing,
and while a configuration of ipvsctl apply waits for its confirmation no other one is taken.
Exit codes: 0 taken, 1 taken but the kernel refused some of it, or not taken now, 3 the file is not valid.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.client().Because(reason).Reload(cmd.Context(), strict)
			if err != nil {
				return err
			}
			err = a.answer(r)
			if r.Rejected != "" && a.output != "json" {
				fmt.Fprintln(a.stderr, "the file is refused; what ran before stays in force")
			}
			return err
		},
	}
	strictFlag(cmd, &strict)
	reasonFlag(cmd, &reason)
	return cmd
}
