package main

import (
	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
)

func disableCommand(a *app) *cobra.Command {
	return orderCommand(a, control.Order{Verb: control.Disable}, "Take a server out of the kernel's table: its connections end at once",
		`Take a server out of the kernel's table, whatever its checks say. Its connections end at once: ipvsctl drain lets them finish. The
checks go on. `+howItHolds, "is disabled", settingFlags)
}
