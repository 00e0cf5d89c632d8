package main

import "github.com/spf13/cobra"

func listCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List services and servers: weight, connections, health, since when, and why",
		Args:  files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(s.Services, s.List)
		},
	}
}
