package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func alertCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Try e-mail and webhooks",
		Long:  `Try e-mail and webhooks: see ipvsctl alert test.`,
		Args:  files(0, 0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "test",
		Short: "Send a test to all recipients of e-mail and all webhooks, and say what their servers answered",
		Long: `Have the daemon send a test e-mail to all that get e-mail by the configuration in force, and a test event to each webhook, and
say what each mail server and webhook answered: once, at the same time, and without trying again. The e-mail says so in its subject; the
event is TEST, with the number 0. A mail server that has taken an e-mail may still lose it: look whether it has arrived. FIFOs and
notify scripts hear nothing. Exit codes: 0 all were taken, 1 one was not.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.client().Trial(cmd.Context())
			if err != nil {
				return err
			}
			if len(t.Trials) == 0 {
				return errors.New("the configuration has nobody to alert: e-mail needs smtp_server and notification_email in [global_defs], a webhook a table [webhook.NAME]")
			}
			if err := a.print(t, t.Text); err != nil {
				return err
			}
			if !t.Delivered() {
				return exit(exitFailure)
			}
			return nil
		},
	})
	return cmd
}
