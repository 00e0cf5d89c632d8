package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func vrrpCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "vrrp [INSTANCE|GROUP]",
		Short: "List the virtual routers: state, since when, priority, who is active, and why",
		Long: `List the virtual routers and their sync groups: state, since when, effective and configured priority, who is active, the advert
interval, how many of the addresses, routes and rules are there, and why; and the BFD sessions. With the name of an instance or a group: all that is known of
it, such as timers, counters, adverts that were not believed, what is tracked and what that adds to the priority, the other routers that
were heard, and the last transitions with their reasons.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.routers(cmd.Context(), args)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return a.print(s, s.Details)
			}
			return a.print(s, s.Text)
		},
	}
}

// routers returns the virtual routers, or what concerns one of them.
func (a *app) routers(ctx context.Context, name []string) (*status.VRRP, error) {
	s, err := a.client().VRRP(ctx)
	if err != nil || len(name) == 0 {
		return s, err
	}
	return s.Of(name[0])
}

func explainRoutersCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "vrrp [INSTANCE|GROUP]",
		Short: "Say which router would be active if one fails, stops or returns, or something tracked fails or comes back, and how soon",
		Long: `Say which router would be active if nothing happens, if this router or the active one stops or dies, if something tracked fails or
comes back, and if this router returns, and within which time. Of other routers it is known what they said as the active one: a
backup sends nothing. That they preempt is assumed. What a stop says holds for ipvsctl switchover as well: without lvs_sync_daemon in
the configuration of both routers it costs clients of virtual servers the requests under way.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.routers(cmd.Context(), args)
			if err != nil {
				return err
			}
			whole, err := a.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			all := s.Explain()
			whole.Cost(all)
			return a.print(all, func(w io.Writer, style status.Style) error { return status.ExplainText(all, w, style) })
		},
	}
}

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
they are asked before (ipvsctl diff): where one of them lacks services, servers that are up, a quorum or addresses, nothing is handed over without --force; one that does not answer
is only told of. Exit codes: 0 another router is active, 1 none took over, or another director is poorer, or this router is not active.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.unlessPoorer(cmd.Context(), force); err != nil {
				return err
			}
			r, err := a.switchover(cmd.Context(), args[0], reason)
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

// switchover asks for one and waits until it has come to its end.
func (a *app) switchover(ctx context.Context, name, reason string) (*status.Switched, error) {
	client := a.client()
	begin := time.Now()
	if err := client.Because(reason).Switchover(ctx, name); err != nil {
		return nil, err
	}
	for {
		s, err := client.VRRP(ctx)
		if err != nil {
			return nil, fmt.Errorf("the switchover has begun, but what came of it is not known: %w", err)
		}
		if r, over := s.Switched(name); over {
			r.Took = time.Since(begin)
			return r, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the switchover has begun; what comes of it is in ipvsctl vrrp")
		case <-time.After(glance):
		}
	}
}
