package etcdboard

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/admin/exchange"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/etcd/etcdtest"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// gone is what is said of an etcd that has ended: the end of a connection, or that nobody listens.
var gone = regexp.MustCompile(`(connection refused|connection reset by peer|broken pipe|EOF)"?$`)

// director is one that knows no other, but an etcd.
type director struct {
	t *testing.T
	x *exchange.Exchange

	mu    sync.Mutex
	state admin.State
	log   bytes.Buffer
	news  chan struct{}
}

func newDirector(t *testing.T, e *etcdtest.Server) *director {
	d := &director{t: t, news: make(chan struct{}, 1)}
	source := member.Source{Kind: member.Etcd, Name: prefix, At: e.Address}
	d.x = exchange.New(slog.New(slog.NewTextHandler(d, nil)), d, func(p exchange.Party) exchange.Director { return New(p.Etcd) })
	d.x.Follow([]exchange.Party{{Peer: config.Peer{Name: "etcd", Address: e.Address}, Etcd: source}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		d.x.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return d
}

// Write takes its log.
func (d *director) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

// Wanted and Hear are a Keeper's.
func (d *director) Wanted(context.Context) (admin.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Message(time.Now())
}

func (d *director) Hear(_ context.Context, from string, m admin.Message) (admin.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if from != "etcd" {
		d.t.Errorf("heard from %q", from)
	}
	next, changed, err := d.state.Merge(*m.State, time.Now())
	if err != nil {
		return admin.Message{}, err
	}
	if d.state = next; len(changed) > 0 {
		select {
		case d.news <- struct{}{}:
		default:
		}
	}
	return d.state.Message(time.Now())
}

// order wants something, and says what became of that.
func (d *director) order(w admin.Wish) string {
	d.mu.Lock()
	d.state = d.state.Set(w)
	d.mu.Unlock()
	s := d.x.Spread(d.t.Context(), 2*time.Second)
	return s[0].Title() + " " + s[0].State(time.Now())
}

func (d *director) await(want string) {
	d.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		d.mu.Lock()
		got := says(&admin.Message{State: &d.state})
		d.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-d.news:
		case <-limit:
			d.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// Two directors that know nothing but an etcd have the same wishes. Without it each goes on with its own, says so, and when it is back
// both have what is newest, also where it has lost everything.
func TestMeeting(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	a, b := newDirector(t, e), newDirector(t, e)
	if got := a.order(drain(one, "disk", time.Now())); got != "etcd has the same wishes" {
		t.Error(got)
	}
	b.await(one + " disk")
	e.Stop()
	if got := a.order(drain(one, "new disk", time.Now())); !strings.HasPrefix(got, "etcd can't be told for ") || !gone.MatchString(got) {
		t.Error(got)
	}
	b.order(drain(two, "net", time.Now()))
	a.await(one + " new disk")
	b.await(one + " disk, " + two + " net")
	e.Wipe()
	e.Start()
	for _, d := range []*director{a, b} {
		d.await(one + " new disk, " + two + " net")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if log := a.log.String(); strings.Count(log, "what is wanted of servers can't be kept in etcd") != 1 || strings.Contains(log, "another director") {
		t.Error(log)
	}
}
