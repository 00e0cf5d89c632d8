package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func historyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the configurations that the daemon took: when, by what, who, why",
		Long: `List the configurations that the daemon took, the newest first: it is in force. They are kept in the directory history beside the daemon's state, the last
50 of them and at most 64 MB, with what they included; without a daemon, history/N/config there has the text of number N. Only root can read them: there may be
secrets in them. What says the same as before is listed again only if somebody asked for it.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.client().History(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(h, h.Text)
		},
	}
	cmd.AddCommand(historyShowCommand(a))
	return cmd
}

func historyShowCommand(a *app) *cobra.Command {
	var include string
	cmd := &cobra.Command{
		Use:   "show N",
		Short: "Print configuration N of the history, secrets included",
		Long: `Print the text of configuration N of ipvsctl history as it was, secrets included; with --include, a file that it included. ipvsctl plan --against N tells what it would change.
With -o json: an object with "name", "text" and, by name, the "texts" of what it included, in base64.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.revision(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text := f.Text
			if include != "" {
				var has bool
				if text, has = f.Texts[include]; !has {
					return fmt.Errorf("configuration %s did not include %s; it included %q", args[0], include, slices.Sorted(maps.Keys(f.Texts)))
				}
			}
			return a.print(f, func(w io.Writer, _ status.Style) error {
				_, err := w.Write(text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&include, "include", "", "print this `FILE` that it included, by its name")
	return cmd
}

// revision returns a configuration of the history.
func (a *app) revision(ctx context.Context, number string) (*control.File, error) {
	n, err := revisionNumber(number)
	if err != nil {
		return nil, err
	}
	return a.client().Revision(ctx, n)
}

func revisionNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no number of ipvsctl history: %w", s, errUsage)
	}
	return n, nil
}
