package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
)

func importCommand(a *app) *cobra.Command {
	var options daemon.ImportOptions
	var force bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make the kernel's table what a file says, a configuration or lines of ipvsadm -S; needs no daemon",
		Long: `Make the kernel's table what FILE (- is standard input) says: a configuration of ipvsd, or commands of ipvsadm such as
ipvsadm -Sn and ipvsctl export --format ipvsadm write. What is so already is not touched, so that its connections and counters
live; what is in the table and not in the file is removed, whoever made it. Timeouts and sync daemons that the file doesn't name
stay as they are. Checks are not run: every real server gets its weight. An empty file is refused. Prints the changes.
Exit codes: 0 made, 1 the kernel refused some of it (the rest is in force) or an ipvsd runs, 3 the file is not valid.`,
		Args: files(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if options.Format != "" {
				if err := oneOf("format", options.Format, daemon.FormatTOML, daemon.FormatIPVSAdm); err != nil {
					return err
				}
			}
			file, err := tableFile(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			if !force && !options.DryRun {
				if err := a.notRunning(cmd.Context()); err != nil {
					return err
				}
			}
			answer, err := daemon.Import(cmd.Context(), *file, options)
			if err != nil {
				return err
			}
			return a.answer(answer)
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Format, "format", "", "`FORM` of the file: toml or ipvsadm; found out if not given")
	f.BoolVar(&options.DryRun, "dry-run", false, "print the changes, and make none")
	f.BoolVar(&options.Merge, "merge", false, "leave what is in the table and not in the file")
	f.BoolVar(&force, "force", false, "even if an ipvsd runs, which will put its own services back")
	return cmd
}

// tableFile reads a file, or standard input if it is called -.
func tableFile(stdin io.Reader, name string) (*control.File, error) {
	if name != "-" {
		return daemon.ReadFile(name, daemon.Reading{})
	}
	text, err := io.ReadAll(stdin)
	return &control.File{Name: "stdin", Text: text}, err
}

// notRunning returns an error if there is a daemon, which would undo what others do to its services.
func (a *app) notRunning(ctx context.Context) error {
	s, err := a.client().Status(ctx)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return nil
	case err != nil:
		return fmt.Errorf("is an ipvsd running? %w", err)
	}
	return fmt.Errorf("ipvsd runs (process %d) and would put its own services back: write the services into its configuration"+
		" %s (ipvsctl export shows how) and reload it, or stop it first; --force imports all the same", s.PID, s.Config.File)
}
