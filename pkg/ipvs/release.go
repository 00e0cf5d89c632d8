package ipvs

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Release is a version of Linux, as far as what a kernel can do depends on it.
type Release struct{ Major, Minor int }

// ParseRelease reads what uname -r prints: "6.1.0-18-amd64", "5.10", "6.8-rc1".
func ParseRelease(s string) (Release, error) {
	major, rest, ok := strings.Cut(s, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	m, err := strconv.ParseUint(major, 10, 16)
	n, errMinor := strconv.ParseUint(rest[:end], 10, 16)
	if !ok || err != nil || errMinor != nil {
		return Release{}, fmt.Errorf("kernel release %q does not begin with a version such as 6.1", s)
	}
	return Release{int(m), int(n)}, nil
}

// Compare orders releases.
func (r Release) Compare(o Release) int {
	return cmp.Or(cmp.Compare(r.Major, o.Major), cmp.Compare(r.Minor, o.Minor))
}

// String returns "6.1".
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }
