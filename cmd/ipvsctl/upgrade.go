package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func upgradeCommand(a *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Have the program as it is on the disk now take the place of the daemon, without a gap",
		Long: `Have the program as it is on the disk now take the place of the daemon that runs, as after the installation of a new version. It is
started beside the old process, reads the configuration, and gets all that the old one knows: verdicts with their history, roles, drains,
events. Then it goes on for it. No advert is missed, no virtual router changes its role, and no client of a virtual server notices. Streams
of the API end, and its listeners by TCP, and that of the metrics, are closed until the old process has ended, for seconds at most.
The process id is another one afterwards; systemd knows it. Who waits for the old one to end takes that for the end of the daemon: under
another supervisor, as tini, runit or supervisord, restart it by that.

A program that does not start, refuses the configuration, hangs or ends too soon changes nothing: the old process goes on, and this command
says why. So it does where versions can't hand over to each other: then systemctl restart ipvsd takes the longer way, on which the table
stays as it is, and a director gives its virtual addresses away.
Exit codes: 0 upgraded, 1 not: the old process goes on.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := a.client().Because(reason).Upgrade(cmd.Context())
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.print(u, nil)
			}
			fmt.Fprintf(a.stdout, "upgraded from %s (process %d) to %s (process %d) in %v; adverts waited for %v\n",
				u.From, u.OldPID, u.To, u.PID, u.Took.Round(time.Millisecond), u.Still.Round(10*time.Microsecond))
			return nil
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}
