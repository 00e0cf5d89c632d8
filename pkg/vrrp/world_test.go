package vrrp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is the network and the hosts.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	start time.Time
	now   time.Time
	queue queue
	seq   int
	hosts []*host
	nets  int
	group []string // instances that are in the sync group

	interval  time.Duration // the longest of all hosts
	preempt   bool
	delay     time.Duration // preempt_delay
	startup   time.Duration // vrrp_startup_delay
	loss, dup float64
	latency   time.Duration // at most
	cut       map[path]bool
	arrived   map[path]time.Time // the last packet, when it is quiet: then they stay in order
	log       []string
	changes   int     // of states
	believed  []*host // who told the neighbours of a network last that the addresses are its own
	oneCut    bool    // network 0 stays cut
	covered   bool    // some router must be active at any time
}

// path is the way from one host to another in a network.
type path struct{ net, from, to int }

type host struct {
	w         *world
	id        int
	router    *Router
	instances []Instance
	running   bool
	awake     time.Time // when it runs again
	suspended bool      // until then, and what is sent to it is lost
	inbox     []Event
	slept     time.Duration // that its clock does not know of
	stalls    int
	timer     int    // the one that counts
	down      []bool // links, by network
	failing   bool   // the script
	changes   int    // of states
	memory    memory
}

type happening struct {
	at  time.Time
	seq int
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(h any)   { *q = append(*q, h.(happening)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newWorld(t *testing.T, seed uint64) *world {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), start: start, now: start, cut: map[path]bool{}, arrived: map[path]time.Time{}}
	w.nets = 1 + w.rng.IntN(3)
	w.believed = make([]*host, w.nets)
	w.interval = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 2 * time.Second}[w.rng.IntN(4)]
	version := uint8(3)
	if w.interval >= time.Second && w.chance(0.5) {
		version = 2
	}
	w.preempt = w.chance(0.7)
	if w.preempt && w.chance(0.3) {
		w.delay = time.Duration(w.rng.IntN(8)) * w.interval
	}
	if w.chance(0.2) {
		w.startup = time.Duration(w.rng.IntN(8)) * w.interval
	}
	if w.nets > 1 && w.chance(0.7) {
		for net := range 2 + w.rng.IntN(w.nets-1) {
			w.group = append(w.group, name(net))
		}
	}
	owned := w.chance(0.15)
	for id := range 2 + w.rng.IntN(4) {
		h := &host{w: w, id: id, down: make([]bool, w.nets)}
		base := uint8(100 + 10*w.rng.IntN(8)) // equal ones happen
		for net := range w.nets {
			in := Instance{
				Name: name(net), VRID: uint8(net + 1), Version: version, Interface: fmt.Sprintf("eth%d", net), Priority: base,
				Initial: Backup, AdvertInterval: w.interval, DownTimerAdverts: 3, Preempt: w.preempt, PreemptDelay: w.delay,
				StartupDelay: w.startup, Source: h.addr(net), HigherPrioSendAdvert: true,
			}
			if version == 3 && id > 0 && w.interval > 10*time.Millisecond && w.chance(0.1) {
				in.AdvertInterval = w.interval / 2 // other routers learn it
			}
			if owned && id == 0 {
				in.Priority, in.Initial = ownersPriority, Active
			}
			in.Tracks = []Track{{Object: Object{TrackInterface, in.Interface}}}
			if len(w.group) == 0 {
				in.Tracks = append(in.Tracks, script)
			}
			h.instances = append(h.instances, in)
		}
		w.hosts = append(w.hosts, h)
		w.after(time.Duration(w.rng.Int64N(int64(3*w.interval))), h.boot)
	}
	w.latency = w.interval / 100
	return w
}

var script = Track{Object: Object{TrackScript, "chk"}, Weight: -60}

func name(net int) string { return fmt.Sprintf("V%d", net) }

func (w *world) groups() []Group {
	if len(w.group) == 0 {
		return nil
	}
	return []Group{{Name: "G", Members: w.group, Tracks: []Track{script}}}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{w.now.Add(d), w.seq, do})
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for n := 0; len(w.queue) > 0 && !w.queue[0].at.After(end); n++ {
		if n == 2_000_000 {
			w.t.Fatalf("it does not get any further than %v", w.now.Sub(w.start))
		}
		h := heap.Pop(&w.queue).(happening)
		w.now = h.at
		h.do()
	}
	w.now = end
}

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%12v ", w.now.Sub(w.start))+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.say("FAILED: "+format, args...)
	w.t.Errorf(format, args...)
}

func (w *world) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d networks, group %v, interval %v, preempt %v, preempt_delay %v, startup delay %v\n", w.nets, w.group, w.interval,
		w.preempt, w.delay, w.startup)
	for _, h := range w.hosts {
		fmt.Fprintf(&b, "host %d: running %v, failing %v, links down %v:", h.id, h.running, h.failing, h.down)
		for net := range w.nets {
			s := h.status(net)
			fmt.Fprintf(&b, " %v at %d of %d, every %v;", s.State, s.Effective, s.Base, s.Interval)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (h *host) addr(net int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(net), 0, byte(h.id + 1)})
}

// clock is what the host takes the time for.
func (h *host) clock() time.Time { return h.w.now.Add(-h.slept) }

// boot starts the daemon.
func (h *host) boot() {
	if h.running {
		return
	}
	h.w.say("host %d starts", h.id)
	h.running, h.router, h.inbox, h.awake, h.suspended = true, NewRouter(), nil, time.Time{}, false
	h.memory = memory{kept: h.memory.kept}
	h.do(h.router.Change(h.clock(), h.instances, h.w.groups()))
	for _, in := range h.instances {
		h.do(h.router.Step(h.clock(), Startup{in.Name, h.w.start}))
	}
	h.observe()
}

// observe tells the router of all that it tracks.
func (h *host) observe() {
	for net, down := range h.down {
		h.event(Observed{Object{TrackInterface, fmt.Sprintf("eth%d", net)}, Reading{Known: true, Up: !down}})
	}
	h.event(Observed{script.Object, Reading{Known: true, Up: !h.failing}})
}

// event is something that the host notices when it runs.
func (h *host) event(ev Event) {
	if !h.running {
		return
	}
	if h.w.now.Before(h.awake) {
		h.inbox = append(h.inbox, ev)
		return
	}
	h.do(h.router.Step(h.clock(), ev))
}

// wake lets a host that stalled do all that it has missed: what it received, and then the time.
func (h *host) wake() {
	if !h.running || h.w.now.Before(h.awake) {
		return
	}
	inbox := h.inbox
	h.inbox, h.suspended = nil, false
	for _, ev := range inbox {
		h.event(ev)
	}
	h.event(Tick{})
}

// do is the runner's part.
func (h *host) do(actions []Action) {
	w := h.w
	for _, a := range slices.Clone(actions) {
		switch a := a.(type) {
		case Send:
			h.send(a)
		case Became:
			w.changes++
			h.changes++
			w.say("host %d %s %v to %v: %s", h.id, a.Instance, a.From, a.To, a.Reason)
			if a.To == Active {
				h.announce(a.Instance)
			}
			if a.Planned && w.chance(0.9) { // otherwise the host is too busy
				w.after(time.Duration(w.rng.Int64N(int64(w.interval/10))), func() { h.event(Placed{a.Instance}) })
			}
		case WentOn:
			w.say("host %d %s went on after %v", h.id, a.Instance, a.Silent)
		case Reannounce:
			h.announce(a.Instance)
		case GroupBecame, Noticed:
		}
	}
	h.note(actions)
	h.agree()
	if w.covered {
		w.cover()
	}
	h.timer++
	if due := h.router.Deadline(); !due.IsZero() {
		timer, router := h.timer, h.router
		w.after(due.Sub(h.clock())+time.Duration(w.rng.Int64N(int64(w.interval/100))), func() {
			if h.timer == timer && h.router == router && h.running {
				if w.now.Before(h.awake) {
					return // wake does it
				}
				h.event(Tick{})
			}
		})
	}
}

// announce is gratuitous ARP. Neighbours hear it wherever they are: what is cut is the way from one host to another.
func (h *host) announce(instance string) {
	net := slices.IndexFunc(h.instances, func(in Instance) bool { return in.Name == instance })
	if !h.down[net] {
		h.w.believed[net] = h
	}
}

// agree is what holds at any time: members of a group are in the same state, if they have begun.
func (h *host) agree() {
	var common State
	for _, member := range h.w.group {
		switch m := h.router.machines[member]; {
		case m.state == Initialize || m.state == common:
		case common == Initialize:
			common = m.state
		default:
			h.w.fail("members of the group of host %d are in different states", h.id)
		}
	}
}

func (h *host) send(s Send) {
	w := h.w
	net := slices.IndexFunc(h.instances, func(in Instance) bool { return in.Name == s.Instance })
	if m := h.router.machines[s.Instance]; s.Priority != 0 && m.state != Active && m.state != Backup {
		w.fail("host %d sends an advert of %s as %v", h.id, s.Instance, m.state)
	}
	for _, to := range w.hosts {
		if to == h || h.down[net] || w.cut[path{net, h.id, to.id}] || w.chance(w.loss) {
			continue
		}
		for range w.copies() {
			ev := Received{s.Instance, h.addr(net), Advert{
				Version: h.instances[net].Version, VRID: uint8(net + 1), Priority: s.Priority, Interval: s.Interval,
			}}
			w.after(w.travel(path{net, h.id, to.id}), func() {
				if !to.down[net] && !to.suspended {
					to.event(ev)
				}
			})
		}
	}
}

// travel is how long a packet takes.
func (w *world) travel(p path) time.Duration {
	d := time.Duration(1 + w.rng.Int64N(int64(w.latency)))
	if w.loss == 0 {
		d = max(d, w.arrived[p].Sub(w.now)+1)
		w.arrived[p] = w.now.Add(d)
	}
	return d
}

// copies is how often a packet arrives.
func (w *world) copies() int {
	if w.chance(w.dup) {
		return 2
	}
	return 1
}

func (h *host) status(net int) Status {
	if h.router == nil {
		return Status{}
	}
	all, _ := h.router.Status()
	return all[net]
}
