package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func drainCommand(a *app) *cobra.Command {
	o := control.Order{Verb: control.Drain}
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain SERVER",
		Short: "Send a server no new clients, and let those that it has finish",
		Long: `Send a server no new clients, and let those that it has finish: it stays in the kernel's table with weight 0, whatever its checks
say. At the deadline, if there is one, it is disabled: the connections that are left end. ` + howItHolds + `
With --wait it is told how many connections are left, until there are none or the deadline has come; Ctrl-C ends the waiting, not the drain.
UDP knows no end of a connection: there every entry of the kernel's table counts until its timeout.
` + serverForm + `
Exit codes: 0 it drains, with --wait it has drained; 1 connections were cut at the deadline, or the waiting was ended.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Server = args[0]
			s, err := a.order(cmd.Context(), o)
			if err != nil {
				return err
			}
			if !wait || a.output != "json" {
				err = a.ordered(s, "drains")
			}
			if !wait || err != nil {
				return err
			}
			return a.awaitDrain(cmd.Context(), s)
		},
	}
	settingFlags(cmd, &o)
	cmd.Flags().DurationVar(&o.Deadline, "deadline", 0, "disable the server after this `TIME`, such as 10m, if it still has connections")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the server has no connections, or the deadline has come")
	return cmd
}

const (
	// look is how often it is looked how far a drain is.
	look = 200 * time.Millisecond
	// misses is how many looks in a row may fail, for 5 s, before the waiting ends: what can't be read now may be in a moment.
	misses = 25
)

// awaitDrain waits until what was ordered has drained. That is seen twice in a row: a connection that was being opened when the drain began
// counts only when it is open.
func (a *app) awaitDrain(ctx context.Context, ordered *status.Wishes) error {
	client, begin, told := a.client(), time.Now(), ""
	tell := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != told && a.output != "json" {
			told = text
			a.progress(text)
		}
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for empty, missed := 0, 0; ; {
		s, err := client.Wishes(ctx)
		if missed++; err == nil {
			missed = 0
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, control.ErrNotRunning):
			missed = 0
			tell("the daemon does not run; the drain goes on when it does")
		case missed == misses:
			a.endProgress()
			return fmt.Errorf("%w; the drain stays in force, and ipvsctl drains shows how far it is", err)
		case err != nil:
			tell("not known how far it is: %v", err)
		default:
			now, open, cut, uncounted, ended := of(s, ordered)
			switch {
			case len(now.Wishes) == 0:
				a.endProgress()
				return errors.New("the drain is over: it was ended or replaced by somebody, or has expired; ipvsctl drains shows what is wanted now")
			case ended:
				a.endProgress()
				return a.drained(now, cut > 0 || uncounted, "the deadline has come: disabled, connections cut: "+status.Cut(cut, uncounted))
			case open > 0 || slices.ContainsFunc(now.Wishes, func(w status.Wish) bool { return !w.Ended && !w.Drained() }):
				empty = 0 // without connections, but in the table with a weight: more may come
				tell("connections left: %d%s", open, deadline(now, a.terminal()))
			default:
				if empty++; empty > 1 {
					a.endProgress()
					return a.drained(now, false, fmt.Sprintf("drained after %v", time.Since(begin).Round(time.Second)))
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			a.endProgress()
			fmt.Fprintf(a.stderr, "ipvsctl: the drain stays in force; ipvsctl undrain ends it\n")
			return exit(exitFailure)
		}
	}
}

// of returns those of the wishes that were ordered, how many connections they still have and had at their deadline, where somebody has
// counted them, and whether that has come for all that have not drained.
func of(s, ordered *status.Wishes) (now *status.Wishes, open, cut int, uncounted, ended bool) {
	now = &status.Wishes{At: s.At, Record: s.Record, Warnings: ordered.Warnings}
	for _, w := range s.Wishes {
		if !slices.ContainsFunc(ordered.Wishes, func(o status.Wish) bool { return o.Key() == w.Key() && o.Version == w.Version }) {
			continue
		}
		now.Wishes = append(now.Wishes, w)
		cut += w.Cut
		uncounted = uncounted || w.Uncounted
		if w.Ended {
			ended = true
		} else {
			open += w.Open()
		}
	}
	return now, open, cut, uncounted, ended && open == 0
}

// deadline says when the first deadline is: how long until then if that is to be told again and again.
func deadline(s *status.Wishes, live bool) string {
	var first time.Time
	for _, w := range s.Wishes {
		if !w.Ended && !w.Deadline.IsZero() && (first.IsZero() || w.Deadline.Before(first)) {
			first = w.Deadline
		}
	}
	switch {
	case first.IsZero():
		return ""
	case live:
		return fmt.Sprintf(", %v until the deadline", max(first.Sub(s.At), 0).Round(time.Second))
	}
	return ", the deadline is " + first.Format(time.TimeOnly)
}

// drained prints how a drain ended.
func (a *app) drained(s *status.Wishes, cut bool, text string) error {
	var err error
	if a.output == "json" {
		err = a.print(s, nil)
	} else {
		_, err = fmt.Fprintln(a.stdout, text)
	}
	if err == nil && cut {
		err = exit(exitFailure)
	}
	return err
}

// progress shows how far it is: on a terminal instead of what was there before, elsewhere on a line of its own.
func (a *app) progress(text string) {
	if a.terminal() {
		fmt.Fprintf(a.stdout, "\r%s\x1b[K", text)
		a.shown = true
		return
	}
	fmt.Fprintln(a.stdout, text)
}

// endProgress removes from a terminal what progress has shown.
func (a *app) endProgress() {
	if a.shown {
		fmt.Fprint(a.stdout, "\r\x1b[K")
		a.shown = false
	}
}
