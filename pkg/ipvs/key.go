package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Protocol is the IP protocol number of a service.
type Protocol uint16

// The protocols that IPVS balances.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

// ParseProtocol reads "tcp", "udp" or "sctp" in any case.
func ParseProtocol(s string) (Protocol, error) {
	switch strings.ToLower(s) {
	case "tcp":
		return TCP, nil
	case "udp":
		return UDP, nil
	case "sctp":
		return SCTP, nil
	}
	return 0, fmt.Errorf("%q is not tcp, udp or sctp", s)
}

func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return strconv.Itoa(int(p))
}

// Family is the address family, by Linux's numbers.
type Family uint16

// The two address families.
const (
	IPv4 Family = 2
	IPv6 Family = 10
)

// FamilyOf returns the family of an address. A 4-in-6 mapped address counts as IPv6: unmap it first.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// String returns keepalived's word, inet or inet6.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "inet"
	case IPv6:
		return "inet6"
	}
	return "family " + strconv.Itoa(int(f))
}

// Bits returns the length of the family's addresses, 32 or 128.
func (f Family) Bits() uint8 {
	if f == IPv6 {
		return 128
	}
	return 32
}

// ServiceKey is what the kernel tells services apart by: either protocol, address and port, or a firewall mark and a
// family. Make one with AddressKey or FWMarkKey: they keep the fields that don't apply zero, so that == works.
type ServiceKey struct {
	Addr     netip.AddrPort
	FWMark   uint32
	Protocol Protocol
	Family   Family
}

// AddressKey returns the key of the service at an address.
func AddressKey(p Protocol, a netip.AddrPort) ServiceKey {
	return ServiceKey{Addr: a, Protocol: p, Family: FamilyOf(a.Addr())}
}

// FWMarkKey returns the key of the service for packets that the firewall marked.
func FWMarkKey(mark uint32, f Family) ServiceKey { return ServiceKey{FWMark: mark, Family: f} }

// ParseServiceKey reads what String prints.
func ParseServiceKey(s string) (ServiceKey, error) {
	word := strings.Fields(s)
	switch {
	case len(word) >= 2 && len(word) <= 3 && word[0] == "fwmark":
		mark, err := strconv.ParseUint(word[1], 10, 32)
		if err != nil || mark == 0 {
			return ServiceKey{}, fmt.Errorf("%q: a firewall mark is a number from 1 to 4294967295", s)
		}
		f := IPv4
		if len(word) == 3 {
			if word[2] != IPv6.String() {
				return ServiceKey{}, fmt.Errorf("%q: after the mark only %q may follow", s, IPv6)
			}
			f = IPv6
		}
		return FWMarkKey(uint32(mark), f), nil
	case len(word) == 2:
		p, err := ParseProtocol(word[0])
		if err != nil {
			return ServiceKey{}, err
		}
		a, err := netip.ParseAddrPort(word[1])
		if err != nil {
			return ServiceKey{}, fmt.Errorf("%q is not ADDRESS:PORT", word[1])
		}
		if a.Addr().Zone() != "" {
			return ServiceKey{}, fmt.Errorf("%q has a zone, which IPVS knows nothing of", word[1])
		}
		return AddressKey(p, a), nil
	}
	return ServiceKey{}, fmt.Errorf(`%q is not a service: write "tcp 192.0.2.1:80" or "fwmark 7"`, s)
}

// String returns "tcp 192.0.2.1:80", "fwmark 7" or "fwmark 7 inet6".
func (k ServiceKey) String() string {
	if k.FWMark == 0 {
		return k.Protocol.String() + " " + k.Addr.String()
	}
	s := "fwmark " + strconv.FormatUint(uint64(k.FWMark), 10)
	if k.Family == IPv6 {
		s += " " + IPv6.String()
	}
	return s
}

// MarshalText makes a key a JSON string or object key.
func (k ServiceKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *ServiceKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseServiceKey(string(b))
	return err
}

// Compare orders keys: by address, port, protocol, then firewall marks. It is the order of lists and of plans.
func (k ServiceKey) Compare(o ServiceKey) int {
	return cmp.Or(
		cmp.Compare(k.FWMark, o.FWMark),
		k.Addr.Compare(o.Addr),
		cmp.Compare(k.Protocol, o.Protocol),
		cmp.Compare(k.Family, o.Family),
	)
}
