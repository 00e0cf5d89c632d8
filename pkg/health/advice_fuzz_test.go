package health

import (
	"fmt"
	"testing"
)

// FuzzParseAdvice has what is read be what was written.
func FuzzParseAdvice(f *testing.F) {
	for _, text := range []string{"12", "75%", " 0\n", "-1", "4294967296"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAdvice(text)
		if err != nil {
			return
		}
		again := fmt.Sprint(a.Value)
		if a.Kind == Percent {
			again += "%"
		}
		if b, err := ParseAdvice(again); a.Value < 0 || b != a || err != nil {
			t.Errorf("%q is %v; %q is %v, %v", text, a, again, b, err)
		}
	})
}
