package main

import "github.com/spf13/cobra"

func statusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell in a few lines how the daemon is, and all that is not as it should be",
		Args:  files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(s, s.Text)
		},
	}
}
