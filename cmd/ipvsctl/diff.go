package main

import (
	"github.com/spf13/cobra"
)

func diffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff [PEER]",
		Short: "Say what another director has otherwise, in its configuration and in fact, and what of that is worse for clients",
		Long: `Say what another director, by its name in [global_defs.peers], has otherwise than this one, or all of them: services and their options, servers with their weights, checks and
health, quorums, drains and other wishes, virtual routers with their addresses, timeouts, sync daemons. It is in the configuration, and in fact: a server that is up here and
down there, a service that is not in the kernel's table. What may differ is left out: names, priorities, roles, interfaces, counters. Differences that would leave clients worse
off with the other director are marked ! and come first; switchover looks for the same.
Exit codes: 0 they are alike, 2 they differ, 1 one of them could not be asked.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			all, err := a.client().Compare(cmd.Context(), name)
			if err != nil {
				return err
			}
			if err := a.print(all, all.Text); err != nil {
				return err
			}
			code := 0
			for i := range all.Peers {
				if all.Peers[i].Error != "" {
					return exit(exitFailure)
				}
				if len(all.Peers[i].Differences) > 0 {
					code = exitChanges
				}
			}
			if code != 0 {
				return exit(code)
			}
			return nil
		},
	}
}
