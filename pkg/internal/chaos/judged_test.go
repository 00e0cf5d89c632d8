package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRequestsAreOfAService: what happens to the servers of one service explains nothing of the other, and a server that is taken from a
// table only what was under way to it.
func TestRequestsAreOfAService(t *testing.T) {
	ask := func(service, server string, from, to float64) Request {
		return Request{Begin: at(from), End: at(to), Service: service, Server: server, Err: "connection reset by peer"}
	}
	for _, kind := range []Kind{ServerKill, ServerFreeze, ServerCut, ServerLoss} {
		f := Fault{At: at(100), For: at(60), Kind: kind, Target: "web2"}
		judges(t, f, ask("web", "", 101, 102), true)
		judges(t, f, ask("dns", "", 101, 102), false)
	}
	service := Fault{At: at(100), Kind: DropService, Target: "director1", Server: "dns1"}
	judges(t, service, ask("dns", "", 101, 102), true)
	judges(t, service, ask("web", "", 101, 102), false)
	service.Target = "director2" // which is not active
	judges(t, service, ask("dns", "", 101, 102), false)
	all := Fault{At: at(100), Kind: Clear, Target: "director1"}
	judges(t, all, ask("web", "", 101, 102), true)
	judges(t, all, ask("dns", "", 101, 102), true)

	number, server := dropping(true)
	other := "web1" // an anchor
	if ServiceOf(server) == "dns" {
		other = "dns1"
	}
	for _, f := range []Fault{
		{At: at(100), For: at(2), Kind: Reload, Number: number},
		{At: at(100), For: at(2), Kind: DropServer, Target: "director1", Server: server},
	} {
		judges(t, f, ask(ServiceOf(server), server, 99, 101), true)      // under way to it
		judges(t, f, ask(ServiceOf(server), server, 101, 104), true)     // it may not have been dropped yet
		judges(t, f, ask(ServiceOf(server), server, 102.1, 103), false)  // it had been
		judges(t, f, ask(ServiceOf(server), server, 95, 99.9), false)    // before
		judges(t, f, ask(ServiceOf(server), other, 99, 101), false)      // to one that stays
		judges(t, f, ask(ServiceOf(server), "", 99, 101), false)         // nobody knows
		judges(t, f, ask(ServiceOf(swapped(other)), "", 99, 101), false) // of the other service
	}
	number, _ = dropping(false)
	judges(t, Fault{At: at(100), For: at(2), Kind: Reload, Number: number}, ask("web", "web2", 99, 101), false)
}

// TestWhoTakesOver: what is done to the table of a backup explains what is lost only if that may have become active before it was mended.
func TestWhoTakesOver(t *testing.T) {
	for _, change := range []Fault{{}, {At: at(99.3), For: at(4), Kind: Switchover}, {At: at(80), For: at(1), Kind: Switchover}} {
		j := calm.NewJudge(vip)
		if change.Kind != "" {
			j.Begin(change.At, change, false)
			j.End(change.End(), change)
		}
		f := Fault{At: at(100), Kind: Clear, Target: "director2"}
		j.Begin(f.At, f, false)
		j.End(f.End(), f)
		found := j.Request(Request{Begin: at(100), End: at(100.05), Service: "dns", Err: "connection refused"})
		if explained := len(found) == 0; explained != (change.At == at(99.3)) || explained != (j.Explained()[Clear]+j.Explained()[Switchover] == 1) {
			t.Errorf("%v: %v", change, found)
		}
	}
}

func swapped(server string) string {
	if ServiceOf(server) == "dns" {
		return "web1"
	}
	return "dns1"
}

func judges(t *testing.T, f Fault, r Request, explained bool) {
	t.Helper()
	j := calm.NewJudge(vip)
	j.Begin(f.At, f, f.Target == "director1")
	j.End(f.End(), f)
	if found := j.Request(r); len(found) == 0 != explained || j.Explained()[f.Kind] == 1 != explained {
		t.Errorf("%v, %+v: %v", f, r, found)
	}
}

// TestAsks: it is asked for the server where that decides.
func TestAsks(t *testing.T) {
	number, server := dropping(true)
	f := Fault{At: at(100), Kind: Reload, Number: number}
	j := calm.NewJudge(vip)
	j.Begin(f.At, f, false)
	j.End(f.At, f)
	for _, c := range []struct {
		service  string
		from, to float64
		asks     bool
	}{
		{ServiceOf(server), 99, 101, true}, {ServiceOf(server), 101, 102, false}, {"another", 99, 101, false},
	} {
		if got := j.Asks(Request{Begin: at(c.from), End: at(c.to), Service: c.service}); got != c.asks {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// dropping returns the number of a variant that is without a server of the first one, and which; or without none.
func dropping(some bool) (number int, server string) {
	for n := 1; ; n++ {
		f := felt{Fault: Fault{Kind: Reload, Number: n}}
		if dropped := calm.NewJudge().dropped(f); len(dropped) > 0 == some {
			return n, strings.Join(dropped[:min(1, len(dropped))], "")
		}
	}
}

// TestStandstill: the times of a run leave out what the lab stood still for. That much nobody is blamed for, and no more, unless it was as much as
// adverts and checks bear.
func TestStandstill(t *testing.T) {
	for name, c := range map[string]struct {
		gaps   []time.Duration // one each 100 ms
		upsets bool
	}{
		"short":              {gaps: []time.Duration{400 * time.Millisecond}},
		"many very short":    {gaps: slices.Repeat([]time.Duration{90 * time.Millisecond}, 50)},
		"long":               {gaps: []time.Duration{500 * time.Millisecond}, upsets: true},
		"several in a row":   {gaps: slices.Repeat([]time.Duration{110 * time.Millisecond}, 5), upsets: true},
		"several, far apart": {gaps: []time.Duration{300e6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 300e6}},
	} {
		t.Run(name, func(t *testing.T) {
			j := calm.NewJudge(vip)
			for n, gap := range c.gaps {
				j.Stood(at(50+float64(n)/10), gap)
			}
			r := Request{Begin: at(49.5), End: at(52), Service: "web", Err: "timeout"}
			s := right(53)
			take(vip)(&s)
			found := append(j.Request(r), j.Sample(s)...)
			if len(found) == 0 != c.upsets || j.Explained()[Stall] == 1 != c.upsets || j.Upsets() > 0 != c.upsets {
				t.Errorf("%v explained, found:\n%s", j.Explained(), inLines(found))
			}
			if judged := j.Judged(); (judged.Requests["web"] == 0) != c.upsets || (judged.Roles == 0) != c.upsets {
				t.Errorf("judged: %+v", judged)
			}
			s = right(80)
			take(vip)(&s)
			r.Begin, r.End = at(80), at(81)
			if found := append(j.Request(r), j.Sample(s)...); len(found) != 2 {
				t.Errorf("long afterwards:\n%s", inLines(found))
			}
		})
	}
}

// TestLacks: who has looked at nothing, or only at what a fault explains, has not seen that all is well.
func TestLacks(t *testing.T) {
	least := Judged{Requests: map[string]int{"web": 1, "dns": 1}, Roles: 1, Tables: 2, Adverts: 1, Vitals: 1}
	j := calm.NewJudge(vip)
	if lacks := j.Lacks(least); len(lacks) != 6 {
		t.Errorf("nothing was judged: %q", lacks)
	}
	for _, f := range []Fault{
		{At: at(0), For: at(100), Kind: Silence, Target: "director1"}, {At: at(0), For: at(100), Kind: Silence, Target: "director2"},
	} {
		j.Begin(f.At, f, true)
	}
	for _, s := range Services {
		j.Request(Request{Begin: at(50), End: at(51), Service: s, Err: "timeout"})
	}
	j.Sample(right(50))
	j.Sample(right(51))
	if lacks := j.Lacks(least); len(lacks) != 6 {
		t.Errorf("all was explained: %q", lacks)
	}
	j = calm.NewJudge(vip)
	for _, s := range Services {
		j.Request(Request{Begin: at(50), End: at(51), Service: s})
	}
	j.Sample(right(50))
	if lacks := j.Lacks(least); len(lacks) != 1 || !strings.Contains(lacks[0], "processes") {
		t.Errorf("one sample has nothing to compare processes with: %q", lacks)
	}
	j.Sample(right(51))
	if lacks := j.Lacks(least); len(lacks) != 0 {
		t.Errorf("%q", lacks)
	}
	j = calm.NewJudge(vip)
	f := Fault{At: at(49), Kind: Reload, Number: 1}
	j.Begin(f.At, f, false)
	j.End(f.At, f)
	j.Sample(right(50))
	if lacks := j.Lacks(Judged{Roles: 1, Tables: 1}); len(lacks) != 1 || !strings.Contains(lacks[0], "tables") {
		t.Errorf("a table of which nobody can tell what it should be: %q", lacks)
	}
	if l := Least(2 * time.Minute); l.Requests["web"] < 400 || l.Requests["dns"] < 400 || l.Roles < 20 || l.Tables < 20 || l.Adverts < 2 || l.Vitals < 2 {
		t.Errorf("%+v", l)
	}
}
