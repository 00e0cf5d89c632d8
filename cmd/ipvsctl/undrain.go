package main

import (
	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
)

func undrainCommand(a *app) *cobra.Command {
	return orderCommand(a, control.Order{Verb: control.Undrain}, "Let a server that drains have new clients again",
		"Let a server that drains, or that is disabled because its drain came to its deadline, have new clients again.",
		"drains no longer", orderFlags)
}
