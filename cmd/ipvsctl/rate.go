package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// kernelPeriod is how often the kernel adds up its counters (net/netfilter/ipvs/ip_vs_est.c).
const kernelPeriod = 2 * time.Second

func rateCommand(a *app) *cobra.Command {
	var interval time.Duration
	var count int
	cmd := &cobra.Command{
		Use:   "rate [SERVICE...]",
		Short: "Show connections, packets and bytes a second, again and again; needs no daemon",
		Long: `Show what came to each service and server in every interval, a second, reckoned from the kernel's counters: exact over
the interval, where ipvsadm --rate has the kernel's moving average. The kernel adds to its counters every 2 seconds, so no
interval is shorter, and one that is a little off has nothing or twice as much now and then: the longer, the more exact.
A service that is made anew counts from zero. With -o json, an object an interval, a line each.
` + serviceForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval < kernelPeriod {
				return fmt.Errorf("--interval %v: the kernel adds to its counters every %v only: %w", interval, kernelPeriod, errUsage)
			}
			if count < 0 {
				return fmt.Errorf("--count %d: %w", count, errUsage)
			}
			keys, err := services(args)
			if err != nil {
				return err
			}
			return a.rates(cmd.Context(), interval, count, func(ctx context.Context) (*status.Kernel, error) {
				return a.table(ctx, daemon.StateDir, keys)
			})
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", kernelPeriod, "`TIME` between two lines of a server, from 2s")
	cmd.Flags().IntVar(&count, "count", 0, "`NUMBER` of intervals, then end; 0: go on until interrupted")
	return cmd
}

// rates prints the rates of so many intervals, without end if it is 0. To be interrupted is no error.
func (a *app) rates(ctx context.Context, interval time.Duration, count int, read func(context.Context) (*status.Kernel, error)) error {
	before, err := read(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 0; count == 0 || n < count; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		after, err := read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		r := status.RatesOf(before, after)
		before = after
		if a.output == "json" {
			err = json.NewEncoder(a.stdout).Encode(r)
		} else {
			err = a.print(r, r.Text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
