package main

import "github.com/spf13/cobra"

func listCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List services and servers: weight, connections, health, since when, and why",
		Long: `List the services and their servers: what ipvsadm -Ln tells, and the health of each server, since when, and the last
error. A weight such as 0/3 is the one in the kernel's table before the configured one; - is none: not in the table.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(s.Services, s.List)
		},
	}
}
