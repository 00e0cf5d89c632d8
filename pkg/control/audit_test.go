package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/audit"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// notebook is an Auditor in memory.
type notebook struct {
	sync.Mutex
	entries []audit.Entry
	since   time.Time
	last    int
}

func (n *notebook) Record(e audit.Entry) {
	n.Lock()
	defer n.Unlock()
	n.entries = append(n.entries, e)
}

func (n *notebook) Entries(_ context.Context, since time.Time, last int) (*audit.Report, error) {
	n.Lock()
	defer n.Unlock()
	n.since, n.last = since, last
	return &audit.Report{Entries: append([]audit.Entry{}, n.entries...)}, nil
}

// doer does what it is told, or fails.
type doer struct {
	Backend
	err error
}

func (d doer) Order(context.Context, Order) (*status.Wishes, error) { return &status.Wishes{}, d.err }

func (d doer) Reload(context.Context, bool) (*status.Answer, error) {
	return &status.Answer{Rejected: "t.toml:1:1: password = \"s3cr3t\""}, d.err
}

func (d doer) Status(context.Context) (*status.Snapshot, error) { return &status.Snapshot{}, d.err }

func (d doer) Neighbors(context.Context, string) ([]Neighbor, error) { return nil, NoNeighbor("", nil) }

func (d doer) Wishes(context.Context) (*status.Wishes, error) { return &status.Wishes{}, nil }

func (d doer) Exchange(_ context.Context, m admin.Message) (*admin.Message, error) {
	switch m.Digest {
	case "refused":
		return nil, errors.New("there are too many")
	case "new":
		at := admin.Server{AddrPort: netip.MustParseAddrPort("10.0.0.2:80")}
		m.Taken = []admin.Wish{
			{Server: at, What: admin.Drain, Owner: "alice", Reason: "new disk"}, {Server: at, Service: "tcp 192.0.2.1:80", What: admin.Weight, Cleared: true},
		}
	}
	return &m, nil
}

func (d doer) Trial(context.Context) (*status.Trials, error) { panic("a mistake") }

// On the socket, who does what is known by the user, with why and what came of it. What only reads is not recorded.
func TestAuditOfSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(path, doer{}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	book := new(notebook)
	s.Audit(book)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	c := NewClient(path)
	if _, err := c.Order(t.Context(), Order{Verb: Drain, Server: "10.0.0.2", Service: "tcp 192.0.2.1:80", Deadline: time.Minute, Reason: "new disk"}); err != nil {
		t.Error(err)
	}
	if _, err := c.Because("größer\n& more").Reload(t.Context(), true); err != nil {
		t.Error(err)
	}
	if _, err := c.Switchover(t.Context(), "VI_1", false); err == nil {
		t.Error("there are routers")
	}
	if _, err := c.Trial(t.Context()); err == nil {
		t.Error("a handler that fails answers")
	}
	if _, err := c.Wishes(t.Context()); err != nil {
		t.Error(err)
	}
	for _, digest := range []string{"new", "old", "refused"} {
		if _, err := c.Exchange(t.Context(), admin.Message{Digest: digest}); (err != nil) != (digest == "refused") {
			t.Error(digest, err)
		}
	}
	r, err := c.Audit(t.Context(), time.Unix(1e9, 5), 7)
	if err != nil || !book.since.Equal(time.Unix(1e9, 5)) || book.last != 7 {
		t.Fatal(err, book.since, book.last)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`order "drain 10.0.0.2 deadline 1m0s of tcp 192.0.2.1:80" "new disk" 200 ""`,
		`reload "strict=1" "größer\n& more" 422 "it was refused"`,
		`switchover "VI_1" "" 409 "there are no virtual routers here"`,
		`alert-test "" "" 500 "the daemon failed at it"`,
		`exchange "drain 10.0.0.2:80 by alice, end of weight 10.0.0.2:80 of tcp 192.0.2.1:80 by somebody" "new disk" 200 ""`,
		`exchange "" "" 409 "there are too many"`,
	}
	for i, e := range r.Entries {
		got := fmt.Sprintf("%s %q %q %d %q", e.Action, e.Detail, e.Reason, e.Status, e.Error)
		if i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
		if e.Who != me.Username || e.UID == nil || *e.UID != int64(os.Getuid()) || e.Address != "" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
	}
	if len(r.Entries) != len(want) {
		t.Errorf("%d entries", len(r.Entries))
	}
	for _, query := range []string{"since=x", "last=0", "last=x", "what=1", "last=1&last=2"} {
		w := httptest.NewRecorder()
		s.inner().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, auditPath+"?"+query, nil))
		if w.Code != http.StatusBadRequest || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// By TCP, those who are known and refused are recorded, and those who are not known are not: they could fill the log.
func TestAuditByTCP(t *testing.T) {
	p := serveTCP(t, nil)
	book := new(notebook)
	p.Audit(book)
	base := "https://" + (<-p.listened).Addr().String()
	c := p.client(t, "")
	for secret, code := range map[string]int{"Bearer " + readSecret: http.StatusForbidden, "Bearer guess-guess-guess": http.StatusUnauthorized} {
		if got, text := fetch(t, c, http.MethodPost, base+reloadPath+"?strict=1", "Authorization", secret, reasonHeader, url.QueryEscape("because")); got != code {
			t.Errorf("%d %s", got, text)
		}
	}
	if len(book.entries) != 1 {
		t.Fatalf("%+v", book.entries)
	}
	e := book.entries[0]
	if e.Who != "token dashboard" || e.Address != "127.0.0.1" || e.UID != nil || e.Action != "reload" || e.Reason != "because" || e.Status != http.StatusForbidden ||
		!strings.HasPrefix(e.Error, "token dashboard may read, not operate") || strings.Contains(fmt.Sprint(e), readSecret) {
		t.Errorf("%+v", e)
	}
}

// Who may only read can't have the log forget what others did: of its refusals a few are recorded, and how many are not.
func TestRefusalsDontFillTheLog(t *testing.T) {
	kept := new(notebook)
	b := &book{auditor: kept}
	h := muxOf([]Route{{
		Name: "reload", Method: http.MethodPost, Path: reloadPath, Role: Operate, Answer: struct{}{},
		serve: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, struct{}{}, nil) }),
	}}, b)
	post := func(role Role) {
		who := context.WithValue(t.Context(), whoKey{}, Who{By: ByToken, Name: string(role), Role: role})
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(who, http.MethodPost, reloadPath, nil))
	}
	for range 10 * refusedAtOnce {
		post(Read)
	}
	if n := len(kept.entries); n < refusedAtOnce || n > 2*refusedAtOnce {
		t.Errorf("%d entries", n)
	}
	kept.entries = nil
	post(Operate)
	b.refused.limit = nil // a minute later
	post(Read)
	if n := len(kept.entries); n != 2 || kept.entries[0].Status != http.StatusOK || !strings.Contains(kept.entries[1].Error, " refusals before this one are not in the log") {
		t.Errorf("%+v", kept.entries)
	}
}
