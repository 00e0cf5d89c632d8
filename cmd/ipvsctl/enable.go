package main

import (
	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
)

func enableCommand(a *app) *cobra.Command {
	return orderCommand(a, control.Order{Verb: control.Enable}, "Let a server serve again that is disabled or drains",
		"Let a server serve again that is disabled or drains, as far as its checks let it.", "is enabled", orderFlags)
}
