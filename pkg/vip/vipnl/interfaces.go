package vipnl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// Interfaces reports the interfaces and their addresses: at the beginning, and whenever one is other than before, until the context is
// done. News of an interface is reported at once; news of addresses, which come in dozens, is collected for 10 milliseconds, or for longer where there are thousands. They are in
// the order of their indexes. IPv6 addresses are among them as soon as duplicate address detection lets them be used. An error with no interfaces says that they can't be known; it is tried again, so that another report
// follows. It works in the network namespace of the thread that it is called on. Report must not block for long.
func Interfaces(ctx context.Context, report func([]vip.Interface, error)) {
	interfaces(ctx, func() (rtnetlink, error) {
		return openKernel(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	}, report)
}

func interfaces(ctx context.Context, open func() (rtnetlink, error), report func([]vip.Interface, error)) {
	for ctx.Err() == nil {
		if err := followInterfaces(ctx, open, report); err != nil {
			report(nil, fmt.Errorf("watch the interfaces: %w", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// busy is how many times as long as it takes to tell of addresses news of them is collected, where there are thousands.
const busy = 10

// followInterfaces tells of the interfaces until the context is done.
func followInterfaces(ctx context.Context, open func() (rtnetlink, error), report func([]vip.Interface, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	var h host
	if err := h.load(r); err != nil {
		return err
	}
	last := h.interfaces()
	report(slices.Clone(last), nil)
	var collected <-chan time.Time
	pause := settle
	for {
		due := false
		select {
		case <-ctx.Done():
			return nil
		case <-collected:
			due = true
		case <-r.news():
			var changed change
			if changed, err = h.listen(r); err != nil {
				return err
			}
			due = changed&linkChange != 0
			if changed != 0 && collected == nil {
				collected = time.After(pause)
			}
		}
		if !due {
			continue
		}
		collected = nil
		began := time.Now()
		if now := h.interfaces(); !slices.EqualFunc(now, last, sameInterface) {
			last = now
			report(slices.Clone(now), nil)
		}
		pause = max(settle, busy*time.Since(began))
	}
}

// listen takes the kernel's news in. If some was lost it reads everything.
func (h *host) listen(r rtnetlink) (change, error) {
	var all change
	for {
		news, err := r.receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return 0, err
		}
		if err != nil {
			if err := h.load(r); err != nil {
				return 0, err
			}
			all = linkChange | stateChange | addressChange | addressRemoval
			continue
		}
		for _, m := range news {
			c, _ := h.apply(m)
			all |= c
		}
		return all, nil
	}
}

// interfaces is what others may know of the host.
func (h *host) interfaces() []vip.Interface {
	list := make([]vip.Interface, 0, len(h.links))
	for _, l := range h.links {
		i := vip.Interface{
			Name: l.name, Index: l.index, Up: l.up(), MTU: l.mtu, MAC: l.mac,
			NoARP: l.flags&unix.IFF_NOARP != 0, Multicast: l.flags&unix.IFF_MULTICAST != 0,
		}
		keys := slices.SortedFunc(maps.Keys(h.of[l.index]), func(a, b addressKey) int { return h.older(l.index, a, b) })
		for _, key := range keys {
			if a := h.addrs[key]; !a.failed() && a.ready() {
				i.Addrs = append(i.Addrs, netip.PrefixFrom(a.local, a.length))
			}
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b vip.Interface) int { return cmp.Compare(a.Index, b.Index) })
	return list
}

// older is the order of the kernel's lists, but for IPv6, of which the oldest is first, too: IPv4, primary addresses before secondary
// ones, those of far scope last.
func (h *host) older(index int, a, b addressKey) int {
	x, y := h.addrs[a], h.addrs[b]
	if a.local.Is4() && b.local.Is4() {
		if c := cmp.Or(cmp.Compare(x.flags&unix.IFA_F_SECONDARY, y.flags&unix.IFA_F_SECONDARY), cmp.Compare(y.scope, x.scope)); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.local.BitLen(), b.local.BitLen()), cmp.Compare(h.of[index][a], h.of[index][b]))
}

func sameInterface(a, b vip.Interface) bool {
	return a.Name == b.Name && a.Index == b.Index && a.Up == b.Up && a.MTU == b.MTU && a.MAC == b.MAC && a.NoARP == b.NoARP &&
		a.Multicast == b.Multicast && slices.Equal(a.Addrs, b.Addrs)
}
