package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/daemon"
)

func exportCommand(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export [SERVICE...]",
		Short: "Write the kernel's whole table as a configuration or as ipvsadm -S does; needs no daemon",
		Long: `Write the kernel's table, whoever made it, to standard output so that ipvsctl import makes it again: services, servers with
their weights and thresholds, and, unless services are named, timeouts and sync daemons. As toml it is a configuration for ipvsd,
without checks. As ipvsadm it is what ipvsadm -Sn writes, and more that ipvsadm -R understands: -x and -y, --set, --start-daemon.
Exit codes: 0 written, 1 written but for what the format can't express, which is told on standard error.
` + serviceForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("format", format, daemon.FormatTOML, daemon.FormatIPVSAdm); err != nil {
				return err
			}
			if a.output == "json" {
				return fmt.Errorf("export writes toml or ipvsadm (--format); the table as JSON is ipvsctl stats -o json: %w", errUsage)
			}
			k, err := a.tableOf(cmd.Context(), daemon.StateDir, args)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				k = k.WithoutSettings()
			}
			text, lost, err := daemon.Export(k, format)
			if err != nil {
				return err
			}
			if _, err := a.stdout.Write(text); err != nil {
				return err
			}
			for _, l := range lost {
				fmt.Fprintln(a.stderr, l)
			}
			if len(lost) > 0 {
				return exit(exitFailure)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", daemon.FormatTOML, "`FORM` of the file: toml or ipvsadm")
	return cmd
}
