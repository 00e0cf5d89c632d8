package health

import (
	"fmt"
	"strings"
)

// The status codes that a StatusSet can hold.
const (
	minStatus = 100
	maxStatus = 599
)

// StatusSet is a set of HTTP status codes from 100 to 599.
type StatusSet [8]uint64

// SuccessStatus is keepalived's default: 200 to 299.
func SuccessStatus() (s StatusSet) {
	s.Add(200, 299)
	return s
}

// Add adds the codes from one to another, both included, and says whether all are within the bounds.
func (s *StatusSet) Add(from, to int) bool {
	if from < minStatus || to > maxStatus || from > to {
		return false
	}
	for code := from; code <= to; code++ {
		s[(code-minStatus)/64] |= 1 << ((code - minStatus) % 64)
	}
	return true
}

// Has says whether a code is in the set.
func (s StatusSet) Has(code int) bool {
	return code >= minStatus && code <= maxStatus && s[(code-minStatus)/64]&(1<<((code-minStatus)%64)) != 0
}

// String returns the set as keepalived has it: "200-299 301".
func (s StatusSet) String() string {
	var b strings.Builder
	for code := minStatus; code <= maxStatus; code++ {
		if !s.Has(code) {
			continue
		}
		first := code
		for s.Has(code + 1) {
			code++
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, first)
		if code > first {
			fmt.Fprintf(&b, "-%d", code)
		}
	}
	return b.String()
}
