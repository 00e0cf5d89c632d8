package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func connectionsCommand(a *app) *cobra.Command {
	var q connection.Query
	var summary bool
	var limit, top int
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "List the connections in the kernel's table, or count them by server and state; needs no daemon",
		Long: `List the entries of the kernel's connection table: what ipvsadm -Lnc tells. An entry with port 0 for the client is no
connection: it keeps a client of a persistent service with its server. With -o json, an object an entry, a line each. With
--summary: how many there are by service, server and state, and the clients with the most. Without a daemon the kernel of this
network namespace is read.

The kernel tells what the client connected to, not by which service it came: one with a firewall mark has its port and address
there, and "fwmark 7" finds its persistence only. While connections come and go, the list misses some and has some twice. It
keeps a CPU busy for some seconds for 100,000 entries and four times as long for twice as many: filters don't help, -n does.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := q.Filter()
			switch {
			case err != nil:
				return fmt.Errorf("--%w: %w", err, errUsage)
			case limit < 0 || top < 0:
				return fmt.Errorf("--limit and --top are numbers from 0 on: %w", errUsage)
			case summary && cmd.Flags().Changed("limit"):
				return fmt.Errorf("--summary counts all that there is, without --limit: %w", errUsage)
			case !summary && cmd.Flags().Changed("top"):
				return fmt.Errorf("--top goes with --summary: %w", errUsage)
			case summary:
				return a.summary(cmd.Context(), q, top)
			}
			return a.list(a.connections(cmd.Context(), q), limit)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Service, "service", "", "`WHAT` the clients connected to: \"tcp 192.0.2.1:80\", or without protocol or port, or a prefix, or tcp alone; port 0 is any")
	f.StringVar(&q.Server, "server", "", "`ADDRESS` of the server, with or without port, or a prefix")
	f.StringVar(&q.Client, "client", "", "`ADDRESS` of the client, with or without port, or a prefix")
	f.StringVar(&q.State, "state", "", "`STATE` in the kernel's words, such as ESTABLISHED")
	f.StringVar(&q.Family, "family", "", "`FAMILY` of the client: inet or inet6")
	f.BoolVar(&summary, "summary", false, "count instead of listing")
	f.IntVar(&top, "top", 10, "`NUMBER` of clients in the summary")
	f.IntVarP(&limit, "limit", "n", 0, "end after this `NUMBER` of entries; 0: list all")
	return cmd
}

// connections are the daemon's, or else those of this network namespace.
func (a *app) connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range a.client().Connections(ctx, q) {
			if errors.Is(err, control.ErrNotRunning) {
				daemon.Connections(ctx, q)(yield)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// list prints entries as they come, so many at most if the limit isn't 0.
func (a *app) list(entries iter.Seq2[connection.Connection, error], limit int) (err error) {
	out := bufio.NewWriterSize(a.stdout, 32<<10)
	defer func() { err = errors.Join(err, out.Flush()) }()
	lines := json.NewEncoder(out)
	var flushed time.Time
	n := 0
	for c, err := range entries {
		switch {
		case err != nil:
			return err
		case a.output == "json":
			err = lines.Encode(&c)
		default:
			if n == 0 {
				row(out, "SERVICE", "CLIENT", "SERVER", "STATE", "EXPIRES", "ENGINE")
			}
			engine := c.Engine
			if engine != "" {
				engine += " " + strconv.QuoteToGraphic(c.EngineData) // which the client chose
			}
			row(out, c.Service(), c.Client, c.Server, c.State, c.Expires, engine)
		}
		if now := time.Now(); now.Sub(flushed) > 200*time.Millisecond { // the next one may be long in coming
			flushed = now
			err = errors.Join(err, out.Flush())
		}
		if n++; n == limit || err != nil {
			return err
		}
	}
	return nil
}

// row prints a row of the list. Its columns are wide enough for IPv4: what comes later isn't known yet.
func row(w io.Writer, cells ...any) {
	line := fmt.Sprintf("%-26s  %-21s  %-21s  %-11s  %7s  %s", cells...)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

func (a *app) summary(ctx context.Context, q connection.Query, top int) error {
	s, err := a.client().Summary(ctx, q, top)
	if errors.Is(err, control.ErrNotRunning) {
		s, err = connection.Summarize(daemon.Connections(ctx, q), top)
	}
	if err != nil {
		return err
	}
	return a.print(s, func(w io.Writer, _ status.Style) error {
		fmt.Fprintf(w, "entries: %d\n", s.Entries)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, v := range s.Services {
			fmt.Fprintf(t, "\n%s\t%d\n", v.Service, v.Entries)
			for _, r := range v.Servers {
				var states []string
				for _, state := range slices.Sorted(maps.Keys(r.States)) {
					states = append(states, fmt.Sprintf("%s %d", state, r.States[state]))
				}
				fmt.Fprintf(t, "  %s\t%d\t%s\n", r.Addr, r.Entries, strings.Join(states, ", "))
			}
		}
		if s.Other > 0 {
			fmt.Fprintf(t, "\nothers, too many to tell apart\t%d\n", s.Other)
		}
		if len(s.Clients) > 0 {
			fmt.Fprintf(t, "\nclients with the most\n")
		}
		for _, c := range s.Clients {
			fmt.Fprintf(t, "  %s\t%d\n", c.Addr, c.Entries)
		}
		if s.ClientsError > 0 {
			fmt.Fprintf(t, "  each up to %d more: there are many clients\n", s.ClientsError)
		}
		return t.Flush()
	})
}
