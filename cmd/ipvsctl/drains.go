package main

import "github.com/spf13/cobra"

func drainsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "drains",
		Short: "List the servers that drain, are disabled or have another weight, by whom and why",
		Long: `List the servers that drain, are disabled or have another weight than the configured one: how many connections are still open,
who wanted it, since when, why, and until when. Those that have left the configuration are in it, too.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.client().Wishes(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(s, s.Text)
		},
	}
}
