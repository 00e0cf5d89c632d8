package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// serverForm is how a server is named on the command line.
const serverForm = `SERVER is an address with or without port, a name that the configuration gives, or tag:NAME.`

// howItHolds is said with every verb that sets something.
const howItHolds = `It holds until it is ended or expires, over reloads, restarts and failures of the daemon, and on the directors of [global_defs.peers],
too: at once on those that can be reached, on the others when they can. Of what is wanted of a server the newest holds. ipvsctl drains lists
all that is wanted, and which directors know of it.`

// orderFlags are those that all orders have.
func orderFlags(cmd *cobra.Command, o *control.Order) {
	cmd.Flags().StringVar(&o.Service, "service", "", "only for this `SERVICE`, as it is printed: \"tcp 192.0.2.1:80\", \"group WEB tcp\"")
}

// settingFlags are those of orders that set something.
func settingFlags(cmd *cobra.Command, o *control.Order) {
	orderFlags(cmd, o)
	cmd.Flags().StringVar(&o.Reason, "reason", "", "`TEXT` for those who see it and wonder why")
	cmd.Flags().DurationVar(&o.Expires, "expires", 0, "it is over by itself after this `TIME`, such as 2h")
}

// order sends an order and prints what came of it.
func (a *app) order(ctx context.Context, o control.Order) (*status.Wishes, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errUsage)
	}
	s, err := a.client().Order(ctx, o)
	if err != nil {
		return nil, err
	}
	if s.Record != "" && a.output != "json" {
		s.Warnings = append(s.Warnings, "it holds, but can't be written to the disk, and is forgotten if the daemon ends: "+s.Record)
	}
	return s, nil
}

// ordered prints what came of an order.
func (a *app) ordered(s *status.Wishes, past string) error {
	if a.output == "json" {
		return a.print(s, nil)
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(a.stderr, "warning:", status.Printable(w))
	}
	for i := range s.Wishes {
		if _, err := fmt.Fprintf(a.stdout, "%s %s%s\n", s.Wishes[i].Server, past, forServices(&s.Wishes[i])); err != nil {
			return err
		}
	}
	return a.spread(s)
}

// spread prints which other directors know of an order.
func (a *app) spread(s *status.Wishes) error {
	var know []string
	for i := range s.Directors {
		d := &s.Directors[i]
		later := ""
		if d.InStep {
			know = append(know, d.Name)
		} else {
			later = "; it is told when it can be"
		}
		if !d.InStep || d.ClockAhead != 0 {
			fmt.Fprintf(a.stderr, "warning: %s %s%s\n", status.Printable(d.Title()), status.Printable(d.State(s.At)), later)
		}
	}
	verb := "knows"
	switch len(know) {
	case 0:
		return nil
	case 1:
	default:
		verb = "know"
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s of it, too\n", strings.Join(know, ", "), verb)
	return err
}

// forServices says for which services a wish is.
func forServices(w *status.Wish) string {
	if w.Service != "" {
		return " for " + w.Service
	}
	var list []string
	for i := range w.Servers {
		list = append(list, w.Servers[i].Service.String())
	}
	const most = 4
	if more := len(list) - most; more > 1 {
		list = append(list[:most], fmt.Sprintf("%d more", more))
	}
	if len(list) == 0 {
		return ""
	}
	return " for " + strings.Join(list, ", ")
}

// orderCommand is a verb whose only argument is a server.
func orderCommand(a *app, o control.Order, short, long, past string, flags func(*cobra.Command, *control.Order)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   o.Verb + " SERVER",
		Short: short,
		Long:  long + "\n" + serverForm,
		Args:  files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Server = args[0]
			s, err := a.order(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.ordered(s, past)
		},
	}
	flags(cmd, &o)
	return cmd
}
