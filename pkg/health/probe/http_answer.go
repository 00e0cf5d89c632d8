package probe

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// answer is what a server said.
type answer struct {
	status   int
	location string
	weight   string // from the header; empty: none
	size     int64  // of the body
	digest   string // of the body, if the URL has one
	text     []byte // the beginning of the body, if somebody is to see it
}

// read reads the body, in pieces, and keeps of it what is needed.
func (a *answer) read(body io.Reader, piece []byte, s health.HTTP, u health.URL) error {
	var sum hash.Hash
	if u.Digest != "" {
		sum = md5.New()
	}
	keep := u.Regex != (health.Regex{}) || u.JSON != (health.List[health.Assertion]{}) || s.Weight == "-"
	for {
		n, err := body.Read(piece)
		a.size += int64(n)
		if sum != nil {
			sum.Write(piece[:n])
		}
		if keep {
			a.text = append(a.text, piece[:min(n, bodyLimit-len(a.text))]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if sum != nil {
		a.digest = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// judge compares the answer with what it should be.
func (a *answer) judge(s health.HTTP, u health.URL, f *health.Finding) error {
	if !u.Status.Has(a.status) {
		return fmt.Errorf("%d %s; want %s", a.status, http.StatusText(a.status), u.Status)
	}
	if u.Digest != "" && a.digest != u.Digest {
		return fmt.Errorf("the body's MD5 is %s; want %s", a.digest, u.Digest)
	}
	cut := a.size > int64(len(a.text)) && len(a.text) == bodyLimit
	if err := a.search(u.Regex, cut); err != nil {
		return err
	}
	if u.JSON != (health.List[health.Assertion]{}) {
		if cut {
			return fmt.Errorf("the body has %d bytes; for JSON it may have %d", a.size, bodyLimit)
		}
		for assertion := range u.JSON.All() {
			if err := assert(a.text, assertion); err != nil {
				return err
			}
		}
	}
	if s.Weight != "" {
		a.advise(s.Weight, f)
	}
	return nil
}

// search is expect for a body that may be cut.
func (a *answer) search(r health.Regex, cut bool) error {
	if !cut {
		return expect(r, a.text)
	}
	found := r
	found.NoMatch = false
	if expect(found, a.text) == nil { // and is found in the whole as well
		return expect(r, a.text)
	}
	return fmt.Errorf("the body has %d bytes; the regex %q was not found in the first %d, all that it sees", a.size, r.Pattern, bodyLimit)
}

// advise takes the weight. A server that has none to tell is up all the same.
func (a *answer) advise(header string, f *health.Finding) {
	text := a.weight
	if header == "-" {
		text = string(a.text)
	}
	advice, err := health.ParseAdvice(text)
	if text == "" {
		err = errors.New("there is none")
	}
	if err != nil {
		f.Warning = fmt.Sprintf("the weight in %s: %v", map[bool]string{true: "the body", false: header}[header == "-"], err)
		return
	}
	f.Advice = advice
}
