package chaos

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// calm is a world of two directors, with adverts every second: a takeover may take 6 s, a failed server 7.3 s.
var calm = World{Seed: 1, Directors: 2, Version: 2, Interval: time.Second, Anchors: []string{"web1", "dns1"}}

const vip = "192.168.1.200"

func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func fullTable() map[string]map[string]int {
	return map[string]map[string]int{
		"web": {"web1": 1, "web2": 1, "web3": 1},
		"dns": {"dns1": 1, "dns2": 1, "dns3": 1},
	}
}

// right is a sample of which nothing is wrong: director1 is active.
func right(seconds float64) Sample {
	return Sample{
		Begin: at(seconds), End: at(seconds) + 50*time.Millisecond,
		Directors: []Seen{
			{Name: "director1", Addresses: []string{vip}, Table: fullTable(), Vitals: &Vitals{"director1/1", 30, 20, 30000}},
			{Name: "director2", Table: fullTable(), Vitals: &Vitals{"director2/1", 30, 20, 30000}},
		},
		Adverts: map[string][]string{"51": {"192.168.1.101"}}, Since: at(seconds - 3),
	}
}

// history is what a judge is told: faults, and then a sample or a request.
type history struct {
	faults []Fault // director1 is active
	change func(*Sample)
	when   float64
	ask    *Request
	want   string // what is found; empty: nothing
}

func take(address ...string) func(*Sample) {
	return func(s *Sample) { s.Directors[1].Addresses = address }
}

func TestJudge(t *testing.T) {
	lost := func(from, to float64) *Request {
		return &Request{Begin: at(from), End: at(to), Service: "web", Err: "connection refused"}
	}
	swap := func(s *Sample) {
		s.Directors[0].Addresses, s.Directors[1].Addresses = nil, []string{vip}
		s.Adverts["51"] = []string{"192.168.1.102"}
	}
	row := func(director int, server string, weight int) func(*Sample) {
		return func(s *Sample) {
			s.Directors[director].Table[strings.TrimRight(server, "1234")][server] = weight
		}
	}
	gone := func(server string) func(*Sample) {
		return func(s *Sample) {
			for _, d := range s.Directors {
				delete(d.Table[strings.TrimRight(server, "1234")], server)
			}
		}
	}
	kill := Fault{At: at(100), For: at(5), Kind: Kill, Target: "director1"}
	dead := Fault{At: at(100), For: at(60), Kind: ServerKill, Target: "web2"}
	cut := Fault{At: at(100), For: at(60), Kind: Cut, Target: "director1"}
	handed := Fault{At: at(10), For: at(62), Kind: Switchover}
	for name, h := range map[string]history{
		"all is well":                            {when: 50},
		"two at once":                            {when: 50, change: take(vip), want: "at once"},
		"nobody":                                 {when: 50, change: func(s *Sample) { s.Directors[0].Addresses = nil }, want: "nobody of director1, director2"},
		"on a server":                            {when: 50, change: func(s *Sample) { s.Elsewhere = []string{"web3 has " + vip} }, want: "web3 has"},
		"the wrong one":                          {when: 50, change: swap, want: "not director1, which has the higher priority"},
		"in a switchover that lasts":             {faults: []Fault{handed}, when: 50, change: swap},
		"nobody has it":                          {faults: []Fault{handed}, when: 50, change: func(s *Sample) { s.Directors[0].Addresses = nil }, want: "nobody of"},
		"two have it":                            {faults: []Fault{handed}, when: 50, change: take(vip), want: "at once"},
		"it is just being undone":                {faults: []Fault{handed}, when: 75, change: swap},
		"long after it was undone":               {faults: []Fault{handed}, when: 90, change: swap, want: "not director1, which has the higher priority"},
		"not all of them":                        {when: 50, change: func(s *Sample) { s.Directors[0].Addresses = []string{"10.0.100.200"} }, want: "but not " + vip},
		"two speak":                              {when: 50, change: func(s *Sample) { s.Adverts["51"] = []string{"a", "b"} }, want: "came from 2"},
		"nobody speaks":                          {when: 50, change: func(s *Sample) { s.Adverts["51"] = nil }, want: "came from 0"},
		"two at once while one is dead":          {faults: []Fault{kill}, when: 103, change: take(vip)},
		"two at once long after":                 {faults: []Fault{kill}, when: 125, change: take(vip), want: "at once"},
		"a standby may do nothing meanwhile":     {faults: []Fault{kill}, when: 103},
		"a cut director is not yet missed":       {faults: []Fault{cut}, when: 103, change: func(s *Sample) { s.Directors[0].Addresses = nil }},
		"nobody stands in for it":                {faults: []Fault{cut}, when: 120, change: func(s *Sample) { s.Directors[0].Addresses = nil }, want: "nobody of director2"},
		"somebody does":                          {faults: []Fault{cut}, when: 120, change: swap},
		"a partition has two":                    {faults: []Fault{{At: at(100), For: at(60), Kind: Silence, Target: "director2"}}, when: 120, change: take(vip)},
		"a delay does not":                       {faults: []Fault{{At: at(100), For: at(60), Kind: Delay, Target: "director2"}}, when: 120, change: take(vip), want: "at once"},
		"a dead server, not yet found":           {faults: []Fault{dead}, when: 103},
		"found":                                  {faults: []Fault{dead}, when: 120, change: gone("web2")},
		"never found":                            {faults: []Fault{dead}, when: 120, want: "has weight 1 of web2, expected no row"},
		"another one is out":                     {faults: []Fault{dead}, when: 103, change: gone("web3"), want: "has no row of web3, expected weight 1"},
		"it is back":                             {faults: []Fault{dead}, when: 175},
		"it does not come back":                  {faults: []Fault{dead}, when: 175, change: gone("web2"), want: "expected weight 1"},
		"a weight by hand":                       {when: 50, change: row(0, "dns2", 7), want: "director1 has weight 7 of dns2"},
		"a moment ago":                           {faults: []Fault{{At: at(49), Kind: Reweigh, Target: "director1", Server: "dns2"}}, when: 50, change: row(0, "dns2", 7)},
		"of another director":                    {faults: []Fault{{At: at(49), Kind: Reweigh, Target: "director2", Server: "dns2"}}, when: 50, change: row(0, "dns2", 7), want: "weight 7"},
		"long ago":                               {faults: []Fault{{At: at(40), Kind: Reweigh, Target: "director1", Server: "dns2"}}, when: 50, change: row(0, "dns2", 7), want: "weight 7"},
		"a service by hand":                      {when: 50, change: func(s *Sample) { s.Directors[0].Table["TCP 1.2.3.4:5"] = nil }, want: "nobody asked for"},
		"a service is gone":                      {when: 50, change: func(s *Sample) { delete(s.Directors[0].Table, "web") }, want: "no service for web"},
		"a server by hand":                       {when: 50, change: row(0, "web4", 1), want: "web4 of web that nobody asked for"},
		"drained":                                {faults: []Fault{{At: at(40), For: at(30), Kind: Drain, Server: "web2"}}, when: 50, want: "expected weight 0"},
		"drained, rightly":                       {faults: []Fault{{At: at(40), For: at(30), Kind: Drain, Server: "web2"}}, when: 50, change: func(s *Sample) { row(0, "web2", 0)(s); row(1, "web2", 0)(s) }},
		"another configuration":                  {faults: []Fault{{At: at(10), Kind: Reload, Number: 3}}, when: 50, want: "expected"},
		"it grows":                               {when: 50, change: func(s *Sample) { s.Directors[0].Vitals.Goroutines = 300 }, want: "300"},
		"descriptors":                            {when: 50, change: func(s *Sample) { s.Directors[0].Vitals.Descriptors = 300 }, want: "300"},
		"memory":                                 {when: 50, change: func(s *Sample) { s.Directors[0].Vitals.Memory = 300000 }, want: "300000"},
		"another process may have more":          {when: 50, change: func(s *Sample) { *s.Directors[0].Vitals = Vitals{"director1/2", 300, 300, 300000} }},
		"a request, all quiet":                   {ask: lost(50, 51), want: "no fault explains it"},
		"while the active director dies":         {faults: []Fault{kill}, ask: lost(101, 103)},
		"somebody stands in for it by now":       {faults: []Fault{cut}, ask: lost(120, 121), want: "no fault"},
		"nobody can":                             {faults: []Fault{cut, {At: at(110), For: at(60), Kind: Freeze, Target: "director2"}}, ask: lost(120, 121)},
		"it comes back":                          {faults: []Fault{kill}, ask: lost(107, 108), want: "no fault"},
		"it began before and ended during":       {faults: []Fault{kill}, ask: lost(95, 101)},
		"it ended before":                        {faults: []Fault{kill}, ask: lost(95, 99), want: "no fault"},
		"long after":                             {faults: []Fault{kill}, ask: lost(130, 131), want: "no fault"},
		"while the standby dies":                 {faults: []Fault{{At: at(100), For: at(5), Kind: Kill, Target: "director2"}}, ask: lost(101, 103), want: "no fault"},
		"in a switchover":                        {faults: []Fault{{At: at(100), Kind: Switchover}}, ask: lost(100, 101), want: "no fault"},
		"a dead server is not yet found":         {faults: []Fault{dead}, ask: lost(101, 103)},
		"it should have been":                    {faults: []Fault{dead}, ask: lost(110, 111), want: "no fault"},
		"loss on the way to a server":            {faults: []Fault{{At: at(100), For: at(60), Kind: ServerLoss, Target: "web2"}}, ask: lost(130, 131)},
		"a delay on the way to a server is none": {faults: []Fault{{At: at(100), For: at(60), Kind: ServerDelay, Target: "web2"}}, ask: lost(130, 131), want: "no fault"},
	} {
		t.Run(name, func(t *testing.T) {
			j := calm.NewJudge(vip)
			var found []Breach
			found = append(found, j.Sample(right(1))...)
			for _, f := range h.faults {
				j.Begin(f.At, f, f.Target == "director1")
				if f.For == 0 || h.when > f.End().Seconds() || h.ask != nil && h.ask.End > f.End() {
					j.End(f.End(), f)
				}
			}
			if h.ask != nil {
				found = append(found, j.Request(*h.ask)...)
			} else {
				s := right(h.when)
				if h.change != nil {
					h.change(&s)
				}
				found = append(found, j.Sample(s)...)
			}
			said := inLines(found)
			if h.want == "" && said != "" || !strings.Contains(said, h.want) {
				t.Errorf("found:\n%s\nwanted: %q", said, h.want)
			}
		})
	}
}

func inLines(found []Breach) string {
	var lines []string
	for _, b := range found {
		lines = append(lines, b.What)
	}
	return strings.Join(lines, "\n")
}

// TestConfigurationIsTheLastOne: of several reloads the last one counts.
func TestConfigurationIsTheLastOne(t *testing.T) {
	j := calm.NewJudge(vip)
	for n, seconds := range []float64{10, 20} {
		f := Fault{At: at(seconds), Kind: Reload, Number: 7 + n}
		j.Begin(f.At, f, false)
		j.End(f.At, f)
	}
	s := right(50)
	for i := range s.Directors {
		s.Directors[i].Table = map[string]map[string]int{"web": {}, "dns": {}}
		for server, weight := range calm.NewVariant(8) {
			s.Directors[i].Table[strings.TrimRight(server, "1234")][server] = weight
		}
	}
	if maps.Equal(calm.NewVariant(7), calm.NewVariant(8)) {
		t.Fatal("variants 7 and 8 are alike")
	}
	if found := j.Sample(s); len(found) > 0 {
		t.Errorf("found:\n%s", inLines(found))
	}
}

// TestEveryKindHasItsNature: what is not in the table would explain nothing and disturb nobody.
func TestEveryKindHasItsNature(t *testing.T) {
	var seen []Kind
	for _, n := range natures {
		if slices.Contains(seen, n.kind) {
			t.Errorf("%s is there twice", n.kind)
		}
		seen = append(seen, n.kind)
		if n.of != aDirector && n.absent {
			t.Errorf("%s: only a director can be absent", n.kind)
		}
		f := Fault{Kind: n.kind, Target: "director1", For: time.Second}
		if !strings.HasPrefix(f.String(), string(n.kind)) || !strings.Contains(f.String(), "director1") {
			t.Errorf("%s is shown as %q", n.kind, f)
		}
	}
}

// TestEndingIsDoubt: while somebody ends a fault, which takes its time, both are right: that it is felt, and that it is not.
func TestEndingIsDoubt(t *testing.T) {
	f := Fault{At: at(40), For: at(20), Kind: Drain, Server: "web2"}
	for _, ending := range []bool{false, true} {
		j := calm.NewJudge(vip)
		j.Begin(f.At, f, false)
		if ending {
			j.Ending(at(60), f)
		}
		if found := j.Sample(right(61)); len(found) > 0 == ending {
			t.Errorf("being ended: %v, found:\n%s", ending, inLines(found))
		}
	}
}
