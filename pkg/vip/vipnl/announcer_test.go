package vipnl

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/bpf"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// fakeWire records what an announcer does.
type fakeWire struct {
	ears
	mu     sync.Mutex
	sent   []string
	heard  []netip.Addr
	refuse error
	closed bool
}

func (w *fakeWire) send(n vip.Notice) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, n.Addr.String())
	return w.refuse
}

func (w *fakeWire) listen(addrs []netip.Addr) error {
	w.heard = addrs
	return w.refuse
}

func (w *fakeWire) close() error {
	w.closed = true
	return nil
}

// taken returns what was sent since it was last called.
func (w *fakeWire) taken() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.sent
	w.sent = nil
	return sent
}

func places(addrs ...string) (list []vip.Place) {
	for _, a := range addrs {
		list = append(list, vip.Place{Addr: netip.MustParseAddr(a), Dev: "eth0", Index: 3})
	}
	return list
}

// testAnnouncer runs an announcer in a bubble.
func testAnnouncer(t *testing.T, test func(*testing.T, *announcer, *fakeWire, *strings.Builder, *[]vip.Conflict)) {
	synctest.Test(t, func(t *testing.T) {
		var w fakeWire
		var log strings.Builder
		var conflicts []vip.Conflict
		a := newAnnouncer(slog.New(slog.NewTextHandler(&log, nil)), func(c vip.Conflict) { conflicts = append(conflicts, c) },
			func(e ears) (wire, error) {
				w.ears = e
				return &w, nil
			})
		test(t, a, &w, &log, &conflicts)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

// It sends what is due when it is due, and when Announce has said that there is nothing any more, then there is nothing.
func TestAnnouncer(t *testing.T) {
	testAnnouncer(t, func(t *testing.T, a *announcer, w *fakeWire, _ *strings.Builder, _ *[]vip.Conflict) {
		p := places("192.0.2.1", "2001:db8::1")
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 2, Delay: 5 * time.Second}, Places: p, Fresh: p})
		round := []string{"192.0.2.1", "2001:db8::1", "192.0.2.1", "2001:db8::1"}
		if got := w.taken(); !slices.Equal(got, round) {
			t.Errorf("at once: %v", got)
		}
		if len(w.heard) != 2 {
			t.Errorf("it listens for %v", w.heard)
		}
		time.Sleep(5 * time.Second)
		if got := w.taken(); !slices.Equal(got, round) {
			t.Errorf("after the delay: %v", got)
		}
		a.Pace(map[string]vip.Pacing{"": {ARP: time.Second}})
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 5}, Places: p[:1], Fresh: p[:1]})
		time.Sleep(2 * time.Second)
		if got := w.taken(); len(got) != 3 {
			t.Errorf("paced: %v", got)
		}
		a.Announce("VI", vip.Announcement{})
		time.Sleep(time.Hour)
		if got := w.taken(); len(got) != 0 {
			t.Errorf("after the release: %v", got)
		}
		if len(w.heard) != 0 {
			t.Errorf("it still listens for %v", w.heard)
		}
	})
}

// Close drops what is queued.
func TestAnnouncerCloses(t *testing.T) {
	testAnnouncer(t, func(t *testing.T, a *announcer, w *fakeWire, _ *strings.Builder, _ *[]vip.Conflict) {
		p := places("192.0.2.1")
		a.Pace(map[string]vip.Pacing{"": {ARP: time.Second}})
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 9}, Places: p, Fresh: p})
		t.Cleanup(func() {
			if len(w.sent) != 1 || !w.closed {
				t.Errorf("%v, closed: %v", w.sent, w.closed)
			}
		})
		synctest.Wait()
	})
}

// What can't be sent is sent again, and said once.
func TestAnnouncerRefused(t *testing.T) {
	testAnnouncer(t, func(t *testing.T, a *announcer, w *fakeWire, log *strings.Builder, _ *[]vip.Conflict) {
		w.refuse = errors.New("announce 192.0.2.1 on eth0: no buffer space available")
		p := places("192.0.2.1")
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 1}, Places: p, Fresh: p})
		time.Sleep(3500 * time.Millisecond)
		if got := w.taken(); len(got) != 4 {
			t.Errorf("%v", got)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		if got := w.taken(); len(got) != 1 {
			t.Errorf("%v", got)
		}
		if got := log.String(); strings.Count(got, "buffer space") != 2 || !strings.Contains(got, "router=VI") { // the filter, too
			t.Errorf("log:\n%s", got)
		}
	})
}

// News of the wire reaches the machine, and conflicts whoever wants to know.
func TestAnnouncerHears(t *testing.T) {
	testAnnouncer(t, func(t *testing.T, a *announcer, w *fakeWire, _ *strings.Builder, conflicts *[]vip.Conflict) {
		p := places("192.0.2.1")
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 1}, Places: p, Fresh: p})
		w.taken()
		w.up(3)
		if got := w.taken(); len(got) != 1 {
			t.Errorf("after the carrier: %v", got)
		}
		w.claimed(3, vip.Claim{Addr: p[0].Addr, MAC: [6]byte{5: 9}})
		time.Sleep(time.Minute)
		if got := w.taken(); len(got) != 1 {
			t.Errorf("after the conflict: %v", got)
		}
		want := vip.Conflict{Notice: vip.Notice{Owner: "VI", Place: p[0]}, MAC: [6]byte{5: 9}}
		over := want
		over.Over = true
		if !slices.Equal(*conflicts, []vip.Conflict{want, over}) {
			t.Errorf("%v", *conflicts)
		}
	})
}

// Without the right to send frames it says so once, and tries whenever there is something to say.
func TestAnnouncerWithoutWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w, refuse := &fakeWire{}, errors.New("operation not permitted")
		a := newAnnouncer(slog.New(slog.NewTextHandler(&log, nil)), nil, func(ears) (wire, error) { return w, refuse })
		p := places("192.0.2.1")
		for range 3 {
			a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 1}, Places: p, Fresh: p})
		}
		refuse = nil
		a.Announce("VI", vip.Announcement{How: &vip.Announce{Repeat: 1}, Places: p})
		if got := w.taken(); len(got) != 1 {
			t.Errorf("%v", got)
		}
		if got := log.String(); strings.Count(got, "not permitted") != 1 {
			t.Errorf("log:\n%s", got)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The filter lets through claims about our addresses, and nothing else; with too many of them it lets through all.
func TestClaims(t *testing.T) {
	ours := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.9")}
	var many []netip.Addr
	for a := netip.MustParseAddr("10.0.0.0"); len(many) < 3000; a = a.Next() {
		many = append(many, a)
	}
	na := func(addr string) []byte { return vip.Frame([6]byte{}, netip.MustParseAddr(addr), false)[54:] }
	arp := func(addr string) []byte { return vip.Frame([6]byte{}, netip.MustParseAddr(addr), false) }
	for _, c := range []struct {
		name  string
		addrs []netip.Addr
		place uint32
		frame []byte
		want  bool
	}{
		{"first", ours, arpSender, arp("192.0.2.1"), true},
		{"last", ours, arpSender, arp("192.0.2.9"), true},
		{"another's", ours, arpSender, arp("192.0.2.2"), false},
		{"IPv6", ours, naTarget, na("2001:db8::1"), true},
		{"another's IPv6", ours, naTarget, na("2001:db8::2"), false},
		{"short", ours, naTarget, na("2001:db8::1")[:20], false},
		{"none", nil, arpSender, arp("192.0.2.1"), false},
		{"2000", many[:2000], arpSender, arp("192.0.2.1"), false},
		{"3000", many, arpSender, arp("192.0.2.1"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := claims(c.addrs, c.place)
			if err != nil {
				t.Fatal(err)
			}
			program, _ := bpf.Disassemble(raw)
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := vm.Run(c.frame); err != nil || n > 0 != c.want {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}
