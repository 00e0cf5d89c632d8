package probe

import (
	"bytes"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// ParseHTTP is for the fuzzer: it returns what is made of an answer, of which the body is kept.
func ParseHTTP(text []byte) (status int, body []byte, size int64, err error) {
	x := exchanges.Get().(*exchange)
	defer exchanges.Put(x)
	x.in.Reset(bytes.NewReader(text))
	u := health.URL{Method: "GET"}
	u.Status.Add(100, 599)
	a, err := x.answer(health.HTTP{Weight: "-"}, u)
	return a.status, a.text, a.size, err
}

// Lookup is for the fuzzer.
var Lookup = lookup
