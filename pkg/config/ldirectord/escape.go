package ldirectord

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// escaped returns a path as it stands in a request: what is no printable ASCII, and what separates words, as %XX. What is
// escaped already stays so.
func escaped(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// reverse returns the name in the DNS of an address, empty if it is none.
func reverse(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, octet := range slices.Backward(a.AsSlice()) {
		if a.Is4() {
			fmt.Fprintf(&b, "%d.", octet)
		} else {
			fmt.Fprintf(&b, "%x.%x.", octet&15, octet>>4)
		}
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
