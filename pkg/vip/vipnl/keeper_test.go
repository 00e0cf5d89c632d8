package vipnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// memory is a kernel with interfaces and addresses, firewall, neighbours and interfaces to be made. It writes down what it is asked.
type memory struct {
	began time.Time
	there chan struct{}

	mu     sync.Mutex
	links  []message
	addrs  map[addressKey]message
	untold []message
	lost   bool  // the next news are
	refuse error // of new addresses
	broken error // of firewall and links

	unreadable error // of lists
	log        []string
}

func newMemory(links ...string) *memory {
	m := &memory{began: time.Now(), there: make(chan struct{}, 1), addrs: map[addressKey]message{}}
	for i, name := range links {
		m.links = append(m.links, newLink(unix.RTM_NEWLINK, i+1, name, unix.IFF_UP|unix.IFF_RUNNING|unix.IFF_LOWER_UP))
	}
	return m
}

func newLink(kind uint16, index int, name string, flags uint32) message {
	b := body(make([]byte, unix.SizeofIfInfomsg))
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	b.text(unix.IFLA_IFNAME, name)
	return message{kind: kind, body: b}
}

// note is called with the lock.
func (m *memory) note(format string, values ...any) {
	m.log = append(m.log, fmt.Sprintf("%v ", time.Since(m.began))+fmt.Sprintf(format, values...))
}

func (m *memory) do(requests []message) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := make([]error, len(requests))
	for i, r := range requests {
		a, _ := decodeAddress(r.body)
		what := map[uint16]string{unix.RTM_NEWADDR: "add", unix.RTM_DELADDR: "remove"}[r.kind]
		if r.kind == unix.RTM_NEWADDR {
			errs[i] = m.refuse
		}
		m.note("%s %s/%d on %d: %v", what, a.local, a.length, a.index, errs[i])
		if errs[i] == nil {
			m.set(r)
		}
	}
	return errs
}

// set changes an address, and tells.
func (m *memory) set(r message) {
	a, _ := decodeAddress(r.body)
	if r.kind == unix.RTM_NEWADDR {
		m.addrs[a.addressKey] = r
	} else {
		delete(m.addrs, a.addressKey)
	}
	m.tell(r)
}

func (m *memory) tell(r message) {
	m.untold = append(m.untold, r)
	select {
	case m.there <- struct{}{}:
	default:
	}
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.addrs)
}

// forget drops what has been written down, or with blur its times only.
func (m *memory) forget(blur bool) {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !blur {
		m.log = nil
	}
	for i, l := range m.log {
		_, m.log[i], _ = strings.Cut(l, " ")
	}
}

// steal removes an address as somebody else would.
func (m *memory) steal(local string, heard bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, r := range m.addrs {
		if k.local == netip.MustParseAddr(local) {
			r.kind = unix.RTM_DELADDR
			m.set(r)
		}
	}
	if !heard {
		m.untold, m.lost = nil, true
	}
}

func (m *memory) list(r message) ([]message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unreadable != nil {
		return nil, m.unreadable
	}
	if r.kind == unix.RTM_GETLINK {
		return m.links, nil
	}
	var list []message
	for _, a := range m.addrs {
		list = append(list, a)
	}
	return list, nil
}

func (m *memory) receive() ([]message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		m.lost = false
		return nil, unix.ENOBUFS
	}
	news := m.untold
	m.untold = nil
	return news, nil
}

func (m *memory) join(...int) error { return nil }
func (m *memory) close() error      { return nil }

func (m *memory) Deny(addrs []netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("deny %v: %v", addrs, m.broken)
	return m.broken
}

func (m *memory) Announce(owner string, now vip.Announcement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("%s: %d places, %d fresh", owner, len(now.Places), len(now.Fresh))
}

func (m *memory) Pace(pacing map[string]vip.Pacing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("pacing of %d", len(pacing))
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("silence")
	return nil
}

func (m *memory) Make(links []vip.Link) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("%d links: %v", len(links), m.broken)
	return m.broken
}

func (m *memory) news() <-chan struct{} { return m.there }

// keep runs a Keeper in a bubble. What has been written down since the last time is compared by expect; the test begins at 0s.
func keep(t *testing.T, m *memory, f func(k *Keeper, expect func(when string, want ...string))) {
	t.Helper()
	k := NewKeeper(Options{Firewall: m, Announcer: m, Links: m, Report: func(r Report) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.note("%s %s: %s %v %d", r.What, r.Owner, r.Object, r.Err, r.Times)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.run(ctx, m) }()
	f(k, func(when string, want ...string) {
		t.Helper()
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if !slices.Equal(m.log, want) {
			t.Errorf("%s:\n%s\nwanted\n%s", when, strings.Join(m.log, "\n"), strings.Join(want, "\n"))
		}
		m.log = nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func wishOf(t *testing.T, owner string, denied bool, lines ...string) vip.Wish {
	t.Helper()
	w := vip.Wish{Owner: owner, Announce: &vip.Announce{}}
	for _, l := range lines {
		a, err := vip.ParseAddress(l)
		if err != nil {
			t.Fatal(err)
		}
		w.Addresses = append(w.Addresses, a)
		if denied {
			w.Denied = append(w.Denied, a.Prefix.Addr())
		}
	}
	return w
}

func TestKeeperOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			active, idle := wishOf(t, "VI", true, "10.0.0.1/24 dev e0", "10.0.0.2/24 dev e0"), wishOf(t, "VI", false, "10.0.0.1 dev lo")
			idle.Announce = nil
			k.Change(Setup{Links: make([]vip.Link, 2), Pacing: map[string]vip.Pacing{"e0": {}}, Universe: []vip.Wish{active, idle}})
			k.Wish(active)
			expect("active", "0s pacing of 1", "0s 2 links: <nil>", "0s deny [10.0.0.1 10.0.0.2]: <nil>",
				"0s add 10.0.0.1/24 on 2: <nil>", "0s add 10.0.0.2/24 on 2: <nil>", "0s VI: 2 places, 2 fresh")
			k.Wish(active)
			expect("nothing new")
			k.Wish(idle)
			expect("idle", "0s add 10.0.0.1/32 on 1: <nil>", "0s VI: 0 places, 0 fresh",
				"0s remove 10.0.0.2/24 on 2: <nil>", "0s remove 10.0.0.1/24 on 2: <nil>", "0s deny []: <nil>")
			k.Wish(wishOf(t, "other", true, "10.0.0.1 dev lo", "10.0.0.7 dev e0"))
			expect("a second owner", "0s deny [10.0.0.1 10.0.0.7]: <nil>", "0s add 10.0.0.7/32 on 2: <nil>", "0s other: 2 places, 2 fresh")
			k.Wish(vip.Wish{Owner: "VI"})
			expect("the first gone")
		})
		synctest.Wait()
		want := []string{
			"0s other: 0 places, 0 fresh", "0s remove 10.0.0.7/32 on 2: <nil>", "0s remove 10.0.0.1/32 on 1: <nil>", "0s deny []: <nil>",
			"0s silence", "0s deny []: <nil>", "0s 0 links: <nil>",
		}
		if !slices.Equal(m.log, want) {
			t.Errorf("end:\n%s", strings.Join(m.log, "\n"))
		}
	})
}

// The addresses of a sync group come before any of them is announced.
func TestKeeperTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep(t, newMemory("lo", "e0"), func(k *Keeper, expect func(string, ...string)) {
			expect("the start")
			k.Together(func() {
				k.Wish(wishOf(t, "E", false, "10.0.0.1/24 dev e0"))
				expect("one of two")
				k.Wish(wishOf(t, "I", false, "10.0.1.1/24 dev e0"))
			})
			expect("both", "0s add 10.0.0.1/24 on 2: <nil>", "0s add 10.0.1.1/24 on 2: <nil>", "0s E: 1 places, 1 fresh", "0s I: 1 places, 1 fresh")
		})
	})
}

func TestKeeperFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		m.refuse, m.broken = unix.EPERM, errors.New("no table")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			k.Change(Setup{})
			k.Wish(wishOf(t, "VI", true, "10.0.0.1/24 dev e0", "10.0.0.2/24 dev e1"))
			expect("refused", "0s pacing of 0", "0s 0 links: no table", "0s failed : interfaces no table 0",
				"0s deny [10.0.0.1 10.0.0.2]: no table", "0s failed : firewall no table 0",
				`0s failed VI: 10.0.0.2/24 dev e1 there is no interface "e1" 0`,
				"0s add 10.0.0.1/24 on 2: operation not permitted", "0s failed VI: 10.0.0.1/24 dev e0 operation not permitted 0",
				"0s VI: 0 places, 0 fresh")
			time.Sleep(350 * time.Millisecond)
			expect("again, and later again", "100ms 0 links: no table", "100ms deny [10.0.0.1 10.0.0.2]: no table",
				"100ms add 10.0.0.1/24 on 2: operation not permitted",
				"300ms 0 links: no table", "300ms deny [10.0.0.1 10.0.0.2]: no table", "300ms add 10.0.0.1/24 on 2: operation not permitted")
			time.Sleep(time.Minute)
			synctest.Wait()
			m.mu.Lock()
			m.log, m.refuse, m.broken = nil, nil, nil
			m.mu.Unlock()
			time.Sleep(lastRetry)
			m.forget(true)
			expect("no more", "0 links: <nil>", "settled : interfaces <nil> 0", "deny [10.0.0.1 10.0.0.2]: <nil>", "settled : firewall <nil> 0",
				"add 10.0.0.1/24 on 2: <nil>", "settled VI: 10.0.0.1/24 dev e0 <nil> 0", "VI: 1 places, 1 fresh")
			m.mu.Lock()
			m.tell(newLink(unix.RTM_NEWLINK, 3, "e1", unix.IFF_UP))
			m.mu.Unlock()
			m.forget(true)
			expect("the interface comes", "0 links: <nil>", "add 10.0.0.2/24 on 3: <nil>", "settled VI: 10.0.0.2/24 dev e1 <nil> 0", "VI: 2 places, 1 fresh")
		})
	})
}

func TestKeeperPutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			k.Wish(wishOf(t, "VI", false, "10.0.0.1/24 dev e0", "10.0.0.2/24 dev e0 no_track"))
			expect("before", "0s add 10.0.0.1/24 on 2: <nil>", "0s add 10.0.0.2/24 on 2: <nil>", "0s VI: 2 places, 2 fresh")
			m.steal("10.0.0.2", true)
			expect("no_track", "0s VI: 1 places, 0 fresh")
			m.steal("10.0.0.1", true)
			expect("put back", "0s add 10.0.0.1/24 on 2: <nil>", "0s put back VI: 10.0.0.1/24 dev e0 <nil> 1", "0s VI: 1 places, 1 fresh")
			m.steal("10.0.0.1", false)
			m.there <- struct{}{}
			expect("unheard", "0s add 10.0.0.1/24 on 2: <nil>", "0s put back VI: 10.0.0.1/24 dev e0 <nil> 2", "0s VI: 1 places, 1 fresh")
			for range 3 {
				m.steal("10.0.0.1", true)
				synctest.Wait()
			}
			m.forget(false)
			for i := range 3 {
				m.steal("10.0.0.1", true)
				synctest.Wait()
				if m.count() != 0 {
					t.Errorf("put back at once, time %d", i)
				}
				time.Sleep(fightPause)
				synctest.Wait()
				if m.count() != 1 {
					t.Errorf("not put back, time %d", i)
				}
			}
			m.mu.Lock()
			if n := strings.Count(strings.Join(m.log, "\n"), "fought VI: 10.0.0.1/24 dev e0 <nil> 5"); n != 1 {
				t.Errorf("told %d times of the fight: %q", n, m.log)
			}
			m.mu.Unlock()
			time.Sleep(2 * fightSpan)
			m.forget(false)
			m.steal("10.0.0.1", true)
			expect("peace", "23s add 10.0.0.1/24 on 2: <nil>", "23s put back VI: 10.0.0.1/24 dev e0 <nil> 9", "23s VI: 1 places, 1 fresh")
		})
	})
}
