package member

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Member is one server, as a source tells of it.
type Member struct {
	Addr   netip.Addr `json:"address"`
	Port   uint16     `json:"port,omitempty"`   // 0: the source doesn't say
	Weight *int32     `json:"weight,omitempty"` // nil: the source doesn't say
	Name   string     `json:"name,omitempty"`
	Tags   []string   `json:"tags,omitempty"` // sorted, each once
}

// The most that is taken of one source, and of one of its items: a file, a key.
const (
	MaxMembers = 10000
	MaxItem    = 4 << 20 // bytes
)

// At parses an address with or without a port: "10.0.100.2:80", "2001:db8::1", "[2001:db8::1]:80".
func At(text string) (Member, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		inner, bracketed := strings.CutPrefix(text, "[")
		if bracketed && strings.HasSuffix(inner, "]") {
			text = strings.TrimSuffix(inner, "]")
		}
		addr, e := netip.ParseAddr(text)
		if e != nil {
			return Member{}, fmt.Errorf("%.80q is no address, with or without a port", text)
		}
		at = netip.AddrPortFrom(addr, 0)
	} else if at.Port() == 0 {
		return Member{}, fmt.Errorf("%.80q: there is no port 0", text)
	}
	m := Member{Addr: at.Addr().Unmap(), Port: at.Port()}
	if !Usable(m.Addr) {
		return Member{}, fmt.Errorf("%.80q is no address of a server", text)
	}
	return m, nil
}

// Usable says whether an address can be one of a server.
func Usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a.Zone() == "" && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// weigh returns a weight within what IPVS takes.
func weigh(n int64) *int32 {
	w := int32(min(max(n, 0), math.MaxInt32))
	return &w
}

// Weigh sets the weight, of which IPVS takes 0 and more.
func (m *Member) Weigh(n int64) { m.Weight = weigh(n) }

// Describe sets name and tags as far as they are fit for it: a source of somebody else's may have any text there.
func (m *Member) Describe(name string, tags ...string) {
	if IsName(name) {
		m.Name = name
	}
	for _, t := range tags {
		if IsTag(t) {
			m.Tags = append(m.Tags, t)
		}
	}
	slices.Sort(m.Tags)
	m.Tags = slices.Compact(m.Tags)
}

// Has says whether a member has all of these tags.
func (m *Member) Has(tags []string) bool {
	for _, t := range tags {
		if !slices.Contains(m.Tags, t) {
			return false
		}
	}
	return true
}

// Equal says whether two members are the same in all that is told of them.
func (m *Member) Equal(o *Member) bool {
	return m.Addr == o.Addr && m.Port == o.Port && m.Name == o.Name && slices.Equal(m.Tags, o.Tags) &&
		(m.Weight == nil) == (o.Weight == nil) && (m.Weight == nil || *m.Weight == *o.Weight)
}

// compare orders members by what tells them apart.
func compare(a, b Member) int { return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port)) }

// Arrange sorts members and leaves each address and port once, the first of them.
func Arrange(list []Member) []Member {
	slices.SortStableFunc(list, compare)
	return slices.CompactFunc(list, func(a, b Member) bool { return compare(a, b) == 0 })
}

// IsName says whether a text can be a server's name: what ipvsctl takes for one.
func IsName(s string) bool { return fits(s, 63, "._-") && !isAddress(s) }

// IsTag says whether a text can be a tag. Beyond what a name may have, labels of other systems are "key=value".
func IsTag(s string) bool { return fits(s, 127, "._-=:/@+") }

func fits(s string, most int, others string) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r))
	})
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
