// Package probe runs health checks: the Engine decides when, and a function of each type of check, such as TCP, does it.
//
// It is not a judge: what a result means is decided by health.Checker. To add a type of check, write one file with a
// function of the form of Func, and name it in Probe.
//
// Run of an Engine is one goroutine that owns all Checkers and reports. Beside it there is one for each probe under way,
// which ends with its probe, and none for a check that waits. All have ended when Run returns.
package probe

import (
	"context"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Func probes once. It returns nil if the server passed and otherwise an error that says why not in a few words, without
// the server's address. It must return soon after its context is done. An Engine takes a panic for a failure.
type Func func(context.Context, health.Check) error

// Probe probes once in the way that the check's Type names.
func Probe(ctx context.Context, c health.Check) error {
	switch c.Type {
	case "TCP_CHECK":
		return TCP(ctx, c)
	}
	return fmt.Errorf("no check is called %q", c.Type)
}
