package config

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// entry is one entry of a virtual_server_group: addresses from the first to the last, or a firewall mark.
type entry struct {
	from, to netip.Addr
	port     uint16 // 0: all ports

	mark   uint32
	family ipvs.Family // of a mark; 0: the virtual server says it
}

// String returns the entry as the file has it.
func (e entry) String() string {
	host := e.from.String()
	if e.from != e.to {
		from, to := e.from.AsSlice(), e.to.AsSlice()
		switch last := len(from) - 2; {
		case e.from.Is4() && string(from[:3]) == string(to[:3]):
			host += fmt.Sprintf("-%d", to[3])
		case e.from.Is6() && string(from[:last]) == string(to[:last]):
			host += fmt.Sprintf("-%x", binary.BigEndian.Uint16(to[last:]))
		default:
			host += "-" + e.to.String()
		}
	}
	switch {
	case e.port == 0:
		return host
	case e.from.Is6():
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(e.port))
}

// count returns how many addresses the entry has, at most a number that no group can have.
func (e entry) count() int {
	from, to := e.from.As16(), e.to.As16()
	if string(from[:8]) != string(to[:8]) {
		return math.MaxInt32
	}
	n := binary.BigEndian.Uint64(to[8:]) - binary.BigEndian.Uint64(from[8:])
	return int(min(n, math.MaxInt32-1)) + 1
}

// addrs returns the addresses of the entry in order.
func (e entry) addrs() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for a := e.from; yield(a) && a != e.to; a = a.Next() {
		}
	}
}

var (
	groupAddress = kind{words: `"ADDRESS:PORT", "FIRST-LAST:PORT" or "NETWORK/LENGTH:PORT"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{hint: `write "192.0.2.1:80", "192.0.2.3-10:80" or "[2001:db8::1-ff]:80", in double quotes`}
		}
		return readEntry(s)
	}}

	groupMark = kind{words: `a whole number from 1 to 4294967295, or with its family: "8 inet6"`, read: func(v any) (any, *wrong) {
		var e entry
		switch v := v.(type) {
		case int64:
			if v >= 1 && v <= math.MaxUint32 {
				return entry{mark: uint32(v)}, nil
			}
		case string:
			number, family, _ := strings.Cut(v, " ")
			mark, err := strconv.ParseUint(number, 10, 32)
			switch e.mark = uint32(mark); {
			case err != nil || mark == 0:
				return nil, &wrong{}
			case family == "":
			case family == ipvs.IPv4.String():
				e.family = ipvs.IPv4
			case family == ipvs.IPv6.String():
				e.family = ipvs.IPv6
			default:
				return nil, &wrong{message: fmt.Sprintf("%q is not inet or inet6", family)}
			}
			return e, nil
		}
		return nil, &wrong{}
	}}
)

func readEntry(s string) (any, *wrong) {
	host, port, ported := s, "", false
	switch {
	case strings.HasPrefix(s, "["):
		var ok bool
		if host, port, ok = strings.Cut(s[1:], "]"); !ok || port != "" && port[0] != ':' {
			return nil, &wrong{message: fmt.Sprintf("%q has a bracket out of place", s),
				hint: `all that is before the port stands in brackets: "[2001:db8::1-ff]:80", "[2001:db8::/120]:80"`}
		}
		port, ported = strings.TrimPrefix(port, ":"), port != ""
	case strings.Count(s, ":") == 1:
		host, port, ported = strings.Cut(s, ":")
	}
	e, w := readRange(host)
	if w == nil && e.count() > mostServices {
		w = &wrong{message: fmt.Sprintf("%q is more than %d addresses", s, mostServices), hint: insteadOfMany}
	}
	if w == nil {
		w = unusable(e.from)
	}
	if w == nil {
		w = unusable(e.to)
	}
	if w != nil {
		return nil, w
	}
	if ported {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, &wrong{message: fmt.Sprintf("port %q is not a number from 1 to 65535", port),
				hint: `write the port as in "192.0.2.1:80"`}
		}
		e.port = uint16(n)
	}
	return e, nil
}

// readRange reads one address, a network with all its addresses, or the first and the last address, of which the last one
// may be its last part only.
func readRange(s string) (e entry, w *wrong) {
	if strings.Contains(s, " ") {
		host, port, _ := strings.Cut(s, " ")
		return e, &wrong{message: fmt.Sprintf("%q has a blank in it", s),
			hint: fmt.Sprintf("write the port behind a colon: \"%s:%s\"; IPv6 addresses stand in brackets then", host, port)}
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return e, &wrong{message: fmt.Sprintf("%q is no network", s), hint: `write "198.51.100.0/24:80" or "[2001:db8::/120]:80"`}
		}
		if p != p.Masked() {
			return e, &wrong{message: fmt.Sprintf("%s is not the first address of %s", p.Addr(), p.Masked()),
				hint: fmt.Sprintf("write %q for all of its addresses", p.Masked())}
		}
		return entry{from: p.Addr(), to: lastOf(p)}, nil
	}
	first, last, ranged := strings.Cut(s, "-")
	var err error
	if e.from, err = netip.ParseAddr(first); err != nil {
		return e, notAnAddress(first)
	}
	if e.to = e.from; !ranged {
		return e, nil
	}
	if e.to, err = netip.ParseAddr(last); err != nil {
		parts, base, size := e.from.AsSlice(), 10, 1
		if e.from.Is6() {
			base, size = 16, 2
		}
		n, err := strconv.ParseUint(last, base, 8*size)
		if err != nil {
			return e, &wrong{message: fmt.Sprintf("the range %q has no end", s),
				hint: `after "-" comes an address or the last part of one: "192.0.2.3-10", "2001:db8::1-ff"`}
		}
		copy(parts[len(parts)-size:], binary.BigEndian.AppendUint16(nil, uint16(n))[2-size:])
		e.to, _ = netip.AddrFromSlice(parts)
	}
	switch {
	case e.from.Is4() != e.to.Is4():
		return e, &wrong{message: fmt.Sprintf("the range %q begins with one family and ends with the other", s)}
	case e.to.Less(e.from):
		return e, &wrong{message: fmt.Sprintf("the range %q ends before it begins: with %s", s, e.to),
			hint: `write the smaller address first; a last part stands in place of the first address's`}
	}
	return e, nil
}

// lastOf returns the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
