package desired_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// results returns a checker that had these results, a second apart, the first at noon.
func results(id health.ID, list ...health.Result) health.Checker {
	k := health.New(id.Check().Policy, noon, 0)
	for i, r := range list {
		now := noon.Add(time.Duration(i) * time.Second)
		k, _ = k.Resume(now).Start(now)
		k = k.Step(now, r)
	}
	return k
}

var (
	passed = health.Result{}
	failed = health.Result{Err: "connection refused"}
)

func advised(kind health.AdviceKind, value int32) health.Result {
	return health.Result{Finding: health.Finding{Advice: health.Advice{Kind: kind, Value: value}}}
}

// Enough checks, not all, and servers that are off.
func TestNeeded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		needed int
		off    bool
		checks []health.Result // of each the last
		want   string
		err    string
	}{
		{"all", 0, false, []health.Result{passed, failed}, "-1", "connection refused"},
		{"any", 1, false, []health.Result{passed, failed}, "1:1", "connection refused"},
		{"none of any", 1, false, []health.Result{failed, failed}, "-1", "connection refused"},
		{"two of three", 2, false, []health.Result{passed, failed, passed}, "1:1", "connection refused"},
		{"one of three", 2, false, []health.Result{passed, failed, failed}, "-1", "connection refused"},
		{"off", 0, true, nil, "-1", "off in the configuration"},
		{"off, whatever its checks say", 1, true, []health.Result{passed, passed}, "-1", "off in the configuration"},
	} {
		rs := server("198.51.100.1:80")
		rs.Needed, rs.Off = tt.needed, tt.off
		verdicts := desired.Verdicts{}
		for i, r := range tt.checks {
			id := check(uint32(i))
			rs.Checks = append(rs.Checks, id)
			verdicts[id] = results(id, r)
		}
		state := desired.Compute(configOf(rs), desired.Facts{Verdicts: verdicts, Now: noon})
		if got := layout(state[0]); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
		if v := desired.Judge(&rs, verdicts.Of); v.Err != tt.err || v.Alive != (tt.want == "1:1") {
			t.Errorf("%s: %+v; want %q", tt.name, v, tt.err)
		}
	}
}

// That a check has not reported yet does not count for it if it has alpha, and does if it has not.
func TestNeededBeforeTheFirstResult(t *testing.T) {
	alpha, open := check(1), health.Check{FWMark: 2}.ID()
	for _, tt := range []struct {
		needed int
		checks []health.ID
		want   string
	}{
		{0, []health.ID{alpha, open}, "?1"}, {1, []health.ID{alpha, open}, "1:1"}, {2, []health.ID{alpha, open, open}, "1:1"}, {1, []health.ID{alpha, alpha}, "?1"},
	} {
		rs := server("198.51.100.1:80", tt.checks...)
		rs.Needed = tt.needed
		if got := layout(desired.Compute(configOf(rs), desired.Facts{Now: noon})[0]); got != tt.want {
			t.Errorf("%d of %v: %s; want %s", tt.needed, tt.checks, got, tt.want)
		}
	}
}

// An off server takes no part in fail-open: it neither counts nor comes back.
func TestOffDoesNotFailOpen(t *testing.T) {
	off := server("198.51.100.9:80")
	off.Off, off.InhibitOnFailure = true, true
	cfg := configOf(server("198.51.100.1:80", check(1)), server("198.51.100.2:80", check(2)), off)
	cfg.VirtualServers[0].MinimumUp.Percent = 50
	verdicts := desired.Verdicts{check(1): results(check(1), failed), check(2): results(check(2), failed)}
	if o := desired.Decide(cfg.VirtualServers[0], desired.Facts{Verdicts: verdicts, Now: noon}); !o.FailOpen || layout(o.Services[0]) != "1:1 2:1 9:0" {
		t.Errorf("fail-open %v: %s", o.FailOpen, layout(o.Services[0]))
	}
	verdicts[check(1)] = results(check(1), passed)
	if o := desired.Decide(cfg.VirtualServers[0], desired.Facts{Verdicts: verdicts, Now: noon}); o.FailOpen || layout(o.Services[0]) != "1:1 -2 9:0" {
		t.Errorf("one of two up: fail-open %v: %s", o.FailOpen, layout(o.Services[0]))
	}
}

// The weight that servers are advised is the one that they have, and the one that counts for the quorum, as in keepalived.
func TestAdvisedWeight(t *testing.T) {
	for _, tt := range []struct {
		name      string
		scheduler string
		inhibit   bool
		minimum   int
		first     []health.Result // of a server of weight 10; the other, of weight 10, is up
		want      string
		quorum    health.State // of 15
	}{
		{"no advice", "wrr", false, 0, []health.Result{passed}, "1:10 2:10", health.Up},
		{"less", "wrr", false, 0, []health.Result{advised(health.Weigh, 3)}, "1:3 2:10", health.Down},
		{"half", "wrr", false, 0, []health.Result{advised(health.Percent, 50)}, "1:5 2:10", health.Up},
		{"more", "wrr", false, 0, []health.Result{advised(health.Add, 90)}, "1:100 2:10", health.Up},
		{"drained", "wrr", false, 0, []health.Result{advised(health.Weigh, 0)}, "1:0 2:10", health.Down},
		{"drained under mh", "mh", false, 0, []health.Result{advised(health.Weigh, 0)}, "-1 2:10", health.Down},
		{"kept while it fails", "wrr", false, 0, []health.Result{advised(health.Weigh, 3), passed, advised(health.Weigh, 7)}, "1:7 2:10", health.Up},
		{"down", "wrr", false, 0, []health.Result{advised(health.Weigh, 3), failed}, "-1 2:10", health.Down},
		{"down, inhibited", "wrr", true, 0, []health.Result{advised(health.Weigh, 3), failed}, "1:0 2:10", health.Down},
		{"fail-open", "wrr", false, 100, []health.Result{advised(health.Weigh, 8), failed}, "1:8 2:10", health.Up},
		{"no fail-open for what is drained", "wrr", false, 100, []health.Result{advised(health.Weigh, 0), failed}, "-1 2:10", health.Down},
	} {
		cfg := configOf(server("198.51.100.1:80", check(1)), server("198.51.100.2:80", check(2)))
		vs := cfg.VirtualServers[0]
		vs.Services[0].Scheduler, vs.Quorum.Needed, vs.MinimumUp.Percent = tt.scheduler, 15, tt.minimum
		for i := range vs.RealServers {
			vs.RealServers[i].Destination.Weight, vs.RealServers[i].InhibitOnFailure = 10, tt.inhibit
		}
		o := desired.Decide(vs, desired.Facts{
			Verdicts: desired.Verdicts{check(1): results(check(1), tt.first...), check(2): results(check(2), passed)}, Now: noon,
		})
		if got := layout(o.Services[0]); got != tt.want || o.Quorum != tt.quorum {
			t.Errorf("%s: %s, quorum %v; want %s, %v", tt.name, got, o.Quorum, tt.want, tt.quorum)
		}
	}
}

func TestAdvisedWeightOfSorryServer(t *testing.T) {
	vs, verdicts := judged("d/uu")
	verdicts[check(92)] = results(check(92), advised(health.Weigh, 7))
	if got := layout(desired.Decide(vs, desired.Facts{Verdicts: verdicts, Now: noon}).Services[0]); got != "-1 91:1 92:7" {
		t.Error(got)
	}
}

// slow returns a virtual server of two servers of weight 100 with a slow start of 20 seconds. The second is up.
func slow() (*config.VirtualServer, desired.Verdicts) {
	cfg := configOf(server("198.51.100.1:80", check(1)), server("198.51.100.2:80", check(2)))
	vs := cfg.VirtualServers[0]
	vs.Quorum.Needed = 1
	for i := range vs.RealServers {
		vs.RealServers[i].Destination.Weight, vs.RealServers[i].SlowStart = 100, 20*time.Second
	}
	return vs, desired.Verdicts{check(2): results(check(2), passed)}
}

func TestSlowStart(t *testing.T) {
	vs, verdicts := slow()
	verdicts[check(1)] = results(check(1), passed, failed, passed)
	returned := noon.Add(2 * time.Second)
	var got []string
	for now := returned; ; {
		o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Quorums: desired.Quorums{"": health.Up}, Now: now})
		got = append(got, fmt.Sprintf("%s %s", now.Sub(returned), layout(o.Services[0])))
		if o.Live != 200 {
			t.Errorf("live weight %d; want 200: it counts in full", o.Live)
		}
		if o.Until.IsZero() {
			break
		}
		now = o.Until
	}
	want := []string{
		"0s 1:9 2:100", "2s 1:18 2:100", "4s 1:27 2:100", "6s 1:36 2:100", "8s 1:45 2:100", "10s 1:54 2:100", "12s 1:63 2:100", "14s 1:72 2:100",
		"16s 1:81 2:100", "18s 1:90 2:100", "20s 1:100 2:100",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// Who has a slow start, two seconds after noon, and who has not.
func TestSlowStartIsForServersThatCameBack(t *testing.T) {
	none := func(*config.VirtualServer, desired.Verdicts) {}
	for _, tt := range []struct {
		name  string
		first []health.Result
		with  func(*config.VirtualServer, desired.Verdicts)
		want  string
		until bool
	}{
		{"came back", []health.Result{passed, failed, passed}, none, "1:9 2:100", true},
		{"was down at the start of the daemon", []health.Result{failed, failed, passed}, none, "1:9 2:100", true},
		{"was up from the start", []health.Result{passed, passed, passed}, none, "1:100 2:100", false},
		{"is down", []health.Result{failed, passed, failed}, none, "-1 2:100", false},
		{"is not checked yet", nil, none, "?1 2:100", false},
		{"has none", []health.Result{passed, failed, passed}, func(vs *config.VirtualServer, _ desired.Verdicts) { vs.RealServers[0].SlowStart = 0 },
			"1:100 2:100", false},
		{"of the weight that it is advised", []health.Result{passed, failed, advised(health.Percent, 50)}, none, "1:4 2:100", true},
		{"drained by the configuration", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, _ desired.Verdicts) { vs.RealServers[0].Destination.Weight = 0 }, "1:0 2:100", false},
		{"drained by advice", []health.Result{passed, failed, advised(health.Weigh, 0)}, none, "1:0 2:100", false},
		{"in steps of a second at least", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, _ desired.Verdicts) { vs.RealServers[0].SlowStart = 3 * time.Second }, "1:25 2:100", true},
		{"in less than a second", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, _ desired.Verdicts) { vs.RealServers[0].SlowStart = time.Millisecond }, "1:50 2:100", true},
		{"small weights", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, _ desired.Verdicts) { vs.RealServers[0].Destination.Weight = 1 }, "1:1 2:100", false},
		{"all have clients whatever the checks say", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, v desired.Verdicts) {
				vs.MinimumUp.Percent, v[check(2)] = 100, results(check(2), failed)
			}, "1:100 2:100", false},
		{"the sorry server has the clients", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, _ desired.Verdicts) {
				vs.Quorum.Needed, vs.SorryServers = 300, []config.RealServer{server("198.51.100.9:80")}
			}, "-1 -2 9:1", false},
		{"the sorry server had the clients", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, v desired.Verdicts) {
				vs.SorryServers, v[check(2)] = []config.RealServer{server("198.51.100.9:80")}, results(check(2), failed)
			}, "1:9 -2 -9", true},
		{"another check of it came later, with a reload", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, v desired.Verdicts) {
				vs.RealServers[0].Checks = append(vs.RealServers[0].Checks, check(3))
				v[check(3)] = results(check(3), passed)
			}, "1:9 2:100", true},
		{"another check is enough, and passed all the time", []health.Result{passed, failed, passed},
			func(vs *config.VirtualServer, v desired.Verdicts) {
				vs.RealServers[0].Needed, vs.RealServers[0].Checks = 1, append(vs.RealServers[0].Checks, check(3))
				v[check(3)] = results(check(3), passed)
			}, "1:100 2:100", false},
	} {
		vs, verdicts := slow()
		if tt.first != nil {
			verdicts[check(1)] = results(check(1), tt.first...)
		}
		tt.with(vs, verdicts)
		o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Now: noon.Add(2 * time.Second)})
		if got := layout(o.Services[0]); got != tt.want || o.Until.IsZero() == tt.until {
			t.Errorf("%s: %s until %s; want %s, a next step: %v", tt.name, got, o.Until, tt.want, tt.until)
		}
	}
}

// A reload that changes the timing of a check neither ends a slow start nor begins one.
func TestSlowStartSurvivesReload(t *testing.T) {
	vs, verdicts := slow()
	verdicts[check(1)] = results(check(1), passed, failed, passed)
	c := check(1).Check()
	c.DelayLoop = time.Minute
	now := noon.Add(12 * time.Second)
	verdicts.Follow([]health.ID{check(1)}, []health.ID{c.ID()}, now)
	vs.RealServers[0].Checks = []health.ID{c.ID()}
	if got := layout(desired.Decide(vs, desired.Facts{Verdicts: verdicts, Now: now}).Services[0]); got != "1:54 2:100" {
		t.Errorf("ten seconds after it came back: %s", got)
	}
}

// Whatever the weight and the time, the steps go up, never below 1, and end at the full weight.
func FuzzSlowStart(f *testing.F) {
	f.Add(int32(100), int64(20*time.Second))
	f.Add(int32(2), int64(time.Millisecond))
	f.Add(int32(1<<31-1), int64(10*time.Second+1))
	f.Fuzz(func(t *testing.T, full int32, while int64) {
		full, while = max(full, 0), max(while, 1)%int64(1000*time.Hour)
		vs, verdicts := slow()
		verdicts[check(1)] = results(check(1), failed, passed)
		vs.RealServers[0].Destination.Weight, vs.RealServers[0].SlowStart = full, time.Duration(while)
		last := min(full, 1)
		for now, n := noon.Add(time.Second), 0; !now.IsZero(); n++ {
			o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Now: now})
			weight := o.Services[0].Destinations[0].Weight
			if weight < last || weight > full || n > 12 {
				t.Fatalf("step %d: weight %d after %d; the full weight is %d", n, weight, last, full)
			}
			if !o.Until.IsZero() && !o.Until.After(now) {
				t.Fatalf("step %d: until %s, which has been", n, o.Until)
			}
			last, now = weight, o.Until
		}
		if last != full {
			t.Fatalf("it ends with a weight of %d; want %d", last, full)
		}
	})
}

// Three services share a server, and so its check: it goes from all of them at once, with the third failure in a row.
// Scenario 5 of peers.md.
func TestScenarioSharedServer(t *testing.T) {
	shared := health.Check{Type: "TCP_CHECK", Policy: health.Policy{DelayLoop: time.Second, Retry: 2, DelayBeforeRetry: time.Second}}.ID()
	cfg := &config.Config{}
	for i := range 3 {
		key := ipvs.AddressKey(ipvs.TCP, addr(fmt.Sprintf("192.0.2.%d:80", i+1)))
		cfg.VirtualServers = append(cfg.VirtualServers, &config.VirtualServer{
			Name: key.String(), Services: []ipvs.Service{{ServiceKey: key, Scheduler: "rr"}}, Quorum: health.Quorum{Needed: 1},
			RealServers: []config.RealServer{server("198.51.100.1:80", shared)},
		})
	}
	for i, tt := range []struct {
		results []health.Result
		want    string
	}{
		{[]health.Result{passed}, "1:1"}, {[]health.Result{passed, failed}, "1:1"}, {[]health.Result{passed, failed, failed}, "1:1"},
		{[]health.Result{passed, failed, failed, failed}, "-1"}, {[]health.Result{passed, failed, failed, failed, passed}, "1:1"},
	} {
		for _, s := range desired.Compute(cfg, desired.Facts{Verdicts: desired.Verdicts{shared: results(shared, tt.results...)}, Now: noon}) {
			if got := layout(s); got != tt.want {
				t.Errorf("%s after result %d: %s; want %s", s.ServiceKey, i, got, tt.want)
			}
		}
	}
}

// The servers begin to answer with a redirect, all at once: the checks are not believed, and the outcome says so. Then a reload
// changes the timing of the checks and adds a server: it holds. Scenarios 9 and 10 of peers.md.
func TestScenarioAllFailAtOnce(t *testing.T) {
	redirected := health.Result{Err: "status 301 to https://login.example.com/"}
	vs, verdicts := judged("uuuu")
	vs.MinimumUp.Percent = 50
	decide := func(vs *config.VirtualServer, want string, failOpen bool) {
		t.Helper()
		o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Quorums: desired.Quorums{vs.Name: health.Up}, Now: noon})
		if got := layout(o.Services[0]); got != want || o.FailOpen != failOpen || o.Quorum != health.Up {
			t.Errorf("%s, fail-open %v, quorum %v; want %s, %v", got, o.FailOpen, o.Quorum, want, failOpen)
		}
	}
	for i, want := range []string{"-1 2:1 3:1 4:1", "-1 -2 3:1 4:1", "1:1 2:1 3:1 4:1", "1:1 2:1 3:1 4:1"} {
		id := check(uint32(i + 1))
		verdicts[id] = results(id, passed, redirected)
		decide(vs, want, i >= 2)
	}
	next := *vs
	next.RealServers = nil
	var removed, added []health.ID
	for i := range 5 {
		c := check(uint32(i + 1)).Check()
		removed = append(removed, c.ID())
		c.DelayLoop = time.Minute
		added = append(added, c.ID())
		next.RealServers = append(next.RealServers, server(fmt.Sprintf("198.51.100.%d:80", i+1), c.ID()))
	}
	verdicts.Follow(removed, added, noon)
	decide(&next, "1:1 2:1 3:1 4:1 ?5", true)
	verdicts[added[4]] = results(added[4], redirected)
	decide(&next, "1:1 2:1 3:1 4:1 5:1", true)
	for i, want := range []string{"1:1 2:1 3:1 4:1 5:1", "1:1 2:1 3:1 4:1 5:1", "1:1 2:1 3:1 -4 -5"} {
		verdicts[added[i]] = results(added[i], passed)
		decide(&next, want, i < 2)
	}
}
