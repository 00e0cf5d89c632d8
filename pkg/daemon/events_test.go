package daemon

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// happened returns what watchers were told since it was called before, without the time.
func (h *house) happened() (list []string) {
	h.t.Helper()
	synctest.Wait()
	for item, err := range h.Events(h.t.Context(), event.Query{After: h.seen}) {
		if err != nil {
			h.t.Fatal(err)
		}
		h.seen = item.Position
		if item.Missed > 0 || item.Begin != nil && item.Begin.Skipped > 0 {
			h.t.Errorf("events are missing: %+v", item)
		}
		if e := item.Event; e != nil {
			list = append(list, string(e.Kind)+" "+e.Story())
		}
	}
	return list
}

func (h *house) wantHappened(when string, want ...string) {
	h.t.Helper()
	all := h.happened()
	slices.Sort(all) // checks that end at one moment come in any order
	slices.Sort(want)
	if got := strings.Join(all, "\n"); got != strings.Join(want, "\n") {
		h.t.Errorf("%s:\n%s\nwant:\n%s", when, got, strings.Join(want, "\n"))
	}
}

// Watchers hear of servers and quorums, of what operators want and of reloads.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(5 * time.Second)
		of := func(n string) string { return "server 198.51.100." + n + ":80 of tcp 192.0.2.1:80: " }
		h.wantHappened("at the start", "daemon running", of("1")+"unchecked -> up", of("2")+"unchecked -> up", of("3")+"unchecked -> up")
		h.down.Store(first, true)
		h.pass(10 * time.Second)
		h.wantHappened("a server dies", of("1")+"up -> down: connection refused")
		h.down.Store(second, true)
		h.down.Store(third, true)
		h.pass(10 * time.Second)
		h.wantHappened("all servers die", of("2")+"up -> down: connection refused", of("3")+"up -> down: connection refused",
			"quorum tcp 192.0.2.1:80: up -> down: live weight 0, quorum 1")
		h.down.Clear()
		h.pass(10 * time.Second)
		h.wantHappened("they come back", of("1")+"down -> up", of("2")+"down -> up", of("3")+"down -> up",
			"quorum tcp 192.0.2.1:80: down -> up: live weight 3, quorum 1")

		three := int32(3)
		h.ordered(control.Order{Verb: control.Drain, Server: "198.51.100.1:80", Reason: "new kernel", Deadline: time.Minute})
		h.ordered(control.Order{Verb: control.Weight, Server: "198.51.100.2:80", Service: "tcp 192.0.2.1:80", Weight: &three, Expires: time.Hour})
		h.ordered(control.Order{Verb: control.Disable, Server: "198.51.100.3:80"})
		h.ordered(control.Order{Verb: control.Enable, Server: "198.51.100.3:80"})
		h.wantHappened("orders", "wish 198.51.100.1:80: drain: new kernel, deadline "+time.Now().Add(time.Minute).Format(time.RFC3339)+" (alice)",
			"wish 198.51.100.2:80 of tcp 192.0.2.1:80: weight 3: expires "+time.Now().Add(time.Hour).Format(time.RFC3339)+" (alice)",
			"wish 198.51.100.3:80: disable (alice)", "wish 198.51.100.3:80: disable is over (alice)")
		h.pass(2 * time.Minute)
		h.wantHappened("the deadline", "wish 198.51.100.1:80: drain -> disable: the deadline has come; connections cut: 0")
		h.pass(time.Hour)
		h.wantHappened("the expiry", "wish 198.51.100.2:80 of tcp 192.0.2.1:80: weight 3 is over: its time has come")

		h.reloaded()
		h.write("virtual_sever = 1\nmore = 2\n")
		h.reloaded()
		got := h.happened()
		if len(got) != 2 || got[0] != "reload "+h.files.config+": accepted" || !strings.HasPrefix(got[1], "reload "+h.files.config+": rejected: "+h.files.config+":1:1: ") {
			t.Errorf("reloads: %q", got)
		}
		h.stop()
		h.wantHappened("the stop", "daemon stopping")
	})
}

// They hear what somebody else did to the table, what the kernel refuses, once, and that it is of no use at all.
func TestEventsOfTheKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(5 * time.Second)
		h.happened()
		if _, err := h.kernel.Apply(t.Context(), []ipvs.Command{{Op: ipvs.DelService, Service: ipvs.Service{ServiceKey: webKey}}}); err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Second)
		if got := h.happened(); len(got) != 4 || !strings.HasPrefix(got[0], "drift add service tcp 192.0.2.1:80") {
			t.Errorf("drift: %q", got)
		}
		h.kernel.Refuse(func(c ipvs.Command) ipvs.Errno {
			if c.Op == ipvs.SetDestination {
				return ipvs.ENOENT
			}
			return 0
		})
		h.ordered(control.Order{Verb: control.Drain, Server: "198.51.100.1:80"})
		h.pass(time.Minute)
		if got := h.happened(); len(got) != 2 || !strings.HasPrefix(got[1], "refused tcp 192.0.2.1:80: ") {
			t.Errorf("refused: %q", got)
		}
		h.kernel.Refuse(nil)
		h.pass(time.Minute)
		h.kernel.SetLoaded(false)
		h.pass(time.Minute)
		h.kernel.SetLoaded(true)
		h.pass(time.Minute)
		if got := h.happened(); len(got) != 2 || !strings.HasPrefix(got[0], "table not kept: ") || got[1] != "table kept" {
			t.Errorf("without module: %q", got)
		}
	})
}

// What virtual routers tell is passed on, and told to watchers unless it is the same again and again.
func TestEventsOfRouters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.happened()
		told := len(h.heard.list)
		h.hearRouters(
			alert.News{About: alert.AnInstance, Name: "VI_1", Kind: "MASTER", From: "BACKUP", Reason: "no adverts", Event: true, Priority: 100},
			alert.News{About: alert.AGroup, Name: "VG_1", Kind: "MASTER", From: "BACKUP", Event: true},
			alert.News{About: alert.AnInstance, Name: "VI_1", Kind: "MASTER_PRIORITY", Priority: 90, Event: true},
			alert.News{About: alert.AnInstance, Name: "VI_1", Kind: "MASTER_RX_LOWER_PRI", Event: true, Again: true},
			alert.News{About: alert.AnInstance, Name: "VI_1", Kind: "MASTER", Line: true},
		)
		h.wantHappened("routers", "router VI_1: BACKUP -> MASTER: no adverts", "group VG_1: BACKUP -> MASTER", "router VI_1: MASTER_PRIORITY: priority 90")
		if n := len(h.heard.list) - told; n != 1 {
			t.Errorf("%d lines are passed on", n)
		}
		eth, file := vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth0"}, vrrp.Object{Kind: vrrp.TrackFile, Name: "load"}
		up, down := vrrp.Reading{Known: true, Up: true}, vrrp.Reading{Known: true, Reason: "no carrier"}
		h.hearObject(eth, vrrp.Reading{}, down)
		h.hearObject(eth, down, vrrp.Reading{Known: true, Reason: "no such interface"})
		h.hearObject(eth, down, up)
		h.hearObject(file, vrrp.Reading{Known: true, Value: 3}, vrrp.Reading{Known: true, Value: -5})
		h.hearObject(vrrp.Object{Kind: vrrp.TrackService, Name: "x"}, up, down)
		h.wantHappened("objects", "tracked interface eth0: down: no carrier", "tracked interface eth0: down -> up", "tracked file load: 3 -> -5")
	})
}

// Somebody who watches hears of it at once.
func TestWatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(5 * time.Second)
		ctx, stop := context.WithCancel(t.Context())
		none, seen := 0, make(chan string, 9)
		go func() {
			for item := range h.Events(ctx, event.Query{Follow: true, Last: &none, Server: "198.51.100.2"}) {
				if item.Event != nil {
					seen <- item.Event.To
				}
			}
			close(seen)
		}()
		synctest.Wait()
		h.down.Store(first, true)
		h.down.Store(second, true)
		if got := <-seen; got != "down" {
			t.Error(got)
		}
		stop()
		if got, more := <-seen; more {
			t.Error(got)
		}
	})
}
