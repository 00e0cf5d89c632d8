package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func checksCommand(a *app) *cobra.Command {
	var q status.CheckQuery
	var stats bool
	cmd := &cobra.Command{
		Use:   "checks [SERVER]",
		Short: "List the health checks: state, since when, last result, why, and when the next probe is due",
		Long: `List the health checks: of which servers, state, since when, the last result and how long it took, failures in a row, when
the next probe is due, and why the state is what it is. A check that several servers or services share is listed once. SERVER is an
address with or without port: its checks, with all that is known of each and its last 20 results. With --stats: how the engine
that runs the checks keeps up, and how long probes take, by type.`,
		Args: files(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Server = strings.Join(args, "")
			if _, err := q.Filter(); err != nil {
				return fmt.Errorf("%w: %w", err, errUsage)
			}
			if stats && q != (status.CheckQuery{}) {
				return fmt.Errorf("--stats is about all checks: %w", errUsage)
			}
			if stats {
				s, err := a.client().Status(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(s.Engine, s.Engine.Text)
			}
			s, err := a.client().Checks(cmd.Context(), q, q.Server != "")
			if err != nil {
				return err
			}
			switch {
			case len(s.Checks) > 0:
			case q.Server != "":
				return fmt.Errorf("no check of %s is like that: ipvsctl checks shows what there is", q.Server)
			case q.State == "" && q.Service+q.Type != "": // that none is down is an answer
				return errors.New("no check is like that: ipvsctl checks shows what there is")
			}
			if q.Server != "" {
				return a.print(s, s.Details)
			}
			return a.print(s, s.Text)
		},
	}
	checkFlags(cmd, &q)
	cmd.Flags().StringVar(&q.State, "state", "", "only those in this `STATE`: up, down or unchecked")
	cmd.Flags().BoolVar(&stats, "stats", false, "counters and times instead of checks")
	return cmd
}

// checkFlags are those that choose among the checks of a server.
func checkFlags(cmd *cobra.Command, q *status.CheckQuery) {
	cmd.Flags().StringVar(&q.Service, "service", "", "only those of this `SERVICE`, as it is printed: \"tcp 192.0.2.1:80\", \"group WEB tcp\"")
	cmd.Flags().StringVar(&q.Type, "type", "", "only those of this `TYPE`, such as HTTP_GET")
}
