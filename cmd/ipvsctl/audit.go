package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func auditCommand(a *app) *cobra.Command {
	var since string
	last := 100
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what was done by way of the API, by whom, why, and what came of it",
		Long: `List what was done by way of the API, the oldest first: drains, reloads, switchovers and so on, those that were refused included. WHO is
the user on the control socket, and in brackets who logged in as another one, or the token or certificate of a client by TCP; REASON is what
they said with --reason. The log is in audit.log in the state directory, 4 MiB of it, and as much again four times in audit.log.1 to
audit.log.4; ipvsctl shows 10,000 entries at most. Requests of clients that don't show who they are, and those that change nothing, are
not in it.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var from time.Time
			if since != "" {
				var err error
				if from, err = event.ParseSince(since, time.Now()); err != nil {
					return fmt.Errorf("--since %w: %w", err, errUsage)
				}
				if !cmd.Flags().Changed("last") {
					last = 0
				}
			}
			if last < 0 {
				return fmt.Errorf("--last %d: it is a number from 0 on; 0 is all: %w", last, errUsage)
			}
			r, err := a.client().Audit(cmd.Context(), from, last)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer, _ status.Style) error {
				_, err := io.WriteString(w, r.Text(time.Local))
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only from this `TIME` on: how long ago, such as 10m, or 2026-01-31T14:00:00Z")
	f.IntVarP(&last, "last", "n", last, "only the latest `NUMBER`; 0 is all, and the default with --since")
	return cmd
}

// reasonFlag has a verb say why it is used.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "`WHY` it is done, for ipvsctl audit")
}
