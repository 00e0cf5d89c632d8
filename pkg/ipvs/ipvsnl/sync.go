package ipvsnl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// SyncDaemons returns the sync daemons that run in the namespace. What a kernel before Linux 4.3 doesn't tell of them is
// filled in as it is there: the kernel's own group, port and TTL.
func (c *Client) SyncDaemons(ctx context.Context) (master, backup ipvs.SyncDaemon, err error) {
	err = c.call(ctx, "read sync daemons", func(family uint16) error {
		c.buf.dumpDaemons(family, c.newRequest())
		return c.exchange(ctx, family, func(b []byte) error {
			role, d, err := decodeDaemon(b)
			switch role {
			case ipvs.SyncMaster:
				master = d
			case ipvs.SyncBackup:
				backup = d
			}
			return err
		})
	})
	if err != nil {
		return ipvs.SyncDaemon{}, ipvs.SyncDaemon{}, err
	}
	return master, backup, nil
}

// StartSyncDaemon starts a sync daemon: threads of the kernel, which live until they are stopped. What is zero in d is
// left to the kernel. A refusal is an ipvs.SyncError.
//
// A daemon doesn't notice that its interface is deleted: it is still reported as running there, also when a new interface
// gets that name, but sends and receives nothing until it is stopped and started.
func (c *Client) StartSyncDaemon(ctx context.Context, role ipvs.SyncRole, d ipvs.SyncDaemon) error {
	return c.changeDaemon(ctx, &ipvs.SyncError{Start: true, Role: role, Daemon: d}, func(family uint16) {
		c.buf.newDaemon(family, c.newRequest(), role, d)
	})
}

// StopSyncDaemon stops a sync daemon, if it runs. A refusal is an ipvs.SyncError.
//
// To the request to stop a daemon whose threads did not get to run yet the kernel sends no answer at all: it is done, but
// kthread_stop says EINTR, which netlink_rcv_skb keeps to itself. So the request goes out twice, and the answer to the
// second is awaited, when there is nothing to stop any more.
func (c *Client) StopSyncDaemon(ctx context.Context, role ipvs.SyncRole) error {
	err := c.changeDaemon(ctx, &ipvs.SyncError{Role: role}, func(family uint16) {
		c.buf.delDaemon(family, c.newRequest(), role)
		c.seq++
		c.buf.delDaemon(family, c.seq, role)
	})
	if errors.Is(err, ipvs.ESRCH) {
		return nil
	}
	return err
}

// changeDaemon sends the requests that request puts into the buffer. If the kernel refuses the last of them it returns
// refusal, filled in.
func (c *Client) changeDaemon(ctx context.Context, refusal *ipvs.SyncError, request func(family uint16)) error {
	refused := false
	err := c.call(ctx, "change sync daemon "+refusal.Role.String(), func(family uint16) error {
		request(family)
		err := c.exchange(ctx, family, func([]byte) error { return nil })
		if k, ok := errors.AsType[*kernelError](err); ok {
			refused = true
			refusal.Errno, refusal.Detail = k.errno, k.detail
			return nil
		}
		return err
	})
	if refused {
		return refusal
	}
	return err
}

// dumpDaemons appends the request for the sync daemons.
func (w *builder) dumpDaemons(family uint16, seq uint32) {
	w.end(w.begin(family, cmdGetDaemon, netlink.Dump, seq))
}

// newDaemon appends the request to start a sync daemon.
func (w *builder) newDaemon(family uint16, seq uint32, role ipvs.SyncRole, d ipvs.SyncDaemon) {
	start := w.begin(family, cmdNewDaemon, netlink.Acknowledge, seq)
	nest := w.nest(attrDaemon)
	w.u32(daemonState, uint32(role))
	w.text(daemonInterface, d.Interface)
	w.u32(daemonSyncID, uint32(d.SyncID))
	if d.MaxLen != 0 {
		w.u16(daemonMaxLen, d.MaxLen)
	}
	switch {
	case d.Group.Is4():
		w.bytes(daemonGroup, d.Group.AsSlice())
	case d.Group.Is6():
		w.bytes(daemonGroup6, d.Group.AsSlice())
	}
	if d.Port != 0 {
		w.u16(daemonPort, d.Port)
	}
	if d.TTL != 0 {
		w.u8(daemonTTL, d.TTL)
	}
	w.endNest(nest)
	w.end(start)
}

// delDaemon appends the request to stop a sync daemon.
func (w *builder) delDaemon(family uint16, seq uint32, role ipvs.SyncRole) {
	start := w.begin(family, cmdDelDaemon, netlink.Acknowledge, seq)
	nest := w.nest(attrDaemon)
	w.u32(daemonState, uint32(role))
	w.endNest(nest)
	w.end(start)
}

// decodeDaemon reads the payload of a message about a sync daemon. It keeps nothing of b.
func decodeDaemon(b []byte) (role ipvs.SyncRole, d ipvs.SyncDaemon, err error) {
	nested, err := only(b, attrDaemon)
	if err != nil {
		return 0, d, err
	}
	d = ipvs.SyncDaemon{Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL}
	a := attributes{rest: nested}
	for a.next() {
		switch a.typ {
		case daemonState:
			role = ipvs.SyncRole(a.u32())
		case daemonInterface:
			d.Interface = string(a.text())
		case daemonSyncID:
			d.SyncID = uint8(a.u32())
		case daemonMaxLen:
			d.MaxLen = a.u16()
		case daemonGroup:
			if a.has(4) {
				d.Group = netip.AddrFrom4([4]byte(a.data))
			}
		case daemonGroup6:
			if a.has(16) {
				d.Group = netip.AddrFrom16([16]byte(a.data))
			}
		case daemonPort:
			d.Port = a.u16()
		case daemonTTL:
			d.TTL = a.u8()
		}
	}
	if a.err == nil && d.Interface == "" {
		a.err = fmt.Errorf("%w: a sync daemon without an interface", errMalformed)
	}
	return role, d, a.err
}
