package vipnl

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// tables is what is known of the kernel: interfaces and addresses, which it tells of reliably, and, if there is a wish for them, the
// routes of some protocols, and the rules. It does not tell of IPv4 routes that go with an interface or an address.
type tables struct {
	host
	protocols map[uint8]bool // of the routes that matter
	routes    []record
	rules     []record
	stale     bool // routes or rules may have changed
	// assumed are IPv6 addresses that the kernel has taken, and not told of yet: they can't be used until then.
	assumed map[netip.Addr]bool
}

// record is a route or a rule as the kernel has it.
type record struct {
	header []byte // struct rtmsg, struct fib_rule_hdr: both have 12 bytes
	attrs  map[uint16][]byte
}

func decodeRecord(b []byte) (record, bool) {
	if len(b) < unix.SizeofRtMsg {
		return record{}, false
	}
	return record{b[:unix.SizeofRtMsg], attributes(b[unix.SizeofRtMsg:])}, true
}

func (r record) family() uint8 { return r.header[0] }

// device is the number of an interface.
func (t *tables) device(name string) (uint32, error) {
	if index, ok := t.index[name]; ok {
		return uint32(index), nil
	}
	return 0, fmt.Errorf("there is no interface %q", name)
}

// refresh reads routes and rules if they may have changed.
func (t *tables) refresh(r rtnetlink) error {
	if !t.stale {
		return nil
	}
	t.routes, t.rules = nil, nil
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range slices.Sorted(maps.Keys(t.protocols)) {
			request := body(make([]byte, unix.SizeofRtMsg))
			request[0], request[5] = family, protocol
			list, err := r.list(message{kind: unix.RTM_GETROUTE, body: request})
			if err != nil {
				return fmt.Errorf("read the routes: %w", err)
			}
			for _, m := range list {
				if x, ok := decodeRecord(m.body); ok && m.kind == unix.RTM_NEWROUTE && x.header[5] == protocol {
					t.routes = append(t.routes, x)
				}
			}
		}
		request := body(make([]byte, unix.SizeofRtMsg))
		request[0] = family
		list, err := r.list(message{kind: unix.RTM_GETRULE, body: request})
		if err != nil {
			return fmt.Errorf("read the rules: %w", err)
		}
		for _, m := range list {
			if x, ok := decodeRecord(m.body); ok && m.kind == unix.RTM_NEWRULE {
				t.rules = append(t.rules, x)
			}
		}
	}
	t.stale = false
	return nil
}

// concerns says that news is about routes or rules that matter and that others changed.
func (t *tables) concerns(m message) bool {
	if m.own || len(m.body) < unix.SizeofRtMsg {
		return false
	}
	switch m.kind {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return t.protocols[m.body[5]]
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return true
	}
	return false
}

// asked takes in what the kernel was asked for, and did.
func (t *tables) asked(m message) {
	x, ok := decodeRecord(m.body)
	switch m.kind {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, _ := decodeAddress(m.body)
		_, had := t.addrs[a.addressKey]
		t.apply(m)
		delete(t.assumed, a.local)
		if m.kind == unix.RTM_DELADDR || had || a.local.Is4() {
			break
		}
		t.assumed[a.local] = true
		if a.flags&unix.IFA_F_NODAD == 0 {
			a.flags |= unix.IFA_F_TENTATIVE
			t.addrs[a.addressKey] = a
		}
	case unix.RTM_NEWROUTE:
		t.routes = append(t.routes, x)
	case unix.RTM_NEWRULE:
		t.rules = append(t.rules, x)
	case unix.RTM_DELROUTE:
		t.routes = slices.DeleteFunc(t.routes, func(have record) bool { return ok && have.isRoute(x) })
	case unix.RTM_DELRULE:
		t.rules = slices.DeleteFunc(t.rules, func(have record) bool { return ok && have.isRule(x) })
	}
}

// has says that all attributes of the wish are there, with the same values.
func (r record) has(wish record, but ...uint16) bool {
	for kind, v := range wish.attrs {
		if !slices.Contains(but, kind) && !bytes.Equal(r.attrs[kind], v) {
			return false
		}
	}
	return true
}

// lacks says that none of these attributes are there unless the wish has them.
func (r record) lacks(wish record, kinds ...uint16) bool {
	for _, kind := range kinds {
		if r.attrs[kind] != nil && wish.attrs[kind] == nil {
			return false
		}
	}
	return true
}
