package probe

import (
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var matchers = cache[health.Regex, *health.Matcher]{limit: 1024}

// matcher compiles a regex, unless it is known.
func matcher(r health.Regex) (*health.Matcher, error) {
	m, kept := matchers.get(r)
	if !kept {
		var err error
		if m, err = r.Compile(); err != nil {
			return nil, err
		}
		matchers.put(r, m)
	}
	return m, nil
}

// expect says what is wrong with a text, if anything is.
func expect(r health.Regex, text []byte) error {
	if r == (health.Regex{}) {
		return nil
	}
	m, err := matcher(r)
	if err != nil {
		return err
	}
	switch fits, err := m.Match(text); {
	case err != nil:
		return err
	case fits:
		return nil
	case r.NoMatch:
		return fmt.Errorf("%q matches the regex %q", excerpt(string(text), 80), r.Pattern)
	}
	return fmt.Errorf("%q does not match the regex %q", excerpt(string(text), 80), r.Pattern)
}
