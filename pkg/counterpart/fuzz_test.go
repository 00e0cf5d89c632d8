package counterpart_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Whatever another director says of itself, it is compared, each difference is a line that a terminal can show, and a switchover is refused if one
// is poorer.
func FuzzCompare(f *testing.F) {
	text, err := json.Marshal(director("there"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.ReplaceAll(string(text), `"rr"`, `"\u001b[2J\n"`)))
	for _, text := range []string{
		`{}`, `null`, `{"services": [{}, {}], "vrrp": {"instances": [{}, {"sync_group": "a"}]}, "settings": {"master": {}}, "wishes": [{}]}`,
		`{"services": [{"servers": [{}, {}], "service": ""}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		there := new(status.Snapshot)
		if json.Unmarshal(text, there) != nil {
			return
		}
		for _, c := range []counterpart.Comparison{counterpart.Compare("lb2", director("here"), there), counterpart.Compare("lb1", there, director("here")), counterpart.Compare("itself", there, there)} {
			var shown strings.Builder
			if err := c.Text(&shown, status.Style{}); err != nil {
				t.Error(err)
			}
			line := strings.TrimSuffix(shown.String(), "\n")
			if n := strings.Count(line, "\n"); n != len(c.Differences) {
				t.Errorf("%d differences are %d lines:\n%s", len(c.Differences), n, line)
			}
			if i := strings.IndexFunc(line, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }); i >= 0 {
				t.Errorf("%q is shown", line)
			}
			all := counterpart.Comparisons{Peers: []counterpart.Comparison{c}}
			if h := all.Handover(false); (h.Refused != "") != (len(c.Poorer()) > 0) {
				t.Errorf("refused: %q, with %+v", h.Refused, c.Poorer())
			}
			if _, err := json.Marshal(all); err != nil {
				t.Error(err)
			}
		}
	})
}
