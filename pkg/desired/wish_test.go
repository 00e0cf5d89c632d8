package desired_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// wished reads what the operator wants: ~N server N drains, -N it is disabled, N=WEIGHT.
func wished(t *testing.T, text string) (s admin.State) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		w := admin.Wish{Since: noon}
		n := ""
		switch word[0] {
		case '~':
			n, w.What = word[1:], admin.Drain
		case '-':
			n, w.What = word[1:], admin.Disable
		default:
			var weight string
			n, weight, _ = strings.Cut(word, "=")
			w.What = admin.Weight
			if _, err := fmt.Sscan(weight, &w.Weight); err != nil {
				t.Fatal(err)
			}
		}
		w.Server = admin.Server{AddrPort: addr("198.51.100." + n + ":80")}
		s = s.Set(w)
	}
	return s
}

// What the operator wants of servers, in the notation of TestDecide.
func TestWishes(t *testing.T) {
	quorum := func(needed, hysteresis int64) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) { vs.Quorum = health.Quorum{Needed: needed, Hysteresis: hysteresis} }
	}
	half := func(vs *config.VirtualServer) { vs.MinimumUp.Percent = 50 }
	scheduler := func(name string, flags ipvs.ServiceFlags) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) { vs.Services[0].Scheduler, vs.Services[0].Flags = name, flags }
	}
	inhibit := func(vs *config.VirtualServer) {
		for i := range vs.RealServers {
			vs.RealServers[i].InhibitOnFailure = true
		}
	}
	type step struct{ verdicts, wishes, want string }
	for _, tt := range []struct {
		name  string
		with  func(*config.VirtualServer)
		steps []step
	}{
		{"a drained server stays with weight 0, whatever its checks say", nil, []step{
			{"uuu", "~1", "up: 1:0 2:1 3:1"}, {"duu", "~1", "up: 1:0 2:1 3:1"}, {"?uu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "", "up: 1:1 2:1 3:1"},
		}},
		{"a disabled one leaves, whatever inhibit_on_failure says", inhibit, []step{
			{"uuu", "-1", "up: -1 2:1 3:1"}, {"?uu", "-1", "up: -1 2:1 3:1"}, {"duu", "-1", "up: -1 2:1 3:1"}, {"duu", "", "up: 1:0 2:1 3:1"},
		}},
		{"a weight is not stronger than a check, nor than a drain", nil, []step{
			{"uuu", "1=7", "up: 1:7 2:1 3:1"}, {"duu", "1=7", "up: -1 2:1 3:1"}, {"uuu", "1=7 ~1", "up: 1:0 2:1 3:1"}, {"uuu", "1=0", "up: 1:0 2:1 3:1"},
		}},
		{"all drained", nil, []step{{"uu", "~1 ~2", "down: 1:0 2:0"}}},
		{"the sorry servers have the clients of a service that is drained", nil, []step{
			{"uu/u", "~1 ~2", "down sorry: 1:0 2:0 91:1"}, {"uu/u", "~1", "up: 1:0 2:1 -91"},
		}},
		{"a drained sorry server does not take over", nil, []step{
			{"dd/uu", "~91", "down sorry: -1 -2 91:0 92:1"}, {"dd/u", "~91", "down: -1 -2 91:0"}, {"dd/u", "-91", "down: -1 -2 -91"},
		}},
		{"the quorum is about those who may have clients", quorum(2, 0), []step{
			{"uuu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "~1 -2", "down: 1:0 -2 3:1"}, {"uuu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "~1 2=5 -3", "up: 1:0 2:5 -3"},
		}},
		{"a drain does not lose a quorum that the others have, nor keep them from gaining it", quorum(2, 1), []step{
			{"u??", "~1", "unchecked: 1:0 ?2 ?3"}, {"uuu", "~1", "up: 1:0 2:1 3:1"}, {"udu", "~1", "up: 1:0 -2 3:1"}, {"udd", "~1", "down: 1:0 -2 -3"},
			{"udu", "~1", "down: 1:0 -2 3:1"}, {"uuu", "~1", "up: 1:0 2:1 3:1"},
		}},
		{"a server that is off adds nothing to what the others can reach", func(vs *config.VirtualServer) {
			vs.Quorum, vs.RealServers[2].Off = health.Quorum{Needed: 1, Hysteresis: 1}, true
		}, []step{{"uuu", "~1", "up: 1:0 2:1 -3"}}},
		{"off in the configuration is stricter than a drain", func(vs *config.VirtualServer) { vs.RealServers[0].Off = true },
			[]step{{"uuu", "", "up: -1 2:1 3:1"}, {"uuu", "~1", "up: -1 2:1 3:1"}}},
		{"off with inhibit_on_failure stays where it is", func(vs *config.VirtualServer) {
			vs.RealServers[0].Off, vs.RealServers[0].InhibitOnFailure = true, true
		}, []step{{"uuu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "-1", "up: -1 2:1 3:1"}}},
		{"without a drain the hysteresis is as before", quorum(2, 2), []step{{"uuu", "", "down: 1:1 2:1 3:1"}}},
		{"minimum_healthy is about the others", half, []step{
			{"duuu", "~2", "up: -1 2:0 3:1 4:1"}, {"ddu", "~1 ~2", "up: 1:0 2:0 3:1"}, {"ddu", "~2", "up: -1 2:0 3:1"}, {"ddud", "~2", "up fail-open: 1:1 2:0 3:1 4:1"},
		}},
		{"where weight 0 would drop clients it is removed", scheduler("dh", 0), []step{{"uuu", "~1", "up: -1 2:1 3:1"}}},
		{"mh with mh-fallback", scheduler("mh", ipvs.MHFallback), []step{{"uuu", "~1", "up: 1:0 2:1 3:1"}}},
		{"mh without, which gets it", scheduler("mh", 0), []step{{"uuu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "1=0", "up: 1:0 2:1 3:1"}}},
		{"sh", scheduler("sh", 0), []step{{"uuu", "~1", "up: 1:0 2:1 3:1"}, {"uuu", "-1", "up: -1 2:1 3:1"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := health.Unchecked
			for _, s := range tt.steps {
				vs, verdicts := judged(s.verdicts)
				if tt.with != nil {
					tt.with(vs)
				}
				o := desired.Decide(vs, desired.Facts{
					Verdicts: verdicts, Quorums: map[string]health.State{vs.Name: state}, Wishes: wished(t, s.wishes), Now: noon,
				})
				state = o.Quorum
				if got := summary(o) + ": " + layout(o.Services[0]); got != s.want {
					t.Errorf("%s with %q: got %s, want %s", s.verdicts, s.wishes, got, s.want)
				}
			}
		})
	}
}

// Schedulers that can pass over a server do so while one drains, and only then.
func TestPassingOver(t *testing.T) {
	for _, tt := range []struct {
		scheduler, wishes string
		want              ipvs.ServiceFlags
	}{
		{"sh", "", 0}, {"sh", "~1", ipvs.SHFallback}, {"sh", "1=0", ipvs.SHFallback}, {"sh", "1=2", 0}, {"sh", "-1", 0}, {"sh", "~91", ipvs.SHFallback},
		{"mh", "~1", ipvs.MHFallback}, {"dh", "~1", 0}, {"wrr", "~1", 0},
	} {
		vs, verdicts := judged("uu/u")
		vs.Services[0].Scheduler, vs.Services[0].Flags = tt.scheduler, ipvs.OnePacket
		o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Wishes: wished(t, tt.wishes), Now: noon})
		if got := o.Services[0].Flags; got != tt.want|ipvs.OnePacket || vs.Services[0].Flags != ipvs.OnePacket {
			t.Errorf("%s with %q: %v, want %v", tt.scheduler, tt.wishes, got, tt.want)
		}
	}
}

// Advice is about the weight that the operator wants.
func TestAdvisedWish(t *testing.T) {
	rs := server("198.51.100.1:80", check(1))
	vs := &config.VirtualServer{Name: "web", Services: []ipvs.Service{web}, Quorum: health.Quorum{Needed: 1}, RealServers: []config.RealServer{rs}}
	verdicts := desired.Verdicts{check(1): results(check(1), advised(health.Percent, 50))}
	o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Wishes: wished(t, "1=40"), Now: noon})
	if got := layout(o.Services[0]); got != "1:20" {
		t.Errorf("%s", got)
	}
}

// Time alone changes what wishes come to, and the outcome says when.
func TestWishesInTime(t *testing.T) {
	vs, verdicts := judged("uu/u")
	w := admin.Wish{
		Server: admin.Server{AddrPort: addr("198.51.100.1:80")}, What: admin.Drain, Since: noon,
		Deadline: noon.Add(time.Minute), Expires: noon.Add(time.Hour),
	}
	s := admin.State{}.Set(w)
	other := w
	other.Service, other.Deadline = "another", noon.Add(time.Second)
	s = s.Set(other)
	for _, tt := range []struct {
		after time.Duration
		want  string
		until time.Time
	}{
		{0, "1:0 2:1 -91", w.Deadline}, {time.Minute, "-1 2:1 -91", w.Expires}, {time.Hour, "1:1 2:1 -91", time.Time{}},
	} {
		o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Wishes: s, Now: noon.Add(tt.after)})
		if got := layout(o.Services[0]); got != tt.want || !o.Until.Equal(tt.until) {
			t.Errorf("after %v: %s until %v, want %s until %v", tt.after, got, o.Until, tt.want, tt.until)
		}
	}
}
