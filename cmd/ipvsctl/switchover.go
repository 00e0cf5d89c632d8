package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// glance is how often it is looked whether a switchover has come to its end.
const glance = 20 * time.Millisecond

func switchoverCommand(a *app) *cobra.Command {
	force := false
	var reason string
	cmd := &cobra.Command{
		Use:   "switchover INSTANCE|GROUP",
		Short: "Have another router take over, without losing a request, and say which one did",
		Long: `Have another router take over what this one serves: it says so with priority 0, and goes on to serve until it hears another active
router. If it hears none in time, it keeps the role. An instance takes its sync group with it. After that it does not preempt until
the other router is gone. Connections under way go on if lvs_sync_daemon is configured on both; without it, they are reset. If [global_defs.peers] says where the other directors are,
the daemon looks at them before (ipvsctl diff), for 10 s at most: where one of them lacks services, servers that are up, a quorum or addresses, nothing is handed over without --force; one that does not answer
is only told of. Exit codes: 0 another router is active, 1 none took over, or another director is poorer, or this router is not active.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.switchover(cmd.Context(), args[0], reason, force)
			if err != nil {
				return err
			}
			if err := a.print(r, r.Text); err != nil {
				return err
			}
			if !r.Done {
				return exit(exitFailure)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "hand over although clients would be worse off with another director")
	reasonFlag(cmd, &reason)
	return cmd
}

// switchover asks for one, tells what the daemon found of the other directors, and waits until it has come to its end.
func (a *app) switchover(ctx context.Context, name, reason string, force bool) (*status.Switched, error) {
	client := a.client()
	begin := time.Now()
	found, err := client.Because(reason).Switchover(ctx, name, force)
	if err != nil {
		return nil, err
	}
	if err := a.tellPoorer(found); err != nil {
		return nil, err
	}
	for {
		s, err := client.VRRP(ctx)
		if err != nil {
			return nil, fmt.Errorf("the switchover has begun, but what came of it is not known: %w", err)
		}
		if r, over := s.Switched(name); over {
			r.Took = time.Since(begin) - found.Took
			return r, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the switchover has begun; what comes of it is in ipvsctl vrrp")
		case <-time.After(glance):
		}
	}
}

// tellPoorer prints with which directors clients would be worse off, and which ones nobody knows of. It is an error if nothing was handed over for that.
func (a *app) tellPoorer(found *counterpart.Handover) error {
	if found.Unknown != "" {
		fmt.Fprintf(a.stderr, "ipvsctl: it is not known whether clients would be worse off with another director: %s\n", status.Printable(found.Unknown))
	}
	for i := range found.Peers {
		if err := found.Peers[i].Text(a.stderr, status.Style{}); err != nil {
			return err
		}
	}
	if found.Refused != "" {
		return errors.New("nothing was handed over, since clients would be worse off; ipvsctl diff tells all differences, --force hands over all the same")
	}
	return nil
}
