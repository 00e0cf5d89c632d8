package vrrp

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A simulation of 2 to 5 routers in 1 to 3 networks, each of which has a virtual router with a part in it of all of them. First a
// time of chaos: loss, delays, duplicates, networks cut in one or both directions, hosts that stall, sleep, crash, stop and start,
// links that fail, tracked scripts that change priorities, switchovers, reloads. Then the network is quiet, and after a bound
// of time the invariants must hold. All of it follows from the seed: run a failing one again with
// go test -run 'TestSimulation/^seed=N$' -v.

var seeds = flag.Int("seeds", 1500, "how many simulations TestSimulation runs")

func TestSimulation(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, uint64(seed))
			w.chaos()
			w.quieten()
			w.pass(w.bound())
			w.settled("after the chaos")
			w.stable()
			w.handOver()
			w.cutOff()
			w.end()
			if t.Failed() {
				t.Logf("%s\t%s", w.describe(), strings.Join(w.log[max(0, len(w.log)-100):], "\n\t"))
			}
		})
	}
}

// chaos is everything that can happen.
func (w *world) chaos() {
	w.loss, w.dup, w.latency = w.rng.Float64()*0.5, 0.1, w.interval/2
	for range 10 + w.rng.IntN(40) {
		w.pass(time.Duration(w.rng.Int64N(int64(4 * w.interval))))
		h := w.hosts[w.rng.IntN(len(w.hosts))]
		net := w.rng.IntN(w.nets)
		switch w.rng.IntN(13) {
		case 0:
			w.say("networks are whole")
			clear(w.cut)
		case 1, 2:
			other := w.rng.IntN(len(w.hosts))
			w.say("network %d is cut from %d to %d", net, h.id, other)
			w.cut[path{net, h.id, other}] = true
			w.cut[path{net, other, h.id}] = w.chance(0.7)
		case 3:
			h.stall(time.Duration(w.rng.Int64N(int64(10*w.interval))), false)
		case 4:
			h.stall(time.Duration(w.rng.Int64N(int64(20*w.interval))), true)
		case 5:
			h.crash()
		case 6:
			h.stop()
		case 7, 8:
			h.boot()
		case 9:
			w.say("host %d: link %d is down: %v", h.id, net, !h.down[net])
			h.down[net] = !h.down[net]
			w.after(time.Duration(w.rng.Int64N(int64(w.interval))), h.observe)
		case 10:
			w.say("host %d: script fails: %v", h.id, !h.failing)
			h.failing = !h.failing
			h.observe()
		case 11:
			w.say("host %d: switchover of %s", h.id, name(net))
			h.event(Switchover{name(net)})
		case 12:
			h.reload()
		}
	}
}

// stall keeps a host from running for a while, or suspends it.
func (h *host) stall(d time.Duration, suspended bool) {
	if !h.running || h.w.now.Before(h.awake) {
		return
	}
	h.w.say("host %d does not run for %v, suspended: %v", h.id, d, suspended)
	h.awake, h.suspended = h.w.now.Add(d), suspended
	h.stalls++
	stall := h.stalls
	h.w.after(d, func() {
		if stall != h.stalls {
			return // it has been started again meanwhile
		}
		if suspended {
			h.slept += d
			h.inbox = append([]Event{Slept{d}}, h.inbox...)
		}
		h.wake()
	})
}

func (h *host) crash() {
	h.w.say("host %d crashes", h.id)
	h.running = false
	h.stalls++
}

// stop ends the daemon cleanly.
func (h *host) stop() {
	if h.running && !h.w.now.Before(h.awake) {
		h.w.say("host %d stops", h.id)
		for _, in := range h.instances {
			h.event(Shutdown{in.Name})
		}
		h.running, h.memory.file = false, nil
	}
}

// reload gives the host another priority.
func (h *host) reload() {
	if !h.running || h.w.now.Before(h.awake) || h.instances[0].Priority == ownersPriority {
		return
	}
	base := uint8(100 + 10*h.w.rng.IntN(8))
	h.w.say("host %d reloads, its priority is %d", h.id, base)
	for i := range h.instances {
		h.instances[i].Priority = base
	}
	actions := h.router.Change(h.clock(), h.instances, h.w.groups())
	h.memory.renew(h)
	h.do(actions)
}

// quieten ends the chaos. In some worlds one network of the sync group stays cut: the group must get along with that.
func (w *world) quieten() {
	for _, h := range w.hosts {
		if w.now.Before(h.awake) {
			w.pass(h.awake.Sub(w.now))
		}
	}
	w.loss, w.dup, w.latency = 0, 0, w.interval/100
	w.cut = map[path]bool{}
	w.oneCut = len(w.group) > 0 && w.chance(0.3)
	if w.oneCut {
		for from := range w.hosts {
			for to := range w.hosts {
				w.cut[path{0, from, to}] = true
			}
		}
	}
	for _, h := range w.hosts {
		if w.chance(0.8) {
			for net := range h.down {
				h.down[net] = false
			}
		}
		if w.chance(0.8) {
			h.boot()
		}
		if h.running {
			h.observe()
		}
	}
	w.say("it is quiet; network 0 is cut: %v", w.oneCut)
}

// bound is how long it may take until everything is as it should be. Nothing takes longer than an Active_Down_Interval and the skew,
// 5 intervals: a handover that has begun, the first election after it or after the startup delay, the election
// by which the best router takes the role from another one; with a delay before that. Adverts that cross each other cost one
// interval more.
func (w *world) bound() time.Duration { return 16*w.interval + w.startup + w.delay }

// ready tells whether the host could be active in a network.
func (h *host) ready(net int) bool {
	if !h.running {
		return false
	}
	if !slices.Contains(h.w.group, name(net)) {
		return !h.down[net]
	}
	for member := range h.w.group {
		if h.down[member] {
			return false
		}
	}
	return true
}

// active returns the hosts that are active in a network.
func (w *world) active(net int) []*host {
	var found []*host
	for _, h := range w.hosts {
		if h.running && h.router.machines[name(net)].state == Active {
			found = append(found, h)
		}
	}
	return found
}

// settled checks what must hold when nothing happens: there is one active router, if any host is ready, and no router that would
// replace it.
func (w *world) settled(when string) {
	w.t.Helper()
	for net := range w.nets {
		active := w.active(net)
		ready := slices.DeleteFunc(slices.Clone(w.hosts), func(h *host) bool { return !h.ready(net) })
		if len(active) != min(1, len(ready)) {
			w.fail("%s, %d routers are active in network %d, of %d that could be", when, len(active), net, len(ready))
			continue
		}
		for _, h := range ready {
			m, best := h.router.machines[name(net)], active[0].router.machines[name(net)]
			if m.effective > best.effective && (w.preempt || m.Priority == ownersPriority) && !m.unit.yielded && !w.oneCut {
				w.fail("%s, host %d with priority %d is active in network %d, and not host %d with %d", when,
					active[0].id, best.effective, net, h.id, m.effective)
			}
		}
	}
}

// stable checks that nothing changes any more.
func (w *world) stable() {
	before := w.changes
	w.pass(20 * w.interval)
	if w.changes != before {
		w.fail("there are changes of state without a reason")
	}
}

// handOver checks that a switchover leaves no moment without an active router.
func (w *world) handOver() {
	net := w.rng.IntN(w.nets)
	active := w.active(net)
	ready := 0
	for _, h := range w.hosts {
		if h.ready(net) {
			ready++
		}
	}
	if len(active) != 1 || ready < 2 || w.oneCut {
		return
	}
	w.say("host %d hands %s over", active[0].id, name(net))
	w.covered = true
	active[0].event(Switchover{name(net)})
	w.pass(w.bound())
	w.covered = false
	if m := active[0].router.machines[name(net)]; m.state != Backup || !m.unit.yielded {
		w.fail("host %d is %v after the switchover", active[0].id, m.state)
	}
	w.settled("after the switchover")
	w.stable()
}

// cutOff parts a host from all others for a while: where it is active, another one takes over. After that the neighbours, who have heard both,
// must send to the one that is active, be it the one that never ceased to be.
func (w *world) cutOff() {
	if w.oneCut {
		return
	}
	for net := range w.nets {
		if active := w.active(net); len(active) == 1 {
			w.believed[net] = active[0]
		}
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	for net := range w.nets {
		for _, other := range w.hosts {
			w.cut[path{net, h.id, other.id}], w.cut[path{net, other.id, h.id}] = true, true
		}
	}
	w.say("host %d is cut off", h.id)
	w.pass(time.Duration(w.rng.Int64N(int64(8 * w.interval))))
	w.say("host %d is so no more", h.id)
	clear(w.cut)
	w.pass(w.bound())
	w.settled("after a host was cut off")
	for net := range w.nets {
		if active := w.active(net); len(active) == 1 && w.believed[net] != active[0] {
			w.fail("host %d is active in network %d, and the neighbours send to host %d", active[0].id, net, w.believed[net].id)
		}
	}
}

// cover checks that each network has an active router.
func (w *world) cover() {
	for net := range w.nets {
		able := slices.ContainsFunc(w.hosts, func(h *host) bool { return h.ready(net) })
		if able && len(w.active(net)) == 0 {
			w.fail("no router is active in network %d", net)
		}
	}
}

// end takes an active router away, by a crash or a clean stop. The RFC's bound is that of the best other router: its
// Active_Down_Interval, or its Skew_Time.
func (w *world) end() {
	net := w.rng.IntN(w.nets)
	active := w.active(net)
	if len(active) != 1 {
		return
	}
	var best uint8
	for _, h := range w.hosts {
		if h != active[0] && h.ready(net) {
			best = max(best, h.router.machines[name(net)].effective)
		}
	}
	bound := time.Duration(256-int(best))*w.interval/256 + w.interval/20 // and what the network and late timers cost
	if w.chance(0.5) && !w.oneCut {
		active[0].stop()
	} else {
		active[0].crash()
		bound += 3 * w.interval
	}
	w.pass(bound)
	if now := w.active(net); best > 0 && len(now) == 0 {
		w.fail("no router became active in network %d within %v", net, bound)
	}
	w.pass(w.bound())
	w.settled("after the end of a router")
}
