// Package reconcile makes a kernel's table what it should be: Diff compares the actual with the desired state and orders
// the steps between them, a Reconciler takes those steps round by round and remembers what was refused.
//
// It decides neither what is desired (package desired does) nor when a round is due beyond the retries it owes (package
// daemon does). It starts no goroutine, reads no clock and keeps no copy of the table: what a round changes it has read.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Kernel is a table that can be read and changed: *ipvsnl.Client, or *ipvstest.Kernel in tests.
type Kernel interface {
	// Read returns all services, sorted, and the destinations of those in of; those of all if it is nil.
	Read(ctx context.Context, of map[ipvs.ServiceKey]bool) (ipvs.Table, error)
	// ReadServices returns the services with these keys, sorted, with their destinations; those that don't exist are missing.
	ReadServices(ctx context.Context, keys []ipvs.ServiceKey) (ipvs.Table, error)
	// Apply runs the commands in order, going on after a refused one. An error means that it isn't known which of
	// the commands took effect.
	Apply(ctx context.Context, cmds []ipvs.Command) (refused []*ipvs.Error, err error)
}

// Reconciler keeps one table as desired. It is not safe for concurrent use: its owner calls it.
type Reconciler struct {
	kernel Kernel
	spare  func(ctx context.Context) (end func())
	last   desired.State // that the last round reached, apart from what was refused
	done   bool          // last is set, and nothing has happened since that we don't know of
	failed map[object]Failure
	totals Totals

	touched  map[ipvs.ServiceKey]bool // changed, and not read since
	draining []ipvs.ServiceKey        // as of last
	unmoved  map[ipvs.ServiceKey]bool // the last round held back what brings their servers into order
	sweep    int                      // the last service whose servers were read because it was its turn
}

// object is what a step acts on, and what a failure is remembered for.
type object struct {
	service ipvs.ServiceKey
	server  netip.AddrPort // zero: the service itself
}

// Failure is a step that the kernel refused and that will be tried again for as long as it is wanted.
type Failure struct {
	Err      *ipvs.Error
	Since    time.Time
	Attempts int
	Next     time.Time // not before then
}

// Totals count since the start.
type Totals struct {
	Rounds  uint64 // tables read
	Steps   uint64 // commands that took effect
	Refused uint64
	Drift   uint64 // steps that were needed only because somebody else changed the table
}

// Round is what a round found and did.
type Round struct {
	Table   ipvs.Table    // as it was found, before any step; servers that were not read are missing
	Want    desired.State // what the Table was compared with: with Changes not all that is wanted
	Plan    Plan          // all that differed, including what is held back after a refusal
	Taken   []Step        // what was sent and not refused
	Drift   []Step        // what differed because somebody else changed the table
	Refused []Failure     // what was sent and refused, with the earlier attempts
}

// New returns a Reconciler for a kernel. It does nothing before Round.
func New(k Kernel) *Reconciler {
	return &Reconciler{kernel: k, failed: make(map[object]Failure), touched: make(map[ipvs.ServiceKey]bool)}
}

// Spare has f called before servers change their places, and what it returns after: between the deletion and the addition of
// such a server the kernel has to spare its connections.
func (r *Reconciler) Spare(f func(ctx context.Context) (end func())) { r.spare = f }

// Round reads the table, compares it with the desired state and takes the steps that are due. Steps that are refused
// are held back for a growing time (Deadline says until when); all others go on. On error the table is as unknown as
// before; the Round holds what is known up to there.
//
// Unless parts is Whole it reads the servers of some services only: of those that are to change, and of as many others as it
// takes to have read all after that number of rounds, or of no others with Changes. Where it isn't known what the last commands did it reads everything,
// but not because a read failed: one of little is the more likely to succeed while others keep changing the table.
func (r *Reconciler) Round(ctx context.Context, now time.Time, want desired.State, parts int) (Round, error) {
	of := r.part(want, parts)
	round, was, err := r.read(ctx, want, of, parts)
	if err != nil {
		if errors.Is(err, ipvs.ErrUnavailable) {
			r.done = false // the table has gone with the module
		}
		return Round{}, err
	}
	r.totals.Rounds++
	round.Plan = Diff(round.Table, round.Want)
	round.Drift = r.drift(round.Table, was, round.Plan)

	due := r.due(now, round.Plan)
	if len(due.Steps) > 0 {
		refused, err := r.apply(ctx, due)
		if err != nil {
			r.done = false // what differs in the next round may be our own doing
			return round, err
		}
		r.record(now, &round, due.Steps, refused)
	}
	r.totals.Drift += uint64(len(round.Drift))
	for k := range r.touched {
		if of == nil || of[k] {
			delete(r.touched, k)
		}
	}
	for _, s := range round.Taken {
		r.touched[s.Service.ServiceKey] = true
	}
	if !same(r.last, want) {
		r.draining = draining(want)
	}
	r.last, r.done = want, true
	return round, nil
}

// Retry has the next round take the steps that are held back as well: somebody may have removed the reason.
func (r *Reconciler) Retry() {
	for o, f := range r.failed {
		f.Next = f.Since
		r.failed[o] = f
	}
}

// Failures returns what was refused and is still wanted, by service and server.
func (r *Reconciler) Failures() []Failure {
	out := make([]Failure, 0, len(r.failed))
	for _, f := range r.failed {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Failure) int {
		x, y := a.Err.Command, b.Err.Command
		return cmp.Or(x.Service.ServiceKey.Compare(y.Service.ServiceKey), x.Destination.Addr.Compare(y.Destination.Addr))
	})
	return out
}

// Totals returns the counts so far.
func (r *Reconciler) Totals() Totals { return r.totals }

// Deadline returns when the first of the refused steps is to be tried again; zero if none was refused.
func (r *Reconciler) Deadline() time.Time {
	var first time.Time
	for _, f := range r.failed {
		if first.IsZero() || f.Next.Before(first) {
			first = f.Next
		}
	}
	return first
}

// drift returns the steps of the plan that would be needed for the state of the last round as well. That round left the
// table in that state, so somebody else must have changed it since.
func (r *Reconciler) drift(table ipvs.Table, was desired.State, plan Plan) []Step {
	if !r.done || plan.Empty() {
		return nil
	}
	needed := make(map[ipvs.Command]bool)
	broken := r.broken()
	for _, s := range Diff(table, was).Steps {
		_, ours := r.failed[s.object()]
		ours = ours || r.orphan(s) || s.Reason == Drained ||
			s.Reason == Order && (r.unmoved[s.Service.ServiceKey] || broken[s.Service.ServiceKey] > 0)
		if !ours {
			needed[s.Command()] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(plan.Steps), func(s Step) bool { return !needed[s.Command()] })
}

// broken counts the servers of each service on which steps were refused.
func (r *Reconciler) broken() map[ipvs.ServiceKey]int {
	if len(r.failed) == 0 {
		return nil
	}
	n := make(map[ipvs.ServiceKey]int)
	for o := range r.failed {
		if o.server.IsValid() {
			n[o.service]++
		}
	}
	return n
}

// orphan says whether the step is about a server whose service the kernel refused to make.
func (r *Reconciler) orphan(s Step) bool {
	if len(r.failed) == 0 || !s.Op.OnDestination() {
		return false
	}
	f, ok := r.failed[object{service: s.Service.ServiceKey}]
	return ok && f.Err.Command.Op == ipvs.NewService
}

// due returns the plan without the steps that must wait, and forgets failures of which nothing is wanted any more. Only the
// very command that was refused waits: another one for the same object is another question. But a server that is to change
// its place waits with both steps, and while one of its service's is refused the others keep theirs: there is no order
// without that one, and each attempt would have them move again. What waits for another one's next attempt has its own no
// sooner.
func (r *Reconciler) due(now time.Time, plan Plan) Plan {
	r.unmoved = nil
	if len(r.failed) == 0 {
		return plan
	}
	wanted := make(map[object]bool, len(plan.Steps)) // true: it is to change its place
	for _, s := range plan.Steps {
		wanted[s.object()] = wanted[s.object()] || s.Reason == Order
	}
	broken, stuck := make(map[ipvs.ServiceKey]int), make(map[ipvs.ServiceKey]bool) // by a server; by one that is to stay in its place
	last := make(map[ipvs.ServiceKey]time.Time)                                    // of the next attempts
	for o, f := range r.failed {
		moves, found := wanted[o]
		if !found {
			delete(r.failed, o)
			continue
		}
		if o.server.IsValid() {
			broken[o.service]++
			stuck[o.service] = stuck[o.service] || !moves
		}
		if f.Next.After(last[o.service]) {
			last[o.service] = f.Next
		}
	}
	unmade := make(map[ipvs.ServiceKey]bool) // a plan makes a service before its servers
	waits := func(s Step) bool {
		key := s.Service.ServiceKey
		f, ok := r.failed[s.object()]
		wait, until := ok && now.Before(f.Next) && f.Err.Command == s.Command(), f.Next
		switch {
		case s.Reason == Order && (!ok && broken[key] > 0 || ok && (stuck[key] || now.Before(last[key]))):
			if r.unmoved == nil {
				r.unmoved = make(map[ipvs.ServiceKey]bool)
			}
			r.unmoved[key] = true
			wait, until = true, last[key]
		case s.Op.OnDestination() && unmade[key]:
			wait, until = true, r.failed[object{service: key}].Next
		case wait && s.Op == ipvs.NewService:
			unmade[key] = true
		}
		if ok && !now.Before(f.Next) && f.Next.Before(until) {
			f.Next = until
			r.failed[s.object()] = f
		}
		return wait
	}
	return Plan{Steps: slices.DeleteFunc(slices.Clone(plan.Steps), waits)}
}

// record keeps what came of the steps that were sent.
func (r *Reconciler) record(now time.Time, round *Round, sent []Step, refused []*ipvs.Error) {
	if len(refused) == 0 && len(r.failed) == 0 {
		round.Taken = sent
		r.totals.Steps += uint64(len(sent))
		return
	}
	byIndex := make(map[int]*ipvs.Error, len(refused))
	needless := make(map[ipvs.Command]bool)
	for _, e := range refused {
		byIndex[e.Index] = e
		if errors.Is(e, fs.ErrExist) {
			needless[e.Command] = true
		}
	}
	// What was there all the time nobody took away: the read missed it, because others changed the table meanwhile.
	round.Drift = slices.DeleteFunc(round.Drift, func(s Step) bool { return needless[s.Command()] })
	fresh := make(map[object]bool) // refused in this batch, whatever came of later steps on the same object
	for i, s := range sent {
		o, e := s.object(), byIndex[i]
		switch {
		case e == nil, gone(e):
			if !fresh[o] {
				delete(r.failed, o)
			}
			round.Taken = append(round.Taken, s)
			r.totals.Steps++
		case r.orphan(s), s.Reason == Order && i > 0 && sent[i-1].object() == o && errors.Is(e, fs.ErrExist):
			// A consequence of what was refused before it in the same batch: its service, or to delete it first. The two are
			// tried again together.
		default:
			f, again := r.failed[o]
			if !again || f.Err.Command != e.Command {
				f = Failure{Since: now}
			}
			f.Err, f.Attempts, f.Next = e, f.Attempts+1, now.Add(pause(f.Attempts))
			r.failed[o], fresh[o] = f, true
			round.Refused = append(round.Refused, f)
			r.totals.Refused++
		}
	}
}

// gone says whether a deletion was refused because there was nothing to delete, which is as good.
func gone(e *ipvs.Error) bool {
	del := e.Command.Op == ipvs.DelService || e.Command.Op == ipvs.DelDestination
	return del && errors.Is(e, fs.ErrNotExist)
}

// pause returns how long to wait after so many earlier attempts: 1 s, 2 s, 4 s and so on up to 1 min.
func pause(attempts int) time.Duration {
	const first, longest = time.Second, time.Minute
	if attempts >= 6 {
		return longest
	}
	return min(first<<attempts, longest)
}

func (s Step) object() object {
	o := object{service: s.Service.ServiceKey}
	if s.Destination != nil {
		o.server = s.Destination.Addr
	}
	return o
}
