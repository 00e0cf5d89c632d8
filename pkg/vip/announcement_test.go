package vip_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// replay runs a machine on a clock that jumps from deadline to deadline.
type replay struct {
	*vip.Announcements
	t   *testing.T
	now time.Time
}

func newReplay(t *testing.T) *replay { return &replay{vip.NewAnnouncements(), t, start} }

// until returns what is sent up to a time after the start: "0s a1 b1", one line for each moment.
func (r *replay) until(d time.Duration) string {
	r.t.Helper()
	var lines []string
	for range 10_000 {
		var sent []string
		for {
			n, due := r.Step(r.now)
			if !due {
				break
			}
			sent = append(sent, n.Owner+n.Addr.String()[strings.LastIndexAny(n.Addr.String(), ".:")+1:])
		}
		for _, c := range r.Conflicts() {
			sent = append(sent, fmt.Sprintf("%s%s:%x:%v", c.Owner, c.Addr, c.MAC[5], c.Over))
		}
		if sent != nil {
			lines = append(lines, r.now.Sub(start).String()+" "+strings.Join(sent, " "))
		}
		at := r.Deadline()
		if end := start.Add(d); at.IsZero() || at.After(end) {
			r.now = end
			return strings.Join(lines, "\n")
		} else if !at.After(r.now) {
			r.t.Fatalf("at %v the deadline is %v", r.now.Sub(start), at.Sub(start))
		}
		r.now = at
	}
	r.t.Fatal("no end")
	return ""
}

func (r *replay) announce(owner string, a vip.Announcement) { r.Announce(r.now, owner, a) }

func (r *replay) expect(d time.Duration, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), r.until(d)); diff != "" {
		r.t.Errorf("until %v (-want +got):\n%s", d, diff)
	}
}

// at makes places: "1" is 192.0.2.1, ":1" is 2001:db8::1, on interface 1, or 2 behind a star.
func at(places ...string) (list []vip.Place) {
	for _, p := range places {
		name, other := strings.CutSuffix(p, "*")
		addr := "192.0.2." + name
		if rest, ipv6 := strings.CutPrefix(name, ":"); ipv6 {
			addr = "2001:db8::" + rest
		}
		place := vip.Place{Addr: netip.MustParseAddr(addr), Dev: "eth1", Index: 1}
		if other {
			place.Dev, place.Index = "eth2", 2
		}
		list = append(list, place)
	}
	return list
}

// fresh announces places that have just come.
func fresh(how vip.Announce, places ...string) vip.Announcement {
	return vip.Announcement{How: &how, Places: at(places...), Fresh: at(places...)}
}

var keepalived = vip.Announce{Repeat: 5, Delay: 5 * time.Second, RefreshRepeat: 1, LowerRepeat: 5, LowerDelay: 5 * time.Second, Source: "eth1"}

// keepalived's defaults: rounds over all addresses, and once more after 5 s.
func TestBursts(t *testing.T) {
	r := newReplay(t)
	r.announce("a", fresh(keepalived, "1", ":2"))
	round := strings.TrimSpace(strings.Repeat(" a1 a2", 5))
	r.expect(time.Minute, "0s "+round, "5s "+round)
}

// vrrp_min_garp: one frame, and nothing after.
func TestMinGARP(t *testing.T) {
	r := newReplay(t)
	r.announce("a", fresh(vip.Announce{Repeat: 1}, "1"))
	r.expect(time.Hour, "0s a1")
}

// A release drops what is queued and what would come.
func TestRelease(t *testing.T) {
	how := keepalived
	how.Refresh = time.Second
	for _, c := range []struct {
		name string
		now  vip.Announcement
	}{
		{"no announcement", vip.Announcement{}},
		{"no address", vip.Announcement{How: &how}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplay(t)
			r.Pace(map[string]vip.Pacing{"": {ARP: time.Second}})
			r.announce("a", fresh(how, "1", "2"))
			r.expect(time.Second, "0s a1", "1s a2")
			r.Claimed(r.now, 1, vip.Claim{Addr: at("1")[0].Addr, MAC: [6]byte{5: 7}})
			r.announce("a", c.now)
			if r.expect(time.Hour); !r.Deadline().IsZero() {
				t.Errorf("deadline %v", r.Deadline())
			}
			if a := r.Addresses(); len(a) != 0 {
				t.Errorf("addresses %v", a)
			}
			// The next time it begins anew.
			r.announce("a", fresh(vip.Announce{Repeat: 1}, "2"))
			r.expect(2*time.Hour, "1h0m0s a2")
		})
	}
}

// One address of several that goes takes its frames along, and only its.
func TestAddressGoes(t *testing.T) {
	r := newReplay(t)
	r.Pace(map[string]vip.Pacing{"": {ARP: time.Second}})
	how := vip.Announce{Repeat: 2, Delay: 10 * time.Second}
	r.announce("a", fresh(how, "1", "2"))
	r.expect(0, "0s a1")
	r.announce("a", vip.Announcement{How: &how, Places: at("2")})
	r.expect(time.Minute, "1s a2", "2s a2", "10s a2", "11s a2")
}

// One that comes back is told alone.
func TestAddressComesBack(t *testing.T) {
	r := newReplay(t)
	how := vip.Announce{Repeat: 1, Delay: 5 * time.Second}
	r.announce("a", fresh(how, "1", "2"))
	r.expect(9*time.Second, "0s a1 a2", "5s a1 a2")
	r.announce("a", vip.Announcement{How: &how, Places: at("1", "2"), Fresh: at("2")})
	r.expect(time.Minute, "9s a2", "14s a2")
}

func TestRefresh(t *testing.T) {
	r := newReplay(t)
	how := vip.Announce{Repeat: 1, Refresh: 10 * time.Second, RefreshRepeat: 2}
	r.announce("a", fresh(how, "1"))
	r.expect(25*time.Second, "0s a1", "10s a1 a1", "20s a1 a1")
	how.Refresh = time.Minute // a reload
	r.announce("a", vip.Announcement{How: &how, Places: at("1")})
	r.expect(2*time.Minute, "1m25s a1 a1")
	how.Refresh = 0
	r.announce("a", vip.Announcement{How: &how, Places: at("1")})
	r.expect(time.Hour)
}

// An advert of lower priority: now and after garp_lower_prio_delay, which begins anew with the next one.
func TestLowerPriority(t *testing.T) {
	r := newReplay(t)
	how := vip.Announce{Repeat: 1, LowerRepeat: 2, LowerDelay: 5 * time.Second}
	a := fresh(how, "1")
	a.Repeat = 7 // of before it was active
	r.announce("a", a)
	r.expect(10*time.Second, "0s a1")
	again := func() {
		a.Fresh, a.Repeat = nil, a.Repeat+1
		r.announce("a", a)
	}
	again()
	r.expect(12*time.Second, "10s a1 a1")
	again()
	r.expect(time.Minute, "12s a1 a1", "17s a1 a1")
	a.How.LowerRepeat = 0 // strict mode
	again()
	r.expect(time.Hour)
}

// garp_extra_if: addresses on other interfaces than the instance's, or all.
func TestExtra(t *testing.T) {
	for _, c := range []struct {
		all  bool
		want string
	}{{false, "1m0s a2"}, {true, "1m0s a1 a2"}} {
		r := newReplay(t)
		r.announce("a", fresh(vip.Announce{Repeat: 1, ExtraEvery: time.Minute, ExtraAll: c.all, Source: "eth1"}, "1", "2*"))
		r.expect(90*time.Second, "0s a1 a2", c.want)
	}
}

// The least time between two frames holds for an interface and family, whoever sends them, or for a garp_group.
func TestPacing(t *testing.T) {
	one := vip.Announce{Repeat: 1}
	for _, c := range []struct {
		name   string
		pacing map[string]vip.Pacing
		want   []string
	}{
		{"none", nil, []string{"0s a1 a2 a3 a4 b5 b6"}},
		{"of all others", map[string]vip.Pacing{"": {ARP: time.Second, NA: 3 * time.Second}},
			[]string{"0s a1 a2 a3 a4", "1s b5", "2s b6"}},
		{"of one", map[string]vip.Pacing{"eth1": {ARP: time.Second}},
			[]string{"0s a3 a4 a2 a1", "1s b5", "2s b6"}},
		{"of a group", map[string]vip.Pacing{"eth1": {ARP: time.Second, Group: "g"}, "eth2": {ARP: time.Second, Group: "g"}},
			[]string{"0s a3 a4 a1", "1s a2", "2s b5", "3s b6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplay(t)
			r.Pace(c.pacing)
			r.announce("a", fresh(one, "1", "2*", ":3", ":4*"))
			r.announce("b", fresh(one, "5", "6"))
			got := r.until(time.Minute)
			sorted := func(lines []string) []string { // within a moment the order of lanes does not matter
				for i, l := range lines {
					f := strings.Fields(l)
					slices.Sort(f[1:])
					lines[i] = strings.Join(f, " ")
				}
				return lines
			}
			if diff := cmp.Diff(sorted(c.want), sorted(strings.Split(got, "\n"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A VMAC has the pacing of its base, and they take turns; unless it has one of its own.
func TestInherit(t *testing.T) {
	links := []vip.Link{{Name: "vrrp.1", Base: "eth0"}, {Name: "vrrp.2", Base: "eth0"}, {Name: "vrrp.3", Base: "eth1"}, {Name: "vrrp.4", Base: "eth2"},
		{Name: "vrrp.5", Base: "eth3"}}
	own, of := vip.Pacing{ARP: time.Second}, func(group string, p vip.Pacing) vip.Pacing {
		p.Group = group
		return p
	}
	for _, c := range []struct {
		name      string
		has, want map[string]vip.Pacing
	}{
		{"none", nil, nil},
		{"some", map[string]vip.Pacing{"eth0": own, "eth1": of("g", own), "eth2": own, "vrrp.4": of("g", own)},
			map[string]vip.Pacing{
				"eth0": of("interface eth0", own), "vrrp.1": of("interface eth0", own), "vrrp.2": of("interface eth0", own),
				"eth1": of("g", own), "vrrp.3": of("g", own), "eth2": own, "vrrp.4": of("g", own),
			}},
		{"all", map[string]vip.Pacing{"": own, "eth0": own, "eth1": own, "eth2": of("g", own), "vrrp.1": own, "vrrp.2": own, "vrrp.3": own, "vrrp.4": own},
			map[string]vip.Pacing{
				"": own, "eth0": own, "eth1": own, "eth2": of("g", own), "vrrp.1": own, "vrrp.2": own, "vrrp.3": own, "vrrp.4": own,
				"eth3": of("interface eth3", own), "vrrp.5": of("interface eth3", own),
			}},
	} {
		if diff := cmp.Diff(c.want, vip.Inherit(c.has, links)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A reload can change the pacing of what waits.
func TestPacingChanges(t *testing.T) {
	r := newReplay(t)
	r.Pace(map[string]vip.Pacing{"": {ARP: time.Minute}})
	r.announce("a", fresh(vip.Announce{Repeat: 3}, "1"))
	r.expect(time.Second, "0s a1")
	r.Pace(nil)
	r.expect(time.Hour, "1s a1 a1")
}

// Bursts that come faster than the pacing allows don't pile up.
func TestBacklog(t *testing.T) {
	r := newReplay(t)
	r.Pace(map[string]vip.Pacing{"": {ARP: 10 * time.Second}})
	how := vip.Announce{Repeat: 2, Refresh: time.Second, RefreshRepeat: 1, LowerRepeat: 2}
	a := fresh(how, "1")
	r.announce("a", a)
	for i := range 1000 {
		r.until(time.Duration(i) * time.Second)
		a.Fresh, a.Repeat = nil, a.Repeat+1
		r.announce("a", a)
	}
	a.How = &vip.Announce{Repeat: 1}
	r.announce("a", a)
	if got := strings.Count(r.until(time.Hour), "a1"); got > 3 {
		t.Errorf("%d frames were waiting", got)
	}
}

// A frame that could not be sent is sent again.
func TestFailed(t *testing.T) {
	r := newReplay(t)
	r.announce("a", fresh(vip.Announce{Repeat: 1}, "1", "2"))
	n, _ := r.Step(r.now)
	r.Failed(r.now, n)
	r.expect(time.Minute, "0s a2", "1s a1")
	r.Failed(r.now, n)
	r.announce("a", vip.Announcement{})
	r.Failed(r.now, n)
	r.expect(time.Hour)
}

// When a carrier comes back, all addresses there are told as if they had just come.
func TestUp(t *testing.T) {
	r := newReplay(t)
	for _, owner := range []string{"b", "a"} {
		r.announce(owner, fresh(vip.Announce{Repeat: 1, Delay: 5 * time.Second}, "1", "2*"))
	}
	r.until(time.Minute)
	r.Up(r.now, 2)
	r.Up(r.now, 3)
	r.expect(2*time.Minute, "1m0s a2 b2", "1m5s a2 b2")
}

// Another host that says that it has an address of ours is reported, but not one that takes over; when it is quiet again, the
// neighbours are told the truth.
func TestConflict(t *testing.T) {
	other := vip.Claim{Addr: at("1")[0].Addr, MAC: [6]byte{5: 7}}
	r := newReplay(t)
	r.announce("a", fresh(vip.Announce{Repeat: 2}, "1", "2"))
	r.until(time.Minute)
	r.Claimed(r.now, 2, other)                                             // elsewhere
	r.Claimed(r.now, 1, vip.Claim{Addr: at("3")[0].Addr, MAC: [6]byte{7}}) // nobody's
	r.expect(2 * time.Minute)
	r.Claimed(r.now, 1, other)
	r.expect(2*time.Minute+time.Second, "2m0.5s a192.0.2.1:7:false")
	r.Claimed(r.now, 1, other) // it goes on
	r.expect(2*time.Minute+5*time.Second, "2m3s a1 a1 a192.0.2.1:7:true")

	// Two that do this to each other do it slowly.
	r.Claimed(r.now, 1, other)
	r.expect(3*time.Minute, "2m5.5s a192.0.2.1:7:false", "2m13s a1 a1 a192.0.2.1:7:true")

	r.Claimed(r.now, 1, other)
	r.until(3*time.Minute + 100*time.Millisecond)
	r.announce("a", vip.Announcement{}) // a handover
	r.expect(time.Hour)
}

func TestAddresses(t *testing.T) {
	r := newReplay(t)
	r.announce("b", fresh(keepalived, ":3", "1"))
	r.announce("a", fresh(keepalived, "2", "1*"))
	want := []netip.Addr{at("1")[0].Addr, at("2")[0].Addr, at(":3")[0].Addr}
	if got := r.Addresses(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
