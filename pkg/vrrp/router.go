package vrrp

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Router is a VRRP Router: all virtual routers of a host and their sync groups. It must be used by one goroutine. Times that it
// is given must not go backwards. The zero value is of no use: make one with NewRouter.
type Router struct {
	machines map[string]*machine
	ordered  []*machine // as in the file
	units    []*unit
	objects  map[Object]*object
	timers   timers
	now      time.Time // of the step
	actions  []Action  // of the step
	dues     []time.Time
}

// object is what is known of a tracked object, and who tracks it.
type object struct {
	Reading
	trackers []*machine
}

// NewRouter returns a router without instances.
func NewRouter() *Router {
	return &Router{machines: map[string]*machine{}, objects: map[Object]*object{}}
}

// Step lets an event happen, and returns what is to be done about it, in this order. The slice is good until the next call of Step
// or Change.
//
// Who runs a Router and comes late gives it first what was received, and then the Tick: an advert that waits to be read is younger
// than the timer that it resets.
func (r *Router) Step(now time.Time, ev Event) []Action {
	r.begin(now)
	switch ev := ev.(type) {
	case Startup:
		if m := r.machines[ev.Instance]; m != nil {
			m.startup(ev.Boot)
		}
	case Shutdown:
		if m := r.machines[ev.Instance]; m != nil {
			m.unit.shutdown("stopped")
		}
	case Received:
		if m := r.machines[ev.Instance]; m != nil {
			m.receive(ev.From, ev.Advert)
		}
	case Observed:
		r.observe(ev.Object, ev.Reading)
	case Sourced:
		if m := r.machines[ev.Instance]; m != nil {
			m.sourced(ev.Addr, ev.Why)
		}
	case Switchover:
		if u, err := r.switchable(ev.Name); err == nil {
			u.handOver()
		}
	case Placed:
		if m := r.machines[ev.Instance]; m != nil {
			m.placed()
		}
	case Slept:
		for _, u := range r.units {
			u.slept(ev.For)
		}
	case Tick:
		r.tick()
	}
	return r.actions
}

// Deadline returns when a Tick is due. Zero: nothing is due ever.
func (r *Router) Deadline() time.Time {
	if len(r.timers) == 0 {
		return time.Time{}
	}
	return r.timers[0].deadline
}

// Switchable tells why a Switchover of the instance or group would have no effect. Nil: it would begin.
func (r *Router) Switchable(name string) error {
	_, err := r.switchable(name)
	return err
}

func (r *Router) switchable(name string) (*unit, error) {
	i := slices.IndexFunc(r.units, func(u *unit) bool { return u.Name == name })
	if m := r.machines[name]; m != nil {
		i = slices.Index(r.units, m.unit)
	}
	switch {
	case i < 0 || name == "":
		return nil, fmt.Errorf("no vrrp_instance and no vrrp_sync_group has the name %q", name)
	case r.units[i].state != Active:
		return nil, fmt.Errorf("%s is %s here: only the MASTER can hand over", name, r.units[i].state)
	case r.units[i].members[0].handing:
		return nil, errors.New("it is being handed over already")
	}
	return r.units[i], nil
}

func (r *Router) begin(now time.Time) {
	r.now = now
	clear(r.actions)
	r.actions, r.dues = r.actions[:0], r.dues[:0]
}

func (r *Router) emit(a Action) { r.emitDue(a, r.now) }

func (r *Router) emitDue(a Action, due time.Time) {
	r.actions, r.dues = append(r.actions, a), append(r.dues, due)
}

// Due returns when the action of that index, of those that the last call of Step or Change returned, should have been done:
// before the step if its timer was read late. It is how late an advert is.
func (r *Router) Due(action int) time.Time { return r.dues[action] }

// tick does what is due. Each deadline that has passed moves into the future or away, so it ends.
func (r *Router) tick() {
	for len(r.timers) > 0 && !r.timers[0].deadline.After(r.now) {
		r.timers[0].expire()
	}
}

func (r *Router) observe(o Object, reading Reading) {
	known := r.objects[o]
	if known == nil {
		r.objects[o] = &object{Reading: reading}
		return
	}
	if known.Reading == reading {
		return
	}
	known.Reading = reading
	for _, m := range known.trackers {
		m.weigh()
	}
	for _, m := range known.trackers {
		m.unit.settle()
	}
}

// timers is a heap of the machines that have a deadline. Those due at the same time are in the order of the file.
type timers []*machine

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if c := t[i].deadline.Compare(t[j].deadline); c != 0 {
		return c < 0
	}
	return t[i].order < t[j].order
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

// Push is heap's.
func (t *timers) Push(m any) {
	added := m.(*machine)
	added.place = len(*t)
	*t = append(*t, added)
}

// Pop is heap's.
func (t *timers) Pop() any {
	end := len(*t) - 1
	last := (*t)[end]
	(*t)[end] = nil
	*t = (*t)[:end]
	return last
}

// arm makes the machine's timer fire at a time.
func (m *machine) arm(at time.Time) {
	running := !m.deadline.IsZero()
	m.deadline = at
	if running {
		heap.Fix(&m.router.timers, m.place)
	} else {
		heap.Push(&m.router.timers, m)
	}
}

// disarm stops the machine's timer.
func (m *machine) disarm() {
	if !m.deadline.IsZero() {
		heap.Remove(&m.router.timers, m.place)
		m.deadline = time.Time{}
	}
}

// unzoned makes addresses of the same link comparable.
func unzoned(a netip.Addr) netip.Addr { return a.WithZone("") }
