package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/status"
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

// unlessPoorer refuses a switchover after which clients would be worse off: one other director could take over, and it is poorer than this one. Directors
// that are not known, or don't answer, are no reason to refuse: they can't take over anyway, or nobody can tell.
func (a *app) unlessPoorer(ctx context.Context, force bool) error {
	all, err := a.client().Compare(ctx, "")
	switch none := new(control.ConflictError); {
	case errors.As(err, &none): // no other director is configured
		return nil
	case err != nil:
		_, werr := fmt.Fprintf(a.stderr, "ipvsctl: it is not known whether clients would be worse off with another director: %v\n", err)
		return werr
	}
	poorer := false
	for i := range all.Peers {
		c := &all.Peers[i]
		list := c.Poorer()
		if c.Error == "" && len(list) == 0 {
			continue
		}
		poorer = poorer || len(list) > 0
		if err := (&counterpart.Comparison{Here: c.Here, There: c.There, Peer: c.Peer, Error: c.Error, Differences: list}).Text(a.stderr, status.Style{}); err != nil {
			return err
		}
	}
	if poorer && !force {
		return errors.New("nothing was handed over, since clients would be worse off; ipvsctl diff tells all differences, --force hands over all the same")
	}
	return nil
}
