package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
)

// network joins directors, of which each has a clock of its own.
type network struct {
	t         *testing.T
	directors map[string]*director

	mu       sync.Mutex
	cut      map[[2]string]bool // from, to: nothing gets through, and nobody says so
	messages int
	states   int // of them, those with all wishes
}

// director is one of them.
type director struct {
	*network
	name string
	x    *Exchange
	stop func()
	log  bytes.Buffer

	keep  sync.Mutex
	ahead time.Duration // its clock
	state admin.State
	down  error // why it answers nobody
}

func newNetwork(t *testing.T, names ...string) *network {
	n := &network{t: t, directors: make(map[string]*director), cut: make(map[[2]string]bool)}
	for _, name := range names {
		n.directors[name] = &director{network: n, name: name}
	}
	for _, name := range names { // they look for each other
		n.directors[name].run(names)
	}
	return n
}

// run starts a director that knows the others.
func (d *director) run(names []string) {
	d.x = New(slog.New(slog.NewTextHandler(&d.log, nil)), d, func(p Party) Director { return way{d, p.Name} })
	var peers []Party
	for _, name := range names {
		if name != d.name {
			peers = append(peers, other(name, name+":9443"))
		}
	}
	d.x.Follow(peers)
	ctx, cancel := context.WithCancel(d.t.Context())
	ended := make(chan struct{})
	go func() {
		d.x.Run(ctx)
		close(ended)
	}()
	d.stop = func() { cancel(); <-ended }
}

// other is another director.
func other(name, address string) Party {
	return Party{Peer: config.Peer{Name: name, Address: address}}
}

// set has its clock be ahead.
func (d *director) set(ahead time.Duration) {
	d.keep.Lock()
	defer d.keep.Unlock()
	d.ahead = ahead
}

func (n *network) stop() {
	for _, d := range n.directors {
		d.stop()
	}
}

func (d *director) now() time.Time { return time.Now().Add(d.ahead).Round(0) }

// Wanted and Hear are a Keeper's.
func (d *director) Wanted(context.Context) (admin.Message, error) {
	d.keep.Lock()
	defer d.keep.Unlock()
	return d.state.Message(d.now())
}

func (d *director) Hear(_ context.Context, _ string, m admin.Message) (admin.Message, error) {
	d.keep.Lock()
	defer d.keep.Unlock()
	if d.down != nil {
		return admin.Message{}, d.down
	}
	if m.State != nil {
		next, _, err := d.state.Merge(*m.State, d.now())
		if err != nil {
			return admin.Message{}, err
		}
		d.state = next
	}
	return d.state.Message(d.now())
}

// way is how one director reaches another one.
type way struct {
	from *director
	to   string
}

func (w way) Exchange(ctx context.Context, m admin.Message) (*admin.Message, error) {
	n := w.from.network
	n.mu.Lock()
	cut := n.cut[[2]string{w.from.name, w.to}]
	n.messages++
	if m.State != nil {
		n.states++
	}
	n.mu.Unlock()
	arrived := time.After(10 * time.Millisecond)
	if cut {
		arrived = nil
	}
	select {
	case <-arrived:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	over(n.t, &m)
	to := n.directors[w.to]
	answer, err := to.Hear(ctx, w.from.name, m)
	if err != nil {
		return nil, err
	}
	if answer.Digest == m.Digest {
		answer.State = nil
	}
	over(n.t, &answer)
	return &answer, nil
}

// over is what a message is after it went over a network.
func over(t *testing.T, m *admin.Message) {
	text, err := json.Marshal(m)
	if err == nil {
		*m = admin.Message{}
		err = json.Unmarshal(text, m)
	}
	if err != nil {
		t.Error(err)
	}
}

// part cuts or joins a director from and with all others.
func (n *network) part(name string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for other := range n.directors {
		n.cut[[2]string{name, other}], n.cut[[2]string{other, name}] = cut, cut
	}
}

func key(server string) admin.Key {
	return admin.Key{Server: admin.Server{AddrPort: netip.MustParseAddrPort(server)}}
}

func (d *director) drain(server, reason string) {
	d.keep.Lock()
	defer d.keep.Unlock()
	d.state = d.state.Set(admin.Wish{Server: key(server).Server, What: admin.Drain, Owner: d.name, Reason: reason, Since: d.now()})
}

func (d *director) undrain(server string) {
	d.keep.Lock()
	defer d.keep.Unlock()
	d.state, _ = d.state.Clear(d.name, d.now(), key(server))
}

// has says what a director has, in order: "198.51.100.1:80 kernel".
func (d *director) has() string {
	d.keep.Lock()
	defer d.keep.Unlock()
	var list []string
	for _, w := range d.state.All() {
		list = append(list, w.Server.String()+" "+w.Reason)
	}
	return strings.Join(list, ", ")
}

func (n *network) want(when, want string, names ...string) {
	n.t.Helper()
	synctest.Wait()
	for _, name := range names {
		if got := n.directors[name].has(); got != want {
			n.t.Errorf("%s: %s has %q, want %q", when, name, got, want)
		}
	}
}

// states says how the others are in the eyes of a director.
func (d *director) states() (list []string) {
	for _, s := range d.x.Status() {
		list = append(list, s.Name+" "+s.State(time.Now()))
	}
	return list
}

const one, two = "198.51.100.1:80", "198.51.100.2:80"

var all = []string{"a", "b", "c"}

// What is wanted on one director is wanted on all of them, at once where it is spread and soon where it isn't, and its end, too.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		a, b := n.directors["a"], n.directors["b"]
		time.Sleep(time.Second)
		a.drain(one, "kernel")
		began := time.Now()
		for _, s := range a.x.Spread(t.Context(), 2*time.Second) {
			if !s.InStep || s.Error != "" || s.Newest.IsZero() {
				t.Errorf("%+v", s)
			}
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		n.want("spread", "198.51.100.1:80 kernel", all...)
		b.drain(two, "disk")
		time.Sleep(interval + time.Second)
		n.want("not spread", "198.51.100.1:80 kernel, 198.51.100.2:80 disk", all...)
		b.undrain(one)
		b.x.Spread(t.Context(), 2*time.Second)
		n.want("ended", "198.51.100.2:80 disk", all...)
		if got, want := a.states(), []string{"b has the same wishes", "c has the same wishes"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		// Where nothing differs, nothing is sent but digests.
		time.Sleep(interval)
		n.mu.Lock()
		before, messages := n.states, n.messages
		n.mu.Unlock()
		time.Sleep(10*interval + time.Second)
		n.mu.Lock()
		if n.states != before || n.messages-messages < 60 {
			t.Errorf("%d messages, %d of them whole", n.messages-messages, n.states-before)
		}
		n.mu.Unlock()
		n.stop()
	})
}

// A director that is cut off goes on with what it knows. When it is back the newest of each server counts, also an end.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		a, b, c := n.directors["a"], n.directors["b"], n.directors["c"]
		a.drain(one, "kernel")
		a.drain(two, "disk")
		a.x.Spread(t.Context(), 2*time.Second)
		time.Sleep(time.Second)
		n.part("c", true)
		time.Sleep(time.Minute)
		if got := a.states(); len(got) != 2 || got[0] != "b has the same wishes" || !strings.Contains(got[1], "c can't be told for 46s: no answer within 5s") {
			t.Errorf("%q", got)
		}
		b.undrain(one)
		c.drain(two, "a disk that c knows of")
		b.drain(two, "the newest")
		began := time.Now()
		list := b.x.Spread(t.Context(), 2*time.Second)
		if took := time.Since(began); took > 2*time.Second+time.Millisecond || !list[0].InStep || list[1].InStep || list[1].Error == "" || list[1].FailingSince.IsZero() {
			t.Errorf("%v: %+v", took, list)
		}
		n.want("while it is cut off", "198.51.100.2:80 the newest", "a", "b")
		n.want("while it is cut off", "198.51.100.1:80 kernel, 198.51.100.2:80 a disk that c knows of", "c")
		n.part("c", false)
		time.Sleep(patience + again + time.Second)
		n.want("when it is back", "198.51.100.2:80 the newest", all...)
		time.Sleep(2 * interval)
		for _, d := range n.directors {
			for _, s := range d.x.Status() {
				if !s.InStep || s.Error != "" || !s.FailingSince.IsZero() {
					t.Errorf("%s: %+v", d.name, s)
				}
			}
		}
		n.stop()
		if log := a.log.String(); strings.Count(log, "can't be told") != 1 || strings.Count(log, `msg="another director is told what is wanted of servers" director=c`) != 2 {
			t.Error(log)
		}
	})
}

// Two that can't reach each other hear of it by way of a third one.
func TestByWayOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		n.mu.Lock()
		n.cut[[2]string{"a", "c"}], n.cut[[2]string{"c", "a"}] = true, true
		n.mu.Unlock()
		n.directors["a"].drain(one, "kernel")
		time.Sleep(3 * interval)
		n.want("later", "198.51.100.1:80 kernel", all...)
		n.stop()
	})
}

// A director that is dead delays nobody. One that comes back with nothing on its disk has everything before it is waited for any longer.
func TestDeadDirector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		a, c := n.directors["a"], n.directors["c"]
		time.Sleep(time.Second)
		c.stop()
		c.keep.Lock()
		c.down = errors.New("connection refused")
		c.keep.Unlock()
		a.drain(one, "kernel")
		began := time.Now()
		list := a.x.Spread(t.Context(), 2*time.Second)
		if took := time.Since(began); took > 100*time.Millisecond || !list[0].InStep || list[1].Error != "connection refused" {
			t.Errorf("%v: %+v", took, list)
		}
		time.Sleep(time.Minute)
		if s := a.x.Status()[1]; s.FailingSince.Sub(began).Abs() > time.Second || !strings.Contains(s.State(time.Now()), "can't be told for 1m0s: connection refused") {
			t.Errorf("%s: %+v", s.State(time.Now()), s)
		}
		c.keep.Lock()
		c.down, c.state = nil, admin.State{}
		c.keep.Unlock()
		c.run(all)
		c.x.Spread(t.Context(), time.Second)
		n.want("after its start", "198.51.100.1:80 kernel", "c")
		n.stop()
	})
}

// What was done last counts, whatever the clocks say, as long as whoever did it knew of what was before. That they differ is told.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		a, b := n.directors["a"], n.directors["b"]
		b.set(36 * time.Hour)
		b.drain(one, "from tomorrow")
		b.x.Spread(t.Context(), 2*time.Second)
		a.drain(one, "now")
		a.x.Spread(t.Context(), 2*time.Second)
		n.want("by a clock that is right", "198.51.100.1:80 now", all...)
		b.set(-time.Hour) // somebody put it right, too far
		b.undrain(one)
		b.x.Spread(t.Context(), 2*time.Second)
		n.want("by a clock that is behind", "", all...)
		time.Sleep(interval + time.Second)
		if got, want := a.states(), []string{"b has the same wishes; its clock is 1h0m0s behind", "c has the same wishes"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		n.stop()
		if log := a.log.String(); strings.Count(log, "the clocks of the directors differ") != 1 {
			t.Error(log)
		}
	})
}

// What another director says of why it refuses is a line, whatever it is.
func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "a", "b")
		n.directors["b"].keep.Lock()
		n.directors["b"].down = errors.New("\x1b[2Jno\nno\xff" + strings.Repeat("ä", 1000))
		n.directors["b"].keep.Unlock()
		time.Sleep(time.Minute)
		want := " [2Jno no?" + strings.Repeat("ä", 390) + "…"
		if s := n.directors["a"].x.Status()[0]; s.Error != want {
			t.Errorf("%q", s.Error)
		}
		n.stop()
	})
}

// A limit that is not ours is told like any other failure.
func TestLimitOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "a", "b")
		n.directors["b"].keep.Lock()
		n.directors["b"].down = fmt.Errorf("dial: %w", context.DeadlineExceeded)
		n.directors["b"].keep.Unlock()
		time.Sleep(time.Minute)
		if s := n.directors["a"].x.Status()[0]; s.Error != "dial: context deadline exceeded" {
			t.Errorf("%+v", s)
		}
		n.stop()
	})
}

// The directors may change while it runs, and end with it.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, all...)
		a := n.directors["a"]
		time.Sleep(time.Second)
		before := a.x.Status()[0]
		a.x.Follow([]Party{other("b", "b:9443"), other("c", "elsewhere:9443")})
		synctest.Wait()
		after := a.x.Status()
		if len(after) != 2 || after[0] != before || after[1].Address != "elsewhere:9443" || after[1].State(time.Now()) != "not asked yet" {
			t.Errorf("%+v", after)
		}
		a.x.Follow(nil)
		n.mu.Lock()
		n.messages = 0
		n.mu.Unlock()
		for _, name := range []string{"b", "c"} {
			n.directors[name].x.Follow(nil)
		}
		time.Sleep(3 * interval)
		synctest.Wait()
		if n.messages > 0 || len(a.x.Status()) > 0 {
			t.Errorf("%d messages, %+v", n.messages, a.x.Status())
		}
		ctx, cancel := context.WithCancel(t.Context())
		a.x.Follow([]Party{other("b", "b:9443")})
		time.Sleep(time.Second)
		before = a.x.Status()[0]
		cancel() // who asked for it has gone
		if got := a.x.Spread(ctx, time.Second); fmt.Sprint(got) != fmt.Sprint(a.x.Status()) || got[0] != before {
			t.Errorf("%+v, before %+v", got, before)
		}
		n.stop()
	})
}
