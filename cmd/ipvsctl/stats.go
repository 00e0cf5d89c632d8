package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func statsCommand(a *app) *cobra.Command {
	var stateDir string
	var form status.StatsStyle
	cmd := &cobra.Command{
		Use:   "stats [SERVICE...]",
		Short: "Show the kernel's whole table with its counters and settings, whoever made it; needs no daemon",
		Long: `Show the kernel's table: of every service and server, whoever put it there, the connections that it has and the
connections, packets and bytes that it had since it was made. For the whole table also the timeouts and the sync daemons. It is
what ipvsadm -Ln shows with --stats --exact, --persistent-conn, --timeout and --daemon, and, with --wide, --thresholds and
--tun-info. Out counters are 0 under DR and TUN. Without a daemon the kernel of this network namespace is read.
` + serviceForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.tableOf(cmd.Context(), stateDir, args)
			if err != nil {
				return err
			}
			return a.print(k, func(w io.Writer, style status.Style) error {
				if len(args) == 0 {
					if err := k.Settings(w, style); err != nil {
						return err
					}
					fmt.Fprintln(w)
				}
				return k.Stats(w, style, form)
			})
		},
	}
	cmd.Flags().BoolVar(&form.Human, "human", false, "counters in K, M, G (powers of 1000) instead of every digit")
	cmd.Flags().BoolVar(&form.Wide, "wide", false, "thresholds and tunnels, too")
	cmd.Flags().StringVar(&stateDir, "state-dir", daemon.StateDir, "the daemon's `DIR`, read if it isn't running to tell what is its own")
	return cmd
}
