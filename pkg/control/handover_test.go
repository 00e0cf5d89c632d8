package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/audit"
	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// pair is a director that knows others, and can hand over.
type pair struct {
	sample
	others []Neighbor
	lost   error         // of Neighbors
	slow   time.Duration // until the status is known
	err    error         // of Switchover
	asked  string        // of Switchover
	entry  audit.Entry   // the last
}

func (p *pair) Status(ctx context.Context) (*status.Snapshot, error) {
	select {
	case <-time.After(p.slow):
		return &status.Snapshot{RouterID: "lb1"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Neighbors has those that are silent answer when nobody waits any more, as the daemon does.
func (p *pair) Neighbors(ctx context.Context, name string) ([]Neighbor, error) {
	if p.lost != nil {
		return nil, p.lost
	}
	for i := range p.others {
		if n := &p.others[i]; n.Status == nil {
			<-ctx.Done()
			n.Err = ctx.Err()
		}
	}
	return p.others, NoNeighbor(name, make([]string, len(p.others)))
}

func (p *pair) Record(e audit.Entry) { p.entry = e }

// pairRouters are a pair's.
type pairRouters struct{ *pair }

func (p pairRouters) Status(context.Context) (status.VRRP, error) { return status.VRRP{}, nil }

func (p pairRouters) Switchover(ctx context.Context, name string) error {
	p.asked = name
	return errors.Join(p.err, ctx.Err())
}

// A switchover looks at the other directors first: it is refused where clients would be worse off, unless it is forced, and neither one that is
// dead nor a daemon that is busy is in its way, or delays it for long.
func TestSwitchoverLooksFirst(t *testing.T) {
	alike, poorer := Neighbor{Name: "second", Status: &status.Snapshot{}}, Neighbor{Name: "third", Status: &status.Snapshot{Table: status.Table{Error: "no module"}}}
	silent := Neighbor{Name: "silent"}
	backup := errors.New("VI_1 is BACKUP here: only the MASTER can hand over")
	for name, test := range map[string]struct {
		p     pair
		force bool
		code  int
		want  string // of the answer
		took  time.Duration
		entry string
	}{
		"none":              {p: pair{}, code: 200, entry: "VI_1"},
		"alike":             {p: pair{others: []Neighbor{alike}}, code: 200, entry: "VI_1"},
		"a poorer one":      {p: pair{others: []Neighbor{alike, poorer}}, code: 422, want: "refused third: kernel's table", entry: "VI_1: clients would be worse off with third; with force it is handed over all the same"},
		"forced":            {p: pair{others: []Neighbor{alike, poorer}}, force: true, code: 200, want: "third: kernel's table", entry: "VI_1, forced: clients are worse off with third"},
		"forced, a backup":  {p: pair{others: []Neighbor{poorer}, err: backup}, force: true, code: 409, want: backup.Error(), entry: "VI_1, forced: clients are worse off with third"},
		"silent":            {p: pair{others: []Neighbor{silent}}, code: 200, want: "silent? context deadline exceeded", took: comparing, entry: "VI_1"},
		"silent and poorer": {p: pair{others: []Neighbor{silent, poorer}}, code: 422, want: "refused silent? context deadline exceeded third: kernel's table", took: comparing, entry: "VI_1: clients would be worse off with third; with force it is handed over all the same"},
		"busy":              {p: pair{lost: errors.New("the daemon ends")}, code: 200, want: "unknown: the daemon ends", entry: "VI_1"},
		"stuck":             {p: pair{slow: time.Hour}, code: 200, want: "unknown: context deadline exceeded", took: comparing, entry: "VI_1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &test.p
			log := &book{auditor: p}
			h := muxOf([]Route{switchoverRoute(p, pairRouters{p})}, log)
			body := fmt.Sprintf(`{"name": "VI_1", "force": %t}`, test.force)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, switchoverPath, strings.NewReader(body))
			begin, w := time.Now(), httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := strings.TrimSpace(w.Body.String())
			if w.Code != http.StatusConflict {
				got = told(t, w.Body.Bytes(), test.took)
			}
			if w.Code != test.code || got != test.want || time.Since(begin) != test.took || (p.asked == "VI_1") != (test.code != 422) || p.entry.Detail != test.entry {
				t.Errorf("%s: %d %q after %v; asked %q; in the audit log %q", name, w.Code, got, time.Since(begin), p.asked, p.entry.Detail)
			}
		})
	}
}

// Who goes before the other directors have been looked at hands nothing over: with Ctrl-C, say.
func TestSwitchoverOfWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pair{others: []Neighbor{{Name: "silent"}}}
		h := muxOf([]Route{switchoverRoute(p, pairRouters{p})}, &book{auditor: p})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, switchoverPath, strings.NewReader(`{"name": "VI_1"}`)))
		const want = "nothing was handed over: who asked has gone: context deadline exceeded"
		if w.Code != http.StatusConflict || p.asked != "" || p.entry.Detail != "VI_1" || p.entry.Error != want {
			t.Errorf("%d %s; asked %q; in the audit log %q, %q", w.Code, w.Body, p.asked, p.entry.Detail, p.entry.Error)
		}
	})
}

// told is the short form of an answer.
func told(t *testing.T, text []byte, took time.Duration) string {
	t.Helper()
	var h counterpart.Handover
	if err := json.Unmarshal(text, &h); err != nil || h.Took != took {
		t.Errorf("%s: %v", text, err)
	}
	var words []string
	if h.Refused != "" {
		words = append(words, "refused")
	}
	if h.Unknown != "" {
		words = append(words, "unknown: "+h.Unknown)
	}
	for _, p := range h.Peers {
		if p.Error != "" {
			words = append(words, p.Peer+"? "+p.Error)
		}
		for _, d := range p.Differences {
			words = append(words, p.Peer+": "+d.Object)
		}
	}
	return strings.Join(words, " ")
}
