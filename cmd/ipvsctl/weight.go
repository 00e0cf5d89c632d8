package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
)

func weightCommand(a *app) *cobra.Command {
	o := control.Order{Verb: control.Weight}
	cmd := &cobra.Command{
		Use:   "weight SERVER N|configured",
		Short: "Give a server another weight for the time being, or the configured one again",
		Long: `Give a server another weight for the time being, or the configured one again. What checks advise counts on top of it, and a server
that fails its checks gets no clients all the same. 0 takes no new clients, as a drain does. ` + howItHolds + "\n" + serverForm,
		Args: files(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Server = args[0]
			past := "has its configured weight again"
			if args[1] != "configured" {
				n, err := strconv.ParseInt(args[1], 10, 32)
				if err != nil || n < 0 {
					return fmt.Errorf("weight %q: it can be a number from 0 to 2147483647, or configured: %w", args[1], errUsage)
				}
				w := int32(n)
				o.Weight, past = &w, "has weight "+strconv.Itoa(int(w))
			}
			s, err := a.order(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.ordered(s, past)
		},
	}
	settingFlags(cmd, &o)
	return cmd
}
