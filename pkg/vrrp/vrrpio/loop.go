package vrrpio

import (
	"errors"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// loop is what the thread does: it has the router, and nobody else touches it.
type loop struct {
	net    network
	log    *scribe
	porter *porter
	report func([]vrrp.Action)
	router *vrrp.Router

	now   time.Time     // when the thread woke up
	boot  time.Time     // of the machine
	slept time.Duration // until now, since then
	over  bool
	told  bool // the others, that it is

	logUnknown bool
	held       bool
	ready      func() // called once
	hosts      hosts  // nil: not known yet
	instances  []*instance
	changes    int // of the configuration until now
	named      map[string]*instance
	ending     map[string]*instance // removed by the change that is being done
	links      map[spec]*link
	busy       []*link       // with adverts that are to leave
	reports    []vrrp.Action // of this time
	record     *RecordFile   // nil: there is none
	touched    []*instance   // it is to be brought up to date on these
	resigns    bool          // an advert that is to leave gives up a role
	lateness   lateness
}

func newLoop(net network, log *scribe, porter *porter, options Options) *loop {
	return &loop{
		net: net, log: log, porter: porter, report: options.Report, logUnknown: options.LogUnknown, held: options.Held, record: options.Record, ready: func() {},
		router: vrrp.NewRouter(), named: map[string]*instance{}, links: map[spec]*link{},
	}
}

// run goes on until stop.
func (l *loop) run(letters *mailbox[func(*loop)]) error {
	now, up, slept := l.net.now()
	l.now, l.boot, l.slept = now, now.Add(-up), slept
	read := func(f func(*loop)) { f(l) }
	for {
		letters.take(read)
		// What was received counts before what is due: an advert that waited to be read is younger than the timer that it resets.
		if d := l.router.Deadline(); !d.IsZero() && !d.After(l.now) {
			l.step(vrrp.Tick{})
		}
		l.flush()
		if l.over {
			l.closeAll()
			return nil
		}
		if err := l.net.wait(l.router.Deadline()); err != nil {
			return err
		}
		l.wakeUp()
		l.net.receive()
	}
}

// nap is what suspension may be overlooked: two clocks are not read at the same time.
const nap = 10 * time.Millisecond

// wakeUp looks at the clock. It tells the router that the host was suspended, which the clock does not say. When it was only busy, the
// router sees by the time how late it is.
func (l *loop) wakeUp() {
	now, _, slept := l.net.now()
	l.now = now
	if slept-l.slept > nap {
		l.step(vrrp.Slept{For: slept - l.slept})
		l.slept = slept
	}
}

// step lets something happen, and collects what is to be done about it.
func (l *loop) step(ev vrrp.Event) {
	l.do(l.router.Step(l.now, ev))
	if o, is := ev.(vrrp.Observed); is && l.record != nil && l.record.rec != nil {
		l.record.rec.Observe(o.Object, o.Reading)
	}
}

func (l *loop) do(actions []vrrp.Action) {
	for i, a := range actions {
		switch a := a.(type) {
		case vrrp.Send:
			l.advertise(a, l.router.Due(i))
			l.touch(a.Instance)
			l.resigns = l.resigns || a.Priority == 0
			continue
		case vrrp.Became:
			l.touch(a.Instance)
		case vrrp.Noticed:
			if in := l.named[a.Instance]; in != nil && a.What == vrrp.RxLowerPriority {
				in.codec.Outrun()
			}
		}
		l.reports = append(l.reports, a)
	}
}

var errNoSocket = errors.New("its interface was gone, or without an address to send from")

// advertise puts an advert to those that are to leave.
func (l *loop) advertise(a vrrp.Send, due time.Time) {
	in := l.named[a.Instance]
	if gone := l.ending[a.Instance]; gone != nil && a.Priority == 0 {
		in = gone
		delete(l.ending, a.Instance) // the next one of this name is another instance's
	}
	if in == nil {
		return
	}
	link := in.link
	if link == nil || link.socket == nil {
		in.failed(errNoSocket)
		return
	}
	if len(link.out) == 0 {
		l.busy = append(l.busy, link)
	}
	advert := vrrp.Advert{Version: in.Version, VRID: in.VRID, Priority: a.Priority, Interval: a.Interval, Addrs: in.Addresses}
	if len(in.Peers) == 0 {
		link.put(in, in.codec.Encode(advert, in.source, in.Multicast, l.now), in.Multicast, due)
		return
	}
	for i, peer := range in.Peers {
		if i == 0 {
			link.put(in, in.codec.Encode(advert, in.source, peer.Addr, l.now), peer.Addr, due)
			continue
		}
		link.put(in, in.codec.Again(peer.Addr), peer.Addr, due)
	}
}

// flush sends what is to leave, and then tells what else is to be done.
func (l *loop) flush() {
	if l.resigns { // first, lest somebody who comes after a kill goes on with a role that was given up
		l.resigns = false
		l.note(false)
	}
	for _, link := range l.busy {
		l.lateness.add(link.flush(), l.log)
	}
	l.busy = l.busy[:0]
	if len(l.reports) > 0 {
		reports := l.reports
		l.reports = nil
		l.report(reports)
	}
	l.note(true)
}

// stop ends everything.
func (l *loop) stop() {
	for _, in := range l.instances {
		l.step(vrrp.Shutdown{Instance: in.Name})
	}
	l.over, l.told = true, !l.held
}

// status tells of some instances, from one of the file on.
func (l *loop) status(from, most int) []vrrp.Status {
	instances := l.router.StatusPart(from, most)
	for i := range instances {
		if in := l.named[instances[i].Name]; in != nil {
			in.addTo(&instances[i].Counters)
		}
	}
	return instances
}
