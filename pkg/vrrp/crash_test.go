package vrrp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// memory is where a host of the simulation keeps its record.
type memory struct {
	kept bool // there is one
	held bool // the daemon listens, and takes no part yet
	rec  *Record
	file []byte
	sent []time.Time // by network
}

// renew begins the record anew, for another configuration.
func (m *memory) renew(h *host) {
	if !m.kept || m.held {
		return
	}
	m.rec = h.router.Record(BootID{1})
	m.sent = append(m.sent, make([]time.Time, len(h.instances)-len(m.sent))...)
	for place := range h.instances {
		h.router.Enter(m.rec, place, m.sent[place], h.clock(), h.up(), CodecStanding{})
	}
	m.save()
}

// save is the write that follows each step.
func (m *memory) save() {
	text, at := m.rec.Changed()
	if at+len(text) > len(m.file) {
		m.file = append(m.file, make([]byte, at+len(text)-len(m.file))...)
	}
	copy(m.file[at:], text)
}

// up is for how long the host has been up, suspended or not.
func (h *host) up() time.Duration { return h.w.now.Sub(h.w.start) }

// note brings the record up to date after a step.
func (h *host) note(actions []Action) {
	m := &h.memory
	if !m.kept || m.held {
		return
	}
	if m.rec == nil {
		m.sent = nil
		m.renew(h)
	}
	for _, a := range actions {
		name := ""
		switch a := a.(type) {
		case Send:
			name = a.Instance
		case Became:
			name = a.Instance
		}
		place := slices.IndexFunc(h.instances, func(in Instance) bool { return in.Name == name })
		if place < 0 {
			continue
		}
		if _, sent := a.(Send); sent {
			m.sent[place] = h.clock()
		}
		h.router.Enter(m.rec, place, m.sent[place], h.clock(), h.up(), CodecStanding{})
	}
	for o, known := range h.router.objects {
		m.rec.Observe(o, known.Reading)
	}
	m.save()
}

// restart kills the daemon and starts it again: down is for how long there is none, slow how long that one takes until it can take part.
func (h *host) restart(down, slow time.Duration) {
	if !h.running || h.memory.held {
		return
	}
	h.crash()
	h.w.after(down, func() {
		switch {
		case h.running:
		case h.memory.file == nil: // it was started otherwise meanwhile, and stopped
			h.boot()
		default:
			h.bootAgain(slow)
		}
	})
}

// bootAgain starts the daemon, which goes by what the one before has left.
func (h *host) bootAgain(slow time.Duration) {
	h.w.say("host %d starts again, which takes %v", h.id, slow)
	remains, err := ParseRecord(h.memory.file)
	if err != nil {
		h.w.fail("the record of host %d: %v", h.id, err)
		return
	}
	h.memory = memory{kept: true, held: true}
	router := NewRouter()
	h.running, h.router, h.inbox, h.awake, h.suspended = true, router, nil, time.Time{}, false
	h.do(h.router.Change(h.clock(), h.instances, h.w.groups()))
	var takePart func()
	takePart = func() {
		switch {
		case h.router != router || !h.running:
		case h.w.now.Before(h.awake):
			h.w.after(h.awake.Sub(h.w.now), takePart)
		default:
			h.recover(remains)
		}
	}
	h.w.after(slow, takePart)
}

func (h *host) recover(remains *Remains) {
	h.memory.held = false
	actions, resumed := h.router.Recover(h.clock(), h.up(), remains, func(string) bool { return true })
	if len(resumed) > 0 {
		h.do(actions)
	}
	for _, in := range h.instances {
		if !slices.Contains(resumed, in.Name) {
			h.do(h.router.Step(h.clock(), Startup{in.Name, h.w.start}))
		}
	}
	h.observe()
	if h.w.loss > 0 || h.w.oneCut {
		return
	}
	for _, name := range resumed { // the network is quiet, and all hosts run
		if n := len(h.w.active(slices.IndexFunc(h.instances, func(in Instance) bool { return in.Name == name }))); n != 1 {
			h.w.fail("host %d went on, and %d are active", h.id, n)
		}
	}
}

// However often routers are killed and started again, in the middle of whatever happens, all is well after it. When nothing else happens, who is
// active and comes back in time has none of the others notice; and who doesn't, at whatever moment it stood still, is never active beside another one.
func TestCrashSimulation(t *testing.T) {
	for seed := range *seeds / 15 {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, uint64(seed))
			for _, h := range w.hosts {
				h.memory.kept = true
			}
			some := func(most float64) time.Duration { return time.Duration(w.rng.Float64() * most * float64(w.interval)) }
			for range 60 {
				w.after(some(100), func() { w.hosts[w.rng.IntN(len(w.hosts))].restart(some(4), some(2)) })
			}
			w.chaos()
			w.pass(100 * w.interval)
			w.quieten()
			w.pass(2 * w.bound())
			w.settled("after the chaos")
			w.stable()
			rounds, lives := 20, w.hosts[0].instances[0].proven()
			if w.interval < time.Second {
				rounds = 2 // a minute is long
			}
			for range rounds {
				w.pass(some(4) + lives)
				w.restartInTime()
			}
			for range 10 {
				h := w.hosts[w.rng.IntN(len(w.hosts))]
				h.restart(some(5), some(3))
				if w.chance(0.5) {
					w.pass(some(5))
					h.stall(some(6), w.chance(0.5))
				}
				w.pass(2*w.bound() + 14*w.interval)
				w.settled("after a restart")
			}
			w.stable()
			w.handOver()
			w.end()
			if t.Failed() {
				t.Logf("%s\t%s", w.describe(), strings.Join(w.log[max(0, len(w.log)-100):], "\n\t"))
			}
		})
	}
}

// restartInTime kills an active router, which goes on before others miss it.
func (w *world) restartInTime() {
	net := w.rng.IntN(w.nets)
	active := w.active(net)
	if len(active) != 1 {
		return
	}
	h, others := active[0], w.changes-active[0].changes
	interval := w.interval
	for _, in := range h.instances {
		interval = min(interval, in.AdvertInterval)
	}
	w.say("host %d is killed, in quiet", h.id)
	h.restart(time.Duration(w.rng.Int64N(int64(interval))), time.Duration(w.rng.Int64N(int64(interval)/2)))
	w.pass(2 * interval)
	if m := h.router.machines[name(net)]; m.state != Active || m.counters.BecameActive != 0 {
		w.fail("host %d is %v: %s", h.id, m.state, m.reason)
	}
	w.pass(10 * w.interval)
	if w.changes-h.changes != others {
		w.fail("others have noticed that host %d was killed", h.id)
	}
}
