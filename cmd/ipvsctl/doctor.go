package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/doctor/doctorhost"
	"github.com/ipvsd/ipvsd/pkg/realserver/realserverhost"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func doctorCommand(a *app) *cobra.Command {
	var stateDir string
	var listen time.Duration
	var facts bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is wrong with this machine as a director or a real server, and say how to mend it; needs no daemon",
		Long: `Find what costs people nights because nothing reports it: forwarding, rp_filter, send_redirects, connection tracking and the reuse of
ports; missing modules; a connection table that is too small; answers that don't come back under NAT; the MTU under TUN; a real server, or
anybody else, that answers ARP for a service's address; two routers with one VRID; sync daemons that don't agree; other programs that
write to the same table; large receive offload; a clock that nobody sets; counters that stand still. On a real server: what it tells its
neighbours of the service's address. For each finding: what, where, why it matters, and the commands that mend it. What can't be seen
from here is told, too.

It changes nothing. It asks the neighbours by ARP and neighbour discovery who has the services' addresses, and listens for adverts, for
as long as --listen says: less than three advert intervals miss some. If a daemon answers, what that knows counts, too. Run it as root,
in the network namespace of the director.

Exit codes: 0 nothing was found, 1 it can't look, 2 something was found.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen < 0 {
				return fmt.Errorf("--listen %v: it can't be negative: %w", listen, errUsage)
			}
			f, err := a.facts(cmd.Context(), stateDir, listen)
			if err != nil {
				return err
			}
			if facts {
				return a.print(f, nil)
			}
			r := doctor.Examine(f)
			if err := a.print(r, func(w io.Writer, s status.Style) error { return r.Text(w, s.Color) }); err != nil {
				return err
			}
			if len(r.Findings) > 0 {
				return exit(exitChanges)
			}
			return nil
		},
		PreRunE: func(*cobra.Command, []string) error {
			if facts && a.output != "json" {
				return fmt.Errorf("--facts goes with -o json: %w", errUsage)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&listen, "listen", 4*time.Second, "`TIME` to listen; 0: ask nobody and don't listen")
	cmd.Flags().BoolVar(&facts, "facts", false, "with -o json: what was seen, instead of what is wrong with it")
	cmd.Flags().StringVar(&stateDir, "state-dir", daemon.StateDir, "`DIR` where ipvsctl realserver keeps what it did")
	return cmd
}

// facts gathers them, with what the daemon knows if there is one.
func (a *app) facts(ctx context.Context, stateDir string, listen time.Duration) (*doctor.Facts, error) {
	o := doctorhost.Options{Listen: listen, At: time.Now()}
	var unseen []doctor.Unseen
	snapshot, err := a.client().Status(ctx)
	if err == nil && snapshot.VRRP == nil {
		snapshot.VRRP, err = a.client().VRRP(ctx)
	}
	switch {
	case err == nil:
		o.Daemon = snapshot
	case !errors.Is(err, control.ErrNotRunning):
		unseen = append(unseen, doctor.Unseen{ID: "daemon", Why: err.Error()})
	}
	prepared, err := realserverhost.Read(stateDir)
	if err != nil {
		unseen = append(unseen, doctor.Unseen{ID: "vip-missing", Why: err.Error()})
	} else {
		for _, v := range prepared.VIPs {
			o.Prepared = append(o.Prepared, doctor.Prepared{Addr: v.Addr, Method: string(v.Method), Link: v.Link})
		}
	}
	f, err := doctorhost.Gather(ctx, o)
	if err != nil {
		return nil, err
	}
	f.Unseen = append(unseen, f.Unseen...)
	return f, nil
}
