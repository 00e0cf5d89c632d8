package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func probeCommand(a *app) *cobra.Command {
	var q status.CheckQuery
	var file string
	var r daemon.Reading
	cmd := &cobra.Command{
		Use:   "probe SERVER",
		Short: "Run the checks of a server once, now, and say what each did and what came of it",
		Long: `Run the checks of a server once, now, and say step by step what each did, what came of it, and how long it took. It does
not count for the verdict. SERVER is an address with or without port. The daemon probes, with its rights and from its network
namespace; with -f FILE, ipvsctl itself does, with the checks that the file has for the server, and needs no daemon.
Exit codes: 0 all passed, 1 one failed, 3 the file is not valid.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Server = args[0]
			if _, err := q.Filter(); err != nil {
				return fmt.Errorf("%w: %w", err, errUsage)
			}
			p, err := a.probe(cmd.Context(), q, file, r)
			if err != nil {
				return err
			}
			if len(p.Probes) == 0 {
				return fmt.Errorf("%s has no such check: there is nothing to run", q.Server)
			}
			if err := a.print(p, p.Text); err != nil {
				return err
			}
			if !p.Passed() {
				return exit(exitFailure)
			}
			return nil
		},
	}
	checkFlags(cmd, &q)
	cmd.Flags().StringVarP(&file, "file", "f", "", "`FILE` with the configuration; without it, what the daemon has in force")
	readingFlags(cmd, &r)
	return cmd
}

func (a *app) probe(ctx context.Context, q status.CheckQuery, file string, r daemon.Reading) (*status.Probes, error) {
	if file == "" {
		return a.client().Probe(ctx, q)
	}
	f, err := daemon.ReadFile(file, r)
	if err != nil {
		return nil, err
	}
	p, answer, err := daemon.Probe(ctx, *f, q)
	if err != nil {
		return nil, err
	}
	if answer.Rejected != "" {
		return nil, a.answer(answer)
	}
	return p, nil
}
