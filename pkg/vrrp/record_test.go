package vrrp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// crash is an active router that was killed: what it left, and the configuration of the one that comes next.
type crash struct {
	t         *testing.T
	rec       *Record
	instances []Instance
	groups    []Group
	after     time.Duration // the last advert
	heard     netip.Addr    // that one listens to; zero: nobody
	unfit     string
	reading   *Reading // of script
}

const crashUp = 100 * time.Hour

// crashed is a pair of instances, which say every second that they are active.
func crashed(t *testing.T, group bool) *crash {
	t.Helper()
	c := &crash{t: t, instances: []Instance{instance("VI_1"), instance("VI_2")}, after: time.Second}
	for n := range c.instances {
		c.instances[n].VRID = uint8(50 + n)
		c.instances[n].Tracks = []Track{script}
	}
	if group {
		c.groups = []Group{{Name: "G", Members: []string{"VI_1", "VI_2"}, Weights: true}}
	}
	now := crashStart
	r := NewRouter()
	r.Change(now, c.instances, c.groups)
	r.Step(now, Observed{script.Object, Reading{Known: true}})
	for _, in := range c.instances {
		r.Step(now, Startup{in.Name, now})
	}
	for range 2 {
		now = r.Deadline()
		r.Step(now, Tick{})
	}
	c.rec = r.Record(BootID{7})
	for place, in := range c.instances {
		if m := r.machines[in.Name]; m.state != Active {
			t.Fatalf("%s is %v", in.Name, m.state)
		}
		r.Enter(c.rec, place, now, now, crashUp, CodecStanding{Sequence: 9})
	}
	return c
}

var crashStart = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// next starts the next process, and fails the test unless it goes on with these.
func (c *crash) next(want ...string) (*Router, []Action) {
	c.t.Helper()
	text, _ := c.rec.Changed()
	c.rec.Anew()
	remains, err := ParseRecord(text)
	if err != nil {
		c.t.Fatal(err)
	}
	now := crashStart.Add(time.Hour) // the clock is another process's
	r := NewRouter()
	r.Change(now, c.instances, c.groups)
	if c.heard.IsValid() {
		r.Step(now, Received{c.instances[0].Name, c.heard, Advert{Version: 3, VRID: c.instances[0].VRID, Priority: 1, Interval: time.Second}})
	}
	if c.reading != nil {
		r.Step(now, Observed{script.Object, *c.reading})
	}
	actions, resumed := r.Recover(now, crashUp+c.after, remains, func(name string) bool { return name != c.unfit })
	if !slices.Equal(resumed, want) {
		c.t.Errorf("%q go on, want %q", resumed, want)
	}
	if left := remains.Left(c.instances, crashUp+c.after); left < 0 || left == 0 && len(want) > 0 {
		c.t.Errorf("there are %v left", left)
	}
	return r, slices.Clone(actions)
}

// Who goes on says so at once with the priority that it had, and has been active since it was.
func TestRecover(t *testing.T) {
	for _, group := range []bool{false, true} {
		c := crashed(t, group)
		r, actions := c.next("VI_1", "VI_2")
		want := []Action{
			Send{"VI_1", 40, time.Second}, Send{"VI_2", 40, time.Second},
			WentOn{"VI_1", 40, time.Second}, WentOn{"VI_2", 40, time.Second},
		}
		if fmt.Sprint(actions) != fmt.Sprint(want) {
			t.Errorf("group %v: %v, want %v", group, actions, want)
		}
		all, groups := r.Status()
		if s := all[0]; s.State != Active || s.Counters.BecameActive != 0 || r.now.Sub(s.Since) != 2*time.Second || s.Reason == "" {
			t.Errorf("group %v: %+v", group, s)
		}
		if group && (len(groups) != 1 || groups[0].State != Active) {
			t.Errorf("%+v", groups)
		}
		if r.Deadline() != r.now.Add(time.Second) {
			t.Errorf("group %v: the next advert is due at %v", group, r.Deadline())
		}
	}
}

// All that refuses, of an instance and of its group.
func TestRecoverRefused(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.9")
	first := func(change func(in *Instance)) func(*crash) {
		return func(c *crash) { change(&c.instances[0]) }
	}
	for _, tc := range []struct {
		name   string
		change func(c *crash)
		both   bool // it is a reason for the other one, too
	}{
		{"another name", func(c *crash) {
			c.instances[0].Name = "VI_3"
			for i := range c.groups {
				c.groups[i].Members[0] = "VI_3"
			}
		}, false},
		{"another VRID", first(func(in *Instance) { in.VRID = 99 }), false},
		{"another interface", first(func(in *Instance) { in.Interface = "eth7" }), false},
		{"another family", first(func(in *Instance) { in.IPv6 = true }), false},
		{"another version", first(func(in *Instance) { in.Version = 2 }), false},
		{"another priority", first(func(in *Instance) { in.Priority++ }), false},
		{"another interval", first(func(in *Instance) { in.AdvertInterval *= 2 }), false},
		{"other addresses", first(func(in *Instance) { in.Addresses = []netip.Addr{other} }), false},
		{"other peers", first(func(in *Instance) { in.Peers = []Peer{{Addr: other}} }), false},
		{"another group", first(func(in *Instance) { in.Group = "H" }), false},
		{"no source", func(c *crash) {
			c.instances[0].Source = netip.Addr{}
			c.rewrite(func(*machine) {})
		}, false},
		{"its addresses are not there", func(c *crash) { c.unfit = "VI_1" }, false},
		{"another router is heard", func(c *crash) { c.heard = other }, false},
		{"it is at fault by now", func(c *crash) {
			c.instances[0].Tracks = []Track{{Object: script.Object}}
			c.reading = &Reading{Known: true}
		}, false},
		{"too late", func(c *crash) { c.after = 2750 * time.Millisecond }, true},
		{"of the future", func(c *crash) { c.after = -1 }, true},
		{"two adverts are the end", func(c *crash) { c.after = 1750 * time.Millisecond; c.instances[0].DownTimerAdverts = 2 }, false},
		{"it was no longer active", func(c *crash) { c.rewrite(func(m *machine) { m.state = Backup }) }, false},
		{"it was giving the role away", func(c *crash) { c.rewrite(func(m *machine) { m.handing = true }) }, false},
		{"it had not said so yet", func(c *crash) { c.rewrite(func(m *machine) { m.entering = true }) }, false},
		{"a torn entry", func(c *crash) { c.rec.image[entryLen+10] ^= 1 }, false},
		{"an entry that is there twice", func(c *crash) { copy(c.rec.image[2*entryLen:], c.rec.image[entryLen:2*entryLen]) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, group := range []bool{false, true} {
				c := crashed(t, group)
				tc.change(c)
				if group || tc.both {
					c.next()
				} else {
					c.next("VI_2")
				}
			}
		})
	}
}

// Who went on and is killed soon after does not go on again; later, and after it has become active in the usual way, it does.
func TestRecoverTwice(t *testing.T) {
	c := crashed(t, true)
	r, _ := c.next("VI_1", "VI_2")
	again := func(want ...string) {
		t.Helper()
		up := crashUp + c.after + r.now.Sub(crashStart.Add(time.Hour))
		rec := r.Record(BootID{7})
		for place := range c.instances {
			r.Enter(rec, place, r.now, r.now, up, CodecStanding{})
		}
		text, _ := rec.Changed()
		remains, err := ParseRecord(text)
		if err != nil {
			t.Fatal(err)
		}
		next := NewRouter()
		next.Change(crashStart, c.instances, c.groups)
		if _, resumed := next.Recover(crashStart, up+time.Second, remains, func(string) bool { return true }); !slices.Equal(resumed, want) {
			t.Errorf("%v later %q go on, want %q", r.now.Sub(crashStart.Add(time.Hour)), resumed, want)
		}
	}
	again()
	for range 59 {
		r.Step(r.Deadline(), Tick{})
	}
	again()
	r.Step(r.Deadline(), Tick{})
	again("VI_1", "VI_2")
	c = crashed(t, true)
	r, _ = c.next("VI_1", "VI_2")
	r.Step(r.now, Received{"VI_1", netip.MustParseAddr("192.0.2.9"), Advert{Version: 3, VRID: 50, Priority: 200, Interval: time.Second}})
	for r.ordered[0].state != Active || r.ordered[1].state != Active {
		r.Step(r.Deadline(), Tick{})
	}
	again("VI_1", "VI_2")
}

// rewrite has the first entry be that of a machine in another state.
func (c *crash) rewrite(change func(m *machine)) {
	r := NewRouter()
	r.Change(crashStart, c.instances, c.groups)
	m := r.ordered[0]
	m.state, m.since = Active, crashStart
	change(m)
	r.Enter(c.rec, 0, crashStart, crashStart, crashUp, CodecStanding{})
	c.rec.Anew()
}

// What rewrite writes is refused for what was changed.
func TestRecoverRewritten(t *testing.T) {
	c := crashed(t, false)
	c.rewrite(func(*machine) {})
	c.next("VI_1", "VI_2")
}

// What somebody tracks who has to look first is not gone by.
func TestRecoverReadings(t *testing.T) {
	c := crashed(t, false)
	r, _ := c.next("VI_1", "VI_2")
	if got := r.objects[script.Object].Reading; got != (Reading{Known: true}) {
		t.Errorf("%+v", got)
	}
	third := instance("VI_3")
	third.VRID, third.Tracks = 77, []Track{{Object: script.Object}}
	c.instances = append(c.instances, third)
	r, _ = c.next("VI_1", "VI_2")
	if got := r.objects[script.Object].Reading; got.Known {
		t.Errorf("%+v", got)
	}
	if got := NewCodec(&c.instances[0]); got.Standing().Sequence != 0 {
		t.Errorf("%+v", got.Standing())
	}
}

// What follows a packet that was not noted any more comes after it.
func TestRecoverCodec(t *testing.T) {
	c := crashed(t, false)
	text, _ := c.rec.Changed()
	remains, err := ParseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := remains.Codec(&c.instances[0]); got.Sequence < 9+2 {
		t.Errorf("%+v", got)
	}
}

// Writes are of what has changed, and make the same as all of it.
func TestRecordWrites(t *testing.T) {
	c := crashed(t, false)
	all, at := c.rec.Changed()
	if at != 0 || len(all) != 4*entryLen {
		t.Fatalf("%d bytes at %d", len(all), at)
	}
	file := bytes.Clone(all)
	if again, _ := c.rec.Changed(); len(again) != 0 {
		t.Errorf("%d bytes again", len(again))
	}
	c.rec.Observe(script.Object, Reading{Known: true, Up: true})
	text, at := c.rec.Changed()
	if len(text) != entryLen || at != 3*entryLen {
		t.Errorf("%d bytes at %d", len(text), at)
	}
	copy(file[at:], text)
	c.rec.Anew()
	if all, _ := c.rec.Changed(); !bytes.Equal(all, file) {
		t.Error("the file is another one")
	}
	c.rec.Observe(Object{Name: "nobody's"}, Reading{Known: true})
	if text, _ := c.rec.Changed(); len(text) != 0 {
		t.Error("an object is noted that nobody tracks")
	}
}

// Garbage is refused or ignored, never believed, and whatever is in a record, nobody is active by it who is too late.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(recordMagic))
	r := NewRouter()
	in := instance("VI")
	in.Tracks = []Track{script}
	r.Change(crashStart, []Instance{in}, nil)
	m := r.machines["VI"]
	m.state, m.since = Active, crashStart
	rec := r.Record(BootID{7})
	r.Enter(rec, 0, crashStart, crashStart, crashUp, CodecStanding{})
	good, _ := rec.Changed()
	f.Add(bytes.Clone(good))
	f.Add(append(bytes.Clone(good), 1, 2, 3))
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, text []byte) {
		for n := 0; n+entryLen <= len(text) && len(text)%2 == 0; n += entryLen { // otherwise nothing gets past the checksums
			(&Record{image: text}).sum(n / entryLen)
		}
		remains, err := ParseRecord(text)
		if err != nil {
			return
		}
		next := NewRouter()
		next.Change(crashStart, []Instance{in}, nil)
		up := crashUp + time.Second
		if left := remains.Left([]Instance{in}, up); left > in.trust() {
			t.Errorf("%v left", left)
		}
		_, resumed := next.Recover(crashStart, up, remains, func(string) bool { return true })
		if i, known := remains.instances[in.Mark()]; len(resumed) > 0 && (!known || up-i.Sent >= in.trust() || i.Sent > up) {
			t.Errorf("it goes on with %+v", i)
		}
		if s := next.machines["VI"]; s.state == Active && s.since.After(crashStart) {
			t.Errorf("active since %v", s.since)
		}
	})
}
