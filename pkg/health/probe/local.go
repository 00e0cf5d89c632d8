package probe

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// errNoSource is the cause when the kernel finds no address or port of this host to connect from.
var errNoSource = errors.New("this host has no address or port left to connect from")

// ErrEarly is the cause when a probe comes too early to tell: what it asks has only begun.
var ErrEarly = errors.New("it is too early to tell")

// Local says whether a probe came to nothing for want of something on this host that passes by itself: descriptors, memory, ports or
// addresses to connect from; or for ErrEarly. That says nothing of the server, which keeps its verdict.
//
// All else speaks against the server. If the network is unreachable or the link is down the server can't be reached, and no
// client would reach it through this host either. If a bindto, bind_if or fwmark can't be had, the probe that was asked for
// can't be made, as in keepalived: that lasts until somebody sees it, and a verdict of an earlier time must not.
func Local(err error) bool {
	return slices.ContainsFunc([]error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, errNoSource, ErrEarly},
		func(want error) bool { return errors.Is(err, want) })
}
