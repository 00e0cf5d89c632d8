package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func convertCommand(a *app) *cobra.Command {
	var r daemon.Reading
	var keywords bool
	cmd := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write a keepalived.conf or a ldirectord.cf as a configuration of ipvsd; needs no daemon",
		Long: `Write FILE as a configuration of ipvsd to standard output, with its comments, and to standard error what there is to say about
it, with places in FILE: what its own tool would have dropped, what is done in another way. ` + dialects + `
ipvsd -f FILE runs the same as what is written here. With --keywords, say what becomes of each keyword of a dialect.
Exit codes: 0 written, 3 the file is not valid: what the errors are about is missing in what is written.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if keywords {
				return files(0, 1)(cmd, args)
			}
			return files(1, 1)(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if keywords {
				return a.keywords(args)
			}
			if a.output == "json" {
				return fmt.Errorf("convert writes TOML; what is wrong with a file as JSON is ipvsctl check -o json: %w", errUsage)
			}
			l, err := load(args[0], r)
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.stdout, l.Text)
			if err = errors.Join(err, l.Print(a.stderr, l.Problems)); err != nil {
				return err
			}
			if l.Config == nil {
				fmt.Fprintf(a.stderr, "%d errors: what they are about is missing in what was written\n", l.Problems.Count(config.Error))
				return exit(exitConfig)
			}
			return nil
		},
	}
	readingFlags(cmd, &r)
	strictFlag(cmd, &r.Strict)
	cmd.Flags().BoolVar(&keywords, "keywords", false, "say what becomes of each keyword: of all dialects, or of the one in place of FILE")
	return cmd
}

// keywordRow is a row of the table of all keywords.
type keywordRow struct {
	Dialect string `json:"dialect"`
	document.KeywordFate
}

// keywords prints what becomes of the keywords of a dialect, or of all.
func (a *app) keywords(names []string) error {
	var rows []keywordRow
	var known []string
	for _, d := range dialect.Dialects {
		fates := dialect.Keywords(d)
		if len(fates) == 0 {
			continue
		}
		known = append(known, d.String())
		if len(names) > 0 && names[0] != d.String() {
			continue
		}
		for _, f := range fates {
			rows = append(rows, keywordRow{d.String(), f})
		}
	}
	if len(names) > 0 && !slices.Contains(known, names[0]) {
		return fmt.Errorf("there are keywords of %q, not of %q: %w", known, names[0], errUsage)
	}
	return a.print(rows, func(w io.Writer, _ status.Style) error {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if _, err := fmt.Fprintln(t, "DIALECT\tBLOCK\tKEYWORD\tFATE\tREMARK"); err != nil {
			return err
		}
		for _, r := range rows {
			block := r.Scope
			if block == "" {
				block = "-"
			}
			if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Dialect, block, r.Name, r.Fate, r.Remark); err != nil {
				return err
			}
		}
		return t.Flush()
	})
}
