package status_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// Whatever a daemon answers, ipvsctl prints it without doing anything to a terminal but to begin a new line.
func FuzzText(f *testing.F) {
	for n, text := range []string{
		`{"router_id": "lb1", "services": [{"service": "tcp 192.0.2.1:80", "servers": [{"server": "198.51.100.1:80", "error": "a\u001b[2Jb"}]}]}`,
		`{"checks": [{"type": "T\u001b", "servers": [{}], "history": [{"state": "up"}, {}]}, {}]}`, `{"probes": [{"steps": [{"text": "\u009b"}], "error": "x"}]}`,
		`{"instances": [{"name": "V", "transitions": [{}], "tracks": [{}]}, {}], "groups": [{}], "at": "0001-01-01T00:00:00Z"}`,
		`{"rejected": "a\n\tb\u0007", "configuration": [{"kind": "k", "members": [{}]}]}`,
		`{"revisions": [{"number": 1, "who": "\u202e"}]}`, `{"wishes": [{}], "record": "\r"}`, `{"trials": [{"to": "\u0000", "error": "x"}]}`, `{"checks": 7}`,
		`{"name": "V\u001b"}`, `{"vrrp": {"instances": [{"name": "V\n"}]}, "services": [{"group": "\u001b"}], "config": {"rejected": "\u0007"}}`,
	} {
		f.Add(uint8(n), []byte(text))
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		all := []interface {
			Text(w io.Writer, style status.Style) error
		}{
			new(status.Snapshot), new(status.Checks), new(status.Probes), new(status.VRRP), new(status.Answer), new(status.History), new(status.Wishes),
			new(status.Trials), new(status.Engine), new(status.Switched),
		}
		v := all[int(which)%len(all)]
		if json.Unmarshal(text, v) != nil {
			return
		}
		var shown strings.Builder
		if err := v.Text(&shown, status.Style{}); err != nil {
			t.Error(err)
		}
		if at := strings.IndexFunc(shown.String(), func(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' && r != '\t' }); at >= 0 {
			t.Errorf("%T shows %q", v, shown.String()[at:min(at+40, shown.Len())])
		}
	})
}
