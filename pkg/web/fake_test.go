package web

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// director is a daemon without a kernel: what is ordered of it takes effect, and its connections come and go with each question.
type director struct {
	control.Backend // which has nothing else
	mu              sync.Mutex
	tick            int
	whole           status.Snapshot
	wishes          admin.State
	orders          []control.Order
	feed            *feed.Feed
	peers           []Peer
	err             error // of the next questions
	moves           bool  // counters change with each question
}

func newDirector(name string, services ...status.Service) *director {
	now := time.Now().Truncate(time.Second)
	return &director{feed: feed.New(100), whole: status.Snapshot{
		Version: "v1.0.0", RouterID: name, Started: now.Add(-75 * time.Hour), At: now, Services: services,
	}}
}

func (d *director) Status(context.Context) (*status.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	d.tick++
	s := d.whole
	s.At = s.At.Add(time.Duration(d.tick) * 2 * time.Second)
	s.Wishes = d.wishes.All()
	s.Services = make([]status.Service, len(d.whole.Services))
	for i, v := range d.whole.Services {
		v.Servers = append([]status.Server(nil), v.Servers...)
		v.Stats = ipvs.Stats{}
		for j := range v.Servers {
			d.serve(&v, &v.Servers[j], s.At)
		}
		s.Services[i] = v
	}
	return &s, nil
}

// serve fills in what the kernel would say of a server.
func (d *director) serve(v *status.Service, r *status.Server, now time.Time) {
	at := r.Addr.Addr().As16()
	phase := int(at[14]) + int(at[15]) + int(r.Addr.Port()%7)
	name := v.Key.String()
	if v.Group != "" {
		name = v.Group
	}
	r.Wishes = d.wishes.Of(r.Addr, name, now)
	r.InTable, r.TableWeight = r.Health == health.Up && !r.Sorry, r.Weight
	wave := 1.0
	if d.moves {
		wave = 1 + 0.3*math.Sin(float64(d.tick)/4+float64(phase)) + 0.12*math.Sin(float64(d.tick)*1.7+float64(phase*phase))
	}
	r.ActiveConns = uint32(wave * float64(20+phase%7*9))
	r.InactiveConns = 4 * r.ActiveConns
	switch d.wishes.On(r.Addr, name, now).Mode {
	case admin.Drains:
		r.TableWeight, r.ActiveConns = 0, r.ActiveConns>>min(d.tick-len(d.orders), 31)
	case admin.Disabled:
		r.InTable = false
	case admin.Serves:
	}
	if !r.InTable {
		r.TableWeight, r.ActiveConns, r.InactiveConns = 0, 0, 0
	}
	if r.TableWeight == 0 {
		return
	}
	cps := uint64(3 * r.ActiveConns)
	r.Stats = ipvs.Stats{ConnectionsPerSec: cps, InBytesPerSecond: cps * 1240, OutBytesPerSecond: cps * 18700}
	v.Stats.ConnectionsPerSec += cps
	v.Stats.InBytesPerSecond += r.Stats.InBytesPerSecond
	v.Stats.OutBytesPerSecond += r.Stats.OutBytesPerSecond
}

func (d *director) Order(_ context.Context, o control.Order) (*status.Wishes, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, err := admin.ParseServer(o.Server)
	if err != nil {
		return nil, err
	}
	if o.Reason == "refuse this" {
		return nil, errors.New("no server has the address 192.0.2.99")
	}
	d.orders = append(d.orders, o)
	now := d.whole.At.Add(time.Duration(d.tick) * 2 * time.Second)
	w := admin.Wish{Server: at, Service: o.Service, What: admin.Drain, Owner: o.Owner, Reason: o.Reason, Since: now}
	if o.Deadline > 0 {
		w.Deadline = now.Add(o.Deadline)
	}
	if o.Expires > 0 {
		w.Expires = now.Add(o.Expires)
	}
	switch o.Verb {
	case control.Disable:
		w.What = admin.Disable
		d.wishes = d.wishes.Set(w)
	case control.Drain:
		d.wishes = d.wishes.Set(w)
	case control.Enable:
		d.wishes, _ = d.wishes.Clear(o.Owner, now, w.Key())
	}
	d.feed.Add(event.Event{At: now, Kind: event.Wish, Server: o.Server, Service: o.Service, To: o.Verb, Reason: o.Reason, Who: o.Owner})
	return &status.Wishes{}, nil
}

func (d *director) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return d.feed.Watch(ctx, q)
}

func (d *director) Peers(context.Context) ([]Peer, error) { return d.peers, nil }

// change changes what the director is, as when a check fails.
func (d *director) change(f func(s *status.Snapshot)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.whole)
}

func (d *director) ordered() []control.Order {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]control.Order(nil), d.orders...)
}

// The secrets of the tokens of a site.
const (
	readToken    = "read-0123456789abcdef"
	operateToken = "operate-0123456789abcdef"
)

// site is a director's API by TCP with the page on it.
type site struct {
	*control.Server
	url    string
	access control.Access
	page   *Page
}

// sites counts them: each has a loopback address of its own.
var sites atomic.Uint32

// serve serves a page about a director, and another one beside it if there is one. Open is without tokens: everybody reads.
func serve(t testing.TB, here, there *director, open bool) *site {
	t.Helper()
	n := sites.Add(1)
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(os.Getpid()), byte(n), 77}), 8080)
	dir := t.TempDir()
	s := &site{url: "http://" + at.String(), access: control.Access{Listen: []netip.AddrPort{at}}}
	if !open {
		for name, secret := range map[string]string{"dashboard": readToken, "night-shift": operateToken} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.access.Tokens = []control.Token{
			{Name: "dashboard", Role: control.Read, File: filepath.Join(dir, "dashboard")},
			{Name: "night-shift", Role: control.Operate, File: filepath.Join(dir, "night-shift")},
		}
	}
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.Server, err = control.Listen(filepath.Join(dir, "s"), here, nil, log); err != nil {
		t.Fatal(err)
	}
	if there != nil {
		here.peers = []Peer{{"lb2", there.Status}}
	}
	s.page = New(here, s.Holds)
	s.page.teller.pause = 100 * time.Millisecond
	s.Welcome(s.page)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	s.Follow(s.access)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	lab.WaitFor(t, time.Minute, "the page", func() error {
		answer, err := http.Get(s.url + "/page/icon.svg")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
	return s
}

// virtual returns a service whose servers are up, with addresses from the first one on.
func virtual(t testing.TB, key, options, first string, n int) status.Service {
	t.Helper()
	k, err := ipvs.ParseServiceKey(key)
	if err != nil {
		t.Fatal(err)
	}
	v := status.Service{Key: k, Options: strings.Fields(options), InTable: true, Quorum: status.Quorum{State: health.Up, Live: int64(n), Needed: 1}}
	at := netip.MustParseAddrPort(first)
	for i := range n {
		v.Servers = append(v.Servers, status.Server{
			Addr: at, Forward: "NAT", Weight: 1, EffectiveWeight: 1, Health: health.Up, Since: time.Now().Add(-time.Duration(7*i+3) * time.Hour),
			Name: fmt.Sprintf("web%d", i+1), Checks: []status.Check{{Type: "TCP_CHECK", State: health.Up}},
		})
		at = netip.AddrPortFrom(at.Addr().Next(), at.Port())
	}
	return v
}

// many returns so many services with so many servers each.
func many(t testing.TB, services, servers int) (list []status.Service) {
	for i := range services {
		list = append(list, virtual(t, fmt.Sprintf("tcp 192.0.%d.%d:80", 2+i/200, 1+i%200), "wrr", fmt.Sprintf("10.%d.%d.1:80", i/200, i%200), servers))
	}
	return list
}

// fail has a server fail its check.
func fail(r *status.Server, why string, now time.Time) {
	r.Health, r.Error, r.Since = health.Down, why, now
}
