package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// A service whose clients depend on the order of its servers gets it with as few steps as possible. Servers are written as
// NUMBER:WEIGHT; of the actual ones the first was added first. A step is + for an addition, - for a deletion, * for both, and =
// for an edit.
func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name, actual, want, steps string
	}{
		{"new", "", "1:1 2:1 3:1", "+1 +2 +3"},
		{"as it should be", "1:1 2:1 3:1", "1:1 2:1 3:1", ""},
		{"one more at the end", "1:1 2:1", "1:1 2:1 3:1", "+3"},
		{"one more in the middle", "1:1 2:1 4:1 5:1", "1:1 2:1 3:1 4:1 5:1", "+3 *4 *5"},
		{"one more at the start", "2:1 3:1", "1:1 2:1 3:1", "+1 *2 *3"},
		{"one came back", "1:1 3:1 2:1", "1:1 2:1 3:1", "*3"},
		{"one goes", "1:1 2:1 3:1", "1:1 3:1", "-2"},
		{"one that goes is in the way", "1:1 3:1 2:1", "1:1 3:1", "-2"},
		{"upside down", "3:1 2:1 1:1", "1:1 2:1 3:1", "*2 *3"},
		{"weights", "1:1 2:1 3:1", "1:5 2:1 3:0", "=1 =3"},
		{"moves and loses weight", "2:3 1:1", "1:1 2:1", "*2 =2"},
		{"moves and gains weight", "2:1 1:1", "1:1 2:3", "*2"},
		{"the only one with clients waits for another", "2:1 1:0", "1:1 2:1", "=1 *2"},
		{"the only one with clients has another moved twice", "3:1 1:0", "1:0 3:1 4:1", "+4 *3 *4"},
		{"the only one with clients and another that gains weight", "2:1 1:0 3:0", "1:0 2:1 3:1", "=3 *2 *3"},
		{"the only one with clients stays", "2:1 1:0", "1:0 2:1", ""},
		{"the only one with clients stays and another comes", "2:1", "1:0 2:1", "+1"},
		{"none has clients", "2:0 1:0", "1:0 2:0", "*2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := new(ipvstest.Kernel)
			s := ipvstest.Service("tcp 192.0.2.1:80", "mh")
			for _, d := range numbered(tt.actual) {
				if len(snapshot(t, k)) == 0 {
					apply(t, k, ipvs.Command{Op: ipvs.NewService, Service: s})
				}
				apply(t, k, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: d})
			}
			want := desired.Service{Service: s}
			kept := numbered(tt.want)
			for _, d := range kept {
				want.Destinations = append(want.Destinations, desired.Destination{Destination: d})
			}
			for _, d := range numbered(tt.actual) {
				if !slices.ContainsFunc(kept, func(k ipvs.Destination) bool { return k.Addr == d.Addr }) {
					want.Destinations = append(want.Destinations, desired.Destination{Destination: d, Want: desired.Absent})
				}
			}
			slices.SortFunc(want.Destinations, func(a, b desired.Destination) int { return a.Addr.Compare(b.Addr) })
			state := desired.State{want}
			plan := reconcile.Diff(snapshot(t, k), state)
			if got := brief(plan); got != tt.steps {
				t.Errorf("got %s, want %s", got, tt.steps)
			}
			round(t, reconcile.New(k), state)
			holds(t, snapshot(t, k), state)
			if plan := reconcile.Diff(snapshot(t, k), state); !plan.Empty() {
				t.Errorf("then %s", brief(plan))
			}
		})
	}
}

func numbered(list string) (servers []ipvs.Destination) {
	for word := range strings.FieldsSeq(list) {
		n, _ := strconv.Atoi(word[:1])
		weight, _ := strconv.Atoi(word[2:])
		servers = append(servers, ipvs.Destination{Addr: server(n), Weight: int32(weight)})
	}
	return servers
}

func brief(p reconcile.Plan) string {
	var steps []string
	for _, s := range p.Steps {
		if s.Destination == nil {
			continue
		}
		sign := map[ipvs.Op]string{ipvs.NewDestination: "+", ipvs.DelDestination: "-", ipvs.SetDestination: "="}[s.Op]
		last := len(steps) - 1
		a := s.Destination.Addr.Addr().As4()
		n := strconv.Itoa(int(a[3]) - 1)
		if s.Reason == reconcile.Order && s.Op == ipvs.NewDestination && last >= 0 && steps[last] == "-"+n {
			steps[last] = "*" + n
			continue
		}
		steps = append(steps, sign+n)
	}
	return strings.Join(steps, " ")
}

// Strangers among the servers have no part in the order, and stay where they are.
func TestOrderIgnoresStrangers(t *testing.T) {
	k := new(ipvstest.Kernel)
	s := ipvstest.Service("tcp 192.0.2.1:80", "sh")
	apply(t, k, ipvs.Command{Op: ipvs.NewService, Service: s})
	for _, d := range numbered("3:1 1:1 2:1") {
		apply(t, k, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: d})
	}
	state := desired.State{{Service: s}}
	for _, d := range numbered("1:1 2:1") {
		state[0].Destinations = append(state[0].Destinations, desired.Destination{Destination: d})
	}
	if plan := reconcile.Diff(snapshot(t, k), state); !plan.Empty() || len(plan.Foreign) != 1 {
		t.Errorf("got %s, strangers %v", brief(plan), plan.Foreign)
	}
}

// A server that has to come back somewhere and is refused doesn't have the others move again and again, and none of it is
// taken for somebody else's doing.
func TestOrderWaitsForTheRefused(t *testing.T) {
	k := new(ipvstest.Kernel)
	s := ipvstest.Service("tcp 192.0.2.1:80", "mh")
	state := desired.State{{Service: s}}
	for _, d := range numbered("1:1 2:1 3:1 4:1") {
		state[0].Destinations = append(state[0].Destinations, desired.Destination{Destination: d})
	}
	r := reconcile.New(k)
	round(t, r, state)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Op == ipvs.NewDestination && c.Destination.Addr == server(2) {
			return ipvs.ENOMEM
		}
		return 0
	})
	apply(t, k, ipvs.Command{Op: ipvs.DelDestination, Service: s, Destination: state[0].Destinations[1].Destination})
	now := start
	if got := try(t, r, now, state); len(got.Refused) != 1 || len(got.Taken) != 4 {
		t.Fatalf("refused %v, taken %v", got.Refused, got.Taken)
	}
	drift := r.Totals().Drift
	for range 5 {
		now = r.Deadline()
		if got := try(t, r, now, state); len(got.Refused) != 1 || len(got.Taken) != 0 {
			t.Errorf("refused %v, taken %v", got.Refused, got.Taken)
		}
	}
	k.Refuse(nil)
	now = r.Deadline()
	try(t, r, now, state)
	try(t, r, now, state)
	if n := r.Totals().Drift; n != drift {
		t.Errorf("counted %d times as drift", n-drift)
	}
	holds(t, snapshot(t, k), state)
}

// Whatever is refused, and however often: no attempt is owed that isn't made, and all is as it should be soon after nothing is
// refused any more.
func TestRefusedAtRandom(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		k, now := new(ipvstest.Kernel), start
		r := reconcile.New(k)
		var state desired.State
		for range 30 {
			if state == nil || random.IntN(6) == 0 {
				s := ipvstest.Service("tcp 192.0.2.1:80", []string{"mh", "sh", "rr"}[random.IntN(3)])
				state = desired.State{{Service: s}}
				for n := range 6 {
					d := desired.Destination{Destination: ipvs.Destination{Addr: server(n), Weight: random.Int32N(3)}}
					d.Want = []desired.Want{desired.Present, desired.Present, desired.Present, desired.Absent}[random.IntN(4)]
					state[0].Destinations = append(state[0].Destinations, d)
				}
			}
			if random.IntN(4) == 0 {
				var cmds []ipvs.Command
				for range random.IntN(3) {
					d := state[0].Destinations[random.IntN(6)].Destination
					cmds = append(cmds, ipvs.Command{Op: ipvs.DelDestination, Service: state[0].Service, Destination: d},
						ipvs.Command{Op: ipvs.NewDestination, Service: state[0].Service, Destination: d})
				}
				if random.IntN(4) == 0 {
					cmds = append(cmds, ipvs.Command{Op: ipvs.DelService, Service: state[0].Service})
				}
				if _, err := k.Apply(t.Context(), cmds); err != nil {
					t.Fatal(err)
				}
			}
			k.Refuse(func(ipvs.Command) ipvs.Errno {
				if random.IntN(2) == 0 {
					return ipvs.ENOMEM
				}
				return 0
			})
			if got := try(t, r, now, state); len(got.Taken)+len(got.Refused) == 0 && !r.Deadline().IsZero() && !r.Deadline().After(now) {
				t.Fatalf("seed %d: nothing was done of what is due: %v", seed, got.Plan.Steps)
			}
			if next := r.Deadline(); next.After(now) && random.IntN(2) == 0 {
				now = next
			}
		}
		k.Refuse(nil)
		for range 5 {
			now = now.Add(time.Minute)
			try(t, r, now, state)
		}
		holds(t, snapshot(t, k), state)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A server that drains loses its weight, and goes with its last connection: with TCP the last active one, otherwise the last.
func TestDraining(t *testing.T) {
	for _, tt := range []struct {
		key              string
		active, inactive uint32
		stays            bool
	}{
		{"tcp 192.0.2.1:80", 0, 0, false},
		{"tcp 192.0.2.1:80", 1, 0, true},
		{"tcp 192.0.2.1:80", 0, 9, false},
		{"udp 192.0.2.1:80", 0, 0, false},
		{"udp 192.0.2.1:80", 0, 9, true},
		{"sctp 192.0.2.1:80", 0, 9, true},
		{"sctp 192.0.2.1:80", 9, 0, true},
		{"fwmark 7", 0, 9, true},
		{"fwmark 7", 0, 0, false},
	} {
		k := new(ipvstest.Kernel)
		s := ipvstest.Service(tt.key, "wlc")
		full := desired.State{{Service: s}}
		for _, d := range numbered("1:1 2:3 3:0") {
			full[0].Destinations = append(full[0].Destinations, desired.Destination{Destination: d})
		}
		r := reconcile.New(k)
		round(t, r, full)
		if err := k.Count(s.ServiceKey, server(2), ipvs.Stats{}, tt.active, tt.inactive); err != nil {
			t.Fatal(err)
		}
		want := desired.State{{Service: s, Destinations: slices.Clone(full[0].Destinations)}}
		want[0].Destinations[1] = desired.Destination{Destination: ipvs.Destination{Addr: server(2)}, Want: desired.Draining}
		want[0].Destinations = append(want[0].Destinations, // one that is not there has nothing to drain
			desired.Destination{Destination: ipvs.Destination{Addr: server(4)}, Want: desired.Draining})

		got := round(t, r, want)
		if text := brief(got.Plan); text != "=2" || got.Taken[0].Destination.Weight != 0 {
			t.Errorf("%s: first %v", tt.key, got.Taken)
		}
		for range 3 {
			round, err := r.Round(t.Context(), start, want, 100)
			if err != nil || len(round.Drift) != 0 {
				t.Fatal(err, round.Drift)
			}
		}
		if d := snapshot(t, k)[0].Destination(server(2)); (d != nil) != tt.stays {
			t.Errorf("%s with %d active and %d inactive connections: %v", tt.key, tt.active, tt.inactive, d)
		}
		if !tt.stays {
			continue
		}
		if err := k.Count(s.ServiceKey, server(2), ipvs.Stats{}, 0, 0); err != nil {
			t.Fatal(err)
		}
		last, err := r.Round(t.Context(), start, want, 100) // and though it has not been the service's turn
		if err != nil || brief(last.Plan) != "-2" || len(last.Drift) != 0 {
			t.Errorf("%s: at last %v %v, drift %v", tt.key, err, last.Plan.Steps, last.Drift)
		}
	}
}

// A plan says why a server goes or comes that is to stay.
func TestReasons(t *testing.T) {
	s := ipvstest.Service("tcp 192.0.2.1:80", "mh")
	table := ipvs.Table{{Service: s}}
	for i, d := range numbered("1:1 2:1 3:0") {
		table[0].Destinations = append(table[0].Destinations, ipvs.DestinationStatus{Destination: d, Rank: i})
	}
	state := desired.State{{Service: s}}
	for _, d := range numbered("1:1 2:1 3:0") {
		state[0].Destinations = append(state[0].Destinations, desired.Destination{Destination: d})
	}
	state[0].Destinations[2].Want = desired.Draining
	var lines []string
	for _, s := range reconcile.Diff(table, state).Steps {
		lines = append(lines, s.String())
	}
	const text = `delete server 198.51.100.3:80 of tcp 192.0.2.1:80, to add it again: order of mh
re-add server 198.51.100.3:80 NAT weight 1 of tcp 192.0.2.1:80: order of mh
delete server 198.51.100.4:80 of tcp 192.0.2.1:80: its connections have ended`
	if got := strings.Join(lines, "\n"); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}

// Connections are spared while servers change their places, and not while others leave for good.
func TestSpare(t *testing.T) {
	k := new(ipvstest.Kernel)
	s := ipvstest.Service("tcp 192.0.2.1:80", "mh")
	apply(t, k, ipvs.Command{Op: ipvs.NewService, Service: s})
	state := desired.State{{Service: s}}
	for _, d := range numbered("3:1 2:1 4:1 5:1") {
		apply(t, k, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: d})
	}
	for _, d := range numbered("1:0 2:1 3:1 4:1 5:1") {
		state[0].Destinations = append(state[0].Destinations, desired.Destination{Destination: d})
	}
	state[0].Destinations[4].Want = desired.Absent
	k.Commands()
	r := reconcile.New(k)
	var parts []string
	r.Spare(func(context.Context) func() {
		parts = append(parts, fmt.Sprint(len(k.Commands())))
		return func() { parts = append(parts, fmt.Sprint(len(k.Commands()))) }
	})
	k.RefuseAt(7, ipvs.ENOMEM) // to delete the last one
	if got := try(t, r, start, state); len(got.Refused) != 1 || got.Refused[0].Err.Command.Destination.Addr != server(5) {
		t.Errorf("refused %v", got.Refused)
	}
	if got := append(parts, fmt.Sprint(len(k.Commands()))); !slices.Equal(got, []string{"1", "6", "1"}) {
		t.Errorf("commands before, spared and after: %v", got)
	}
	try(t, r, r.Deadline(), state)
	if len(parts) != 2 {
		t.Error("spared with nothing to move")
	}
}
