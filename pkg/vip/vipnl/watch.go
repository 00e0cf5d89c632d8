// Package vipnl knows the interfaces and addresses of a network namespace, makes them as they are wished, and tells the neighbours.
//
// Namespace, Interfaces and Keeper work through rtnetlink, in the goroutine that calls their Watch or Run. Another one waits for news,
// and ends before they return. A Keeper's parts are behind interfaces: Announcer, which has goroutines of its own until it is closed,
// Firewall, and Links. Watch and Interfaces only look.
package vipnl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// settle is how long news is collected before the addresses are read: they often come in dozens.
	settle = 10 * time.Millisecond
	// again is when it is tried again after a failure.
	again = 250 * time.Millisecond
)

// Namespace is the network namespace of the calling thread.
type Namespace struct{}

// Watch reports the addresses that the interfaces have: at the beginning, and whenever they are others than before, until the
// context is done. An error with no addresses says that they can't be known; it is tried again, so that another report
// follows. Report must not block for long.
func (n Namespace) Watch(ctx context.Context, report func(map[netip.Addr]bool, error)) {
	watch(ctx, n, report)
}

// source is where addresses come from.
type source interface {
	// subscribe returns a channel that has something for every change. It is closed when news was lost, and once done is.
	subscribe(done <-chan struct{}) (<-chan netlink.AddrUpdate, error)
	List() (map[netip.Addr]bool, error)
}

func watch(ctx context.Context, s source, report func(map[netip.Addr]bool, error)) {
	var last map[netip.Addr]bool
	first := true
	tell := func(addrs map[netip.Addr]bool, err error) {
		if first || err != nil || last == nil || !maps.Equal(addrs, last) {
			report(addrs, err)
		}
		first, last = false, addrs
	}
	for ctx.Err() == nil {
		if err := follow(ctx, s, tell); err != nil {
			tell(nil, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// follow tells of the addresses until the context is done or news was lost.
func follow(ctx context.Context, s source, tell func(map[netip.Addr]bool, error)) error {
	done := make(chan struct{})
	updates, err := s.subscribe(done) // before the first list, lest something happens in between
	if err != nil {
		return fmt.Errorf("watch the addresses: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // whoever sends must not wait for us for ever
		}
	}()
	for {
		addrs, err := s.List()
		if err != nil {
			return fmt.Errorf("read the addresses: %w", err)
		}
		tell(addrs, nil)
		select {
		case <-ctx.Done():
			return nil
		case _, more := <-updates:
			if !more {
				return nil // too much at once: all is read again
			}
		}
		for wait := time.After(settle); wait != nil; {
			select {
			case <-wait:
				wait = nil
			case _, more := <-updates:
				if !more {
					return nil
				}
			}
		}
	}
}

func (Namespace) subscribe(done <-chan struct{}) (<-chan netlink.AddrUpdate, error) {
	updates := make(chan netlink.AddrUpdate, 64)
	return updates, netlink.AddrSubscribe(updates, done)
}

// List returns the addresses that the interfaces have. One that failed duplicate address detection is another host's.
func (Namespace) List() (map[netip.Addr]bool, error) {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	for range 3 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		list, err = netlink.AddrList(nil, netlink.FAMILY_ALL)
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // then more news is on the way
		return nil, err
	}
	addrs := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && a.Flags&unix.IFA_F_DADFAILED == 0 {
			addrs[ip.Unmap()] = true
		}
	}
	return addrs, nil
}
