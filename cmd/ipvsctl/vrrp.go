package main

import (
	"context"
	"io"

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
