package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/config"
)

func checkCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say all that is wrong with a configuration file; needs no daemon",
		Long: `Say all that is wrong with a configuration file, without looking at the daemon or the kernel.
Exit codes: 0 the file is valid (warnings are on stderr), 3 it is not.`,
		Args: files(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			_, problems := config.Load(args[0], text)
			if a.output == "json" {
				if problems == nil {
					problems = config.Diagnostics{} // [] rather than null
				}
				err = a.print(problems, nil)
			} else {
				err = problems.Print(a.stderr, text)
			}
			if err == nil && problems.Err() != nil {
				err = exit(exitConfig)
			}
			return err
		},
	}
}
