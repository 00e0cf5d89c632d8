package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/event"
)

// comeback is how long a watcher waits before it tries to reach the daemon again.
const comeback = time.Second

func eventsCommand(a *app) *cobra.Command {
	var q event.Query
	var since string
	var kinds []string
	var last int
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Tell what has happened to servers, services and virtual routers, and with -f what happens",
		Long: `Tell what has happened since the daemon was started, the oldest first, a line each: servers that went up or down, quorums, wishes and
who had them, transitions of virtual routers, reloads, what others changed in the kernel's table and was mended, what the kernel refused.
The daemon remembers the latest 8192 events. With -f, those to come, too, until interrupted; without --since and -n after the
latest ten. If the daemon is restarted meanwhile, it is waited for, and nothing is told twice. What was missed is told
on stderr. With -o json, an object an event, a line each; {"missed":N} stands for so many that are gone.
Kinds: ` + event.KindsText() + `.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if since != "" {
				if q.Since, err = event.ParseSince(since, time.Now()); err != nil {
					return fmt.Errorf("--since %w: %w", err, errUsage)
				}
			}
			for _, list := range kinds {
				some, err := event.ParseKinds(list)
				if err != nil {
					return fmt.Errorf("--kind: %w: %w", err, errUsage)
				}
				q.Kinds = append(q.Kinds, some...)
			}
			switch {
			case last < 0:
				return fmt.Errorf("--last %d: it is a number from 0 on: %w", last, errUsage)
			case cmd.Flags().Changed("last"):
				q.Last = &last
			case q.Follow && since == "":
				last = 10
				q.Last = &last
			}
			return a.events(cmd.Context(), q)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&q.Follow, "follow", "f", false, "tell also what happens from now on")
	f.StringVar(&since, "since", "", "only from this `TIME` on: how long ago, such as 10m, or 2026-01-31T14:00:00Z")
	f.IntVarP(&last, "last", "n", 0, "only the latest `NUMBER` of those that have happened")
	f.StringVar(&q.Service, "service", "", "only of this `SERVICE`, as it is printed: \"tcp 192.0.2.1:80\", \"group WEB tcp\"")
	f.StringVar(&q.Server, "server", "", "only of this `SERVER`, an address with or without port")
	f.StringVar(&q.Instance, "instance", "", "only of this `NAME` of a virtual router or a sync group")
	f.StringSliceVar(&kinds, "kind", nil, "only of these `KINDS`, with commas between them")
	return cmd
}

// events prints events as they come. A daemon that goes away while it is watched is waited for: to be interrupted is no error.
func (a *app) events(ctx context.Context, q event.Query) error {
	client, met, away := a.client(), false, false
	for {
		for item, err := range client.Events(ctx, q) {
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil && (!met || !q.Follow):
				return err
			case err != nil:
				if !away {
					a.remark("the daemon is away, and waited for: %v", err)
				}
				away = true
				continue
			}
			if met = true; away {
				away = false
				a.remark("the daemon is back")
			}
			if item.Position.Epoch != "" { // so that a new stream goes on from there
				q.After, q.Since, q.Last = item.Position, time.Time{}, nil
			}
			if err := a.item(&item); err != nil {
				return err
			}
			if item.End {
				return nil
			}
		}
		select {
		case <-time.After(comeback):
		case <-ctx.Done():
			return nil
		}
	}
}

// item prints what came.
func (a *app) item(i *event.Item) error {
	lost := i.Missed
	if b := i.Begin; b != nil {
		lost = b.Skipped
		if b.Restarted {
			a.remark("the daemon was started again meanwhile: what it said last before that may be missing")
		}
		if b.Incomplete {
			a.remark("what happened first since then is not remembered any more")
		}
	}
	if lost > 0 {
		if a.output == "json" {
			return json.NewEncoder(a.stdout).Encode(event.Missed{Count: lost})
		}
		a.remark("events that are gone: %d; ipvsctl status tells how all is now", lost)
	}
	if i.Event == nil {
		return nil
	}
	if a.output == "json" {
		return json.NewEncoder(a.stdout).Encode(i.Event)
	}
	line := i.Event.Text()
	switch {
	case !a.colors():
	case i.Event.Bad():
		line = "\x1b[31m" + line + "\x1b[0m"
	case i.Event.Good():
		line = "\x1b[32m" + line + "\x1b[0m"
	}
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

// remark tells what is no event.
func (a *app) remark(format string, args ...any) {
	fmt.Fprintf(a.stderr, "ipvsctl: "+format+"\n", args...)
}
