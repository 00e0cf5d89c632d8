package vrrpio

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

func TestElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		better := n.start(t, 1, virtual(7, 150))
		other := n.start(t, 2, virtual(7, 100))
		time.Sleep(3*time.Second + 415*time.Millisecond) // 3 intervals and (256-150)/256 of one
		synctest.Wait()
		better.is("VI_7", vrrp.Active)
		other.is("VI_7", vrrp.Backup)

		time.Sleep(24 * time.Hour)
		better.is("VI_7", vrrp.Active)
		other.is("VI_7", vrrp.Backup)
		if s := better.status("VI_7"); s.Counters.Sent < 86400 || s.Counters.Late != 0 || s.Counters.Latest != 0 {
			t.Errorf("%+v", s.Counters)
		}
		if s := other.status("VI_7"); s.Counters.Received < 86400 || s.Heard != better.addr {
			t.Errorf("heard %v: %+v", s.Heard, s.Counters)
		}

		better.cancel() // says so with priority 0
		end := better.took()
		if last, ok := end[len(end)-1].(vrrp.Became); !ok || last.To != vrrp.Initialize {
			t.Errorf("the last action is %+v", end[len(end)-1])
		}
		time.Sleep(610 * time.Millisecond) // (256-100)/256 s
		synctest.Wait()
		other.is("VI_7", vrrp.Active)
		if _, _, err := better.Status(t.Context()); !errors.Is(err, ErrEnded) {
			t.Errorf("status of an ended runner: %v", err)
		}
		other.cancel()
	})
}

// Without a word the other router waits for the whole Active_Down_Interval.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		leaves, stays := n.start(t, 1, virtual(7, 150)), n.start(t, 2, virtual(7, 100))
		time.Sleep(3*time.Second + 500*time.Millisecond)
		synctest.Wait()
		leaves.is("VI_7", vrrp.Active)
		leaves.took()
		leaves.Abandon()
		time.Sleep(3 * time.Second)
		stays.is("VI_7", vrrp.Backup)
		if end := leaves.took(); len(end) > 0 {
			t.Errorf("it did %v", end)
		}
		time.Sleep(time.Second)
		stays.is("VI_7", vrrp.Active)
		if s := stays.status("VI_7"); s.Counters.PriorityZeroReceived != 0 {
			t.Error("priority 0 was sent")
		}
		stays.cancel()
	})
}

// Five routers, whose network is cut in two and put together again.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		var routers []*router
		for i := range byte(5) {
			routers = append(routers, n.start(t, i+1, virtual(7, 100+10*i), virtual(8, 150-10*i)))
		}
		count := func(name string, among ...*router) (active []int) {
			for i, r := range among {
				if r.status(name).State == vrrp.Active {
					active = append(active, i)
				}
			}
			return active
		}
		time.Sleep(10 * time.Second)
		if a, b := count("VI_7", routers...), count("VI_8", routers...); !slices.Equal(a, []int{4}) || !slices.Equal(b, []int{0}) {
			t.Fatalf("active are %v and %v", a, b)
		}
		routers[4].set(func(p *port) { p.cut = true })
		time.Sleep(10 * time.Second)
		if a, b := count("VI_7", routers...), count("VI_8", routers...); !slices.Equal(a, []int{3, 4}) || !slices.Equal(b, []int{0, 4}) {
			t.Fatalf("while it is cut, active are %v and %v", a, b)
		}
		routers[4].set(func(p *port) { p.cut = false })
		time.Sleep(10 * time.Second)
		if a, b := count("VI_7", routers...), count("VI_8", routers...); !slices.Equal(a, []int{4}) || !slices.Equal(b, []int{0}) {
			t.Fatalf("afterwards, active are %v and %v", a, b)
		}
		for _, r := range routers {
			r.cancel()
		}
	})
}

func TestUnicastAndIPv6(t *testing.T) {
	addr := netip.MustParseAddr
	for name, change := range map[string]func(number byte) func(*vrrp.Instance){
		"unicast": func(number byte) func(*vrrp.Instance) {
			return func(in *vrrp.Instance) {
				in.Multicast = netip.Addr{}
				for i := range byte(3) {
					if i+1 != number {
						in.Peers = append(in.Peers, vrrp.Peer{Addr: netip.AddrFrom4([4]byte{192, 0, 2, i + 1}), MaxTTL: 255})
					}
				}
			}
		},
		"IPv6": func(byte) func(*vrrp.Instance) {
			return func(in *vrrp.Instance) {
				in.IPv6, in.Multicast, in.Addresses = true, addr("ff02::12"), []netip.Addr{addr("fe80::7")}
			}
		},
		"version 2 with AH": func(byte) func(*vrrp.Instance) {
			return func(in *vrrp.Instance) {
				in.Version, in.Auth = 2, vrrp.Auth{Type: vrrp.AuthAH, Password: [8]byte{'p'}}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &lan{}
				var routers []*router
				for i := range byte(3) {
					routers = append(routers, n.start(t, i+1, virtual(7, 100+i, change(i+1))))
				}
				time.Sleep(time.Minute)
				for i, want := range []vrrp.State{vrrp.Backup, vrrp.Backup, vrrp.Active} {
					routers[i].is("VI_7", want)
					if s := routers[i].status("VI_7"); len(s.Counters.Rejected) != 0 {
						t.Errorf("%+v", s.Counters)
					}
					routers[i].cancel()
				}
			})
		})
	}
}

func TestSendError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150), virtual(8, 150))
		time.Sleep(10 * time.Second)
		r.set(func(p *port) { p.mute = errRefused })
		before := r.status("VI_7").Counters
		time.Sleep(10 * time.Second)
		for _, name := range []string{"VI_7", "VI_8"} {
			if c := r.status(name).Counters; c.SendErrors != 10 || c.LastSendError != "refused" || c.Sent != before.Sent+10 {
				t.Errorf("%+v", c)
			}
		}
		r.cancel()
	})
}

// What is changed holds from then on: both routers get another password.
// Sockets that nobody wants any more when they are open at last are closed, and those that can't be opened are given up.
// A socket has the largest buffer that one of its instances asks for.
func TestHostSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150))
		time.Sleep(10 * time.Second)
		r.set(func(p *port) { p.asleep += time.Minute })
		time.Sleep(1500 * time.Millisecond)
		r.is("VI_7", vrrp.Backup)
		if c := r.status("VI_7").Counters; c.SteppedDown != 1 {
			t.Errorf("%+v", c)
		}
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		r.cancel()
	})
}

func TestLateAdverts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150), virtual(8, 150))
		time.Sleep(10 * time.Second)
		r.set(func(p *port) { p.busy = 300 * time.Millisecond })
		time.Sleep(10 * time.Second)
		if c := r.status("VI_7").Counters; c.Late != 0 || c.Latest != 300*time.Millisecond {
			t.Errorf("late %d, latest %v", c.Late, c.Latest)
		}
		r.set(func(p *port) { p.busy = 400 * time.Millisecond })
		time.Sleep(15 * time.Second)
		r.set(func(p *port) { p.busy = 0 })
		time.Sleep(time.Second)
		for _, name := range []string{"VI_7", "VI_8"} {
			if c := r.status(name).Counters; c.Late != 15 || c.Latest != 400*time.Millisecond {
				t.Errorf("late %d, latest %v", c.Late, c.Latest)
			}
		}
		if n := strings.Count(r.log.String(), "adverts left late"); n != 2 {
			t.Errorf("%d lines:\n%s", n, r.log)
		}
		r.cancel()
	})
}

func TestSwitchover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150))
		other := n.start(t, 2, virtual(7, 100))
		time.Sleep(10 * time.Second)
		if err := other.Switchover(t.Context(), "VI_7"); err == nil {
			t.Error("a backup handed over")
		}
		if err := r.Switchover(t.Context(), "VI_7"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		r.is("VI_7", vrrp.Backup)
		other.is("VI_7", vrrp.Active)
		r.cancel()
		if err := r.Switchover(t.Context(), "VI_7"); !errors.Is(err, ErrEnded) {
			t.Errorf("switchover of an ended runner: %v", err)
		}
		other.cancel()
	})
}

func TestTrackingAndPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth0"}
		n := &lan{}
		r := n.host(t, 1)
		r.Interfaces(eth0(1, 1))
		r.Change([]vrrp.Instance{virtual(7, 150, func(in *vrrp.Instance) { in.Tracks = []vrrp.Track{{Object: link}} })}, nil)
		time.Sleep(time.Minute)
		r.is("VI_7", vrrp.Initialize)
		r.Observe(link, vrrp.Reading{Known: true, Up: true})
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		r.PutBack("VI_7")
		r.PutBack("nobody")
		if c := r.status("VI_7").Counters; c.PutBack != 1 {
			t.Errorf("%+v", c)
		}
		r.cancel()
	})
}

func TestPacketsThatAreNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150))
		time.Sleep(10 * time.Second)
		foreign, group := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("224.0.0.18")
		say := func(in vrrp.Instance, a vrrp.Advert, spoil func([]byte) []byte) {
			a.Version, a.Addrs, a.Interval = in.Version, in.Addresses, time.Second
			n.forward(nil, foreign, group, false, spoil(vrrp.NewCodec(&in).Encode(a, foreign, group, time.Now())))
		}
		same := func(b []byte) []byte { return b }
		for range 3 {
			say(virtual(8, 255), vrrp.Advert{VRID: 8, Priority: 255}, same)
			say(virtual(7, 255), vrrp.Advert{VRID: 7, Priority: 255}, func(b []byte) []byte { b[8] = 1; return b })
			say(virtual(7, 255), vrrp.Advert{VRID: 7, Priority: 255}, func(b []byte) []byte { return b[:22] })
		}
		time.Sleep(time.Minute)
		r.is("VI_7", vrrp.Active)
		c := r.status("VI_7").Counters
		for _, why := range []vrrp.Reject{vrrp.RejectUnknownVRID, vrrp.RejectTTL, vrrp.RejectLength} {
			if c.Rejected[why] != 3 {
				t.Errorf("%v: %d times", why, c.Rejected[why])
			}
		}
		for _, line := range []string{"no instance has", "its TTL is not 255"} {
			if n := strings.Count(r.log.String(), line); n != 1 {
				t.Errorf("%d lines %q:\n%s", n, line, r.log)
			}
		}
		r.cancel()
	})
}

// It is told in parts, in the order of the file, and of one configuration.
func TestStatusOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		for _, count := range []int{0, 1, statusPart - 1, statusPart, statusPart + 1, 3*statusPart + 1} {
			var all []vrrp.Instance
			for i := range count {
				all = append(all, virtual(byte(i+1), 100))
			}
			r.Change(all, []vrrp.Group{{Name: "G", Members: []string{"VI_1"}}})
			got, groups, err := r.Status(t.Context())
			if err != nil || len(got) != count || len(groups) != 1 {
				t.Fatalf("%d instead of %d, groups %v, %v", len(got), count, groups, err)
			}
			for i := range got {
				if got[i].Name != all[i].Name {
					t.Errorf("%s instead of %s", got[i].Name, all[i].Name)
				}
			}
		}
		r.cancel()
	})
}

// A reason is logged once, until another router is believed.
func TestLogOfRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 100))
		better := n.start(t, 2, virtual(7, 150))
		lines := func() int { return strings.Count(r.log.String(), "its TTL is not 255") }
		bad := func() {
			in, from := virtual(7, 255), netip.MustParseAddr("192.0.2.9")
			a := vrrp.Advert{Version: 3, VRID: 7, Priority: 255, Addrs: in.Addresses, Interval: time.Second}
			packet := vrrp.NewCodec(&in).Encode(a, from, in.Multicast, time.Now())
			packet[8] = 1
			n.forward(nil, from, in.Multicast, false, packet)
		}
		for range 5 {
			time.Sleep(10 * time.Second)
			bad()
		}
		if lines() != 1 {
			t.Errorf("%d lines", lines())
		}
		best := n.start(t, 3, virtual(7, 200))
		time.Sleep(10 * time.Second)
		bad()
		synctest.Wait()
		if lines() != 2 {
			t.Errorf("%d lines", lines())
		}
		r.cancel()
		better.cancel()
		best.cancel()
	})
}

func TestStatusDuringReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		configurations := make([][]vrrp.Instance, 2)
		for i := range configurations {
			for vrid := range byte(200) {
				configurations[i] = append(configurations[i], virtual(vrid+1, 100, func(in *vrrp.Instance) { in.Name = fmt.Sprint(i, ".", vrid) }))
			}
		}
		r.Change(configurations[0], nil)
		var reloads sync.WaitGroup
		reloads.Go(func() {
			for i := range 100 {
				r.Change(configurations[i%2], nil)
				time.Sleep(time.Microsecond)
			}
		})
		for range 100 {
			all, _, err := r.Status(t.Context())
			if err != nil || len(all) != 200 || all[0].Name[0] != all[199].Name[0] {
				t.Fatalf("%d instances, %v", len(all), err)
			}
			time.Sleep(time.Microsecond)
		}
		reloads.Wait()
		r.cancel()
	})
}

func TestStatusWhenItDoesNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := New(Options{}).Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestProcessorsAreGivenBack(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1)
		if now := runtime.GOMAXPROCS(0); now != before+headroom {
			t.Errorf("%d processors instead of %d", now, before+headroom)
		}
		if thread, ok := r.Thread(); !ok || thread.Realtime != 0 || len(thread.Denied) != 0 {
			t.Errorf("%+v", thread)
		}
		r.cancel()
	})
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Errorf("%d processors instead of %d", now, before)
	}
}
