package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

// patience is how long the cluster may take to be there at all.
const patience = 2 * time.Minute

// run is one run of a world.
type run struct {
	*lab.NATPair
	tb        lab.TB
	world     chaos.World
	watcher   *lab.Host // hears and sees both networks, and has no part in anything
	directors []*director
	servers   map[string]*lab.Server
	variant   chaos.Variant
	clock     clock
	owed      *chaos.Fault // a switchover that is to be undone
	handedBy  int          // the number of the director that was active before it

	mu       sync.Mutex // guards what follows
	judge    *chaos.Judge
	breaches []chaos.Breach
	story    []told   // each thing that happened
	holders  []string // who had virtual addresses when somebody looked
	requests map[string]*chaos.Tally

	broken chan struct{} // closed at the first breach
	over   chan struct{} // closed when observers and clients are to end
	done   map[chaos.Kind]int
}

// told is something that happened.
type told struct {
	at   time.Duration
	what string
}

func newRun(tb lab.TB, w chaos.World, bin string) *run {
	r := &run{
		NATPair: lab.NewNATPair(tb), tb: tb, world: w, servers: map[string]*lab.Server{}, variant: w.NewVariant(0),
		judge: w.NewJudge(virtual...), requests: map[string]*chaos.Tally{}, broken: make(chan struct{}), over: make(chan struct{}), done: map[chaos.Kind]int{},
	}
	hosts := slices.Clone(r.Directors[:])
	if w.Directors > 2 {
		hosts = append(hosts, r.Third(tb))
	}
	for n, h := range hosts {
		d := &director{Director: pair.NewDirector(tb, h, pair.IPVSD, bin), tb: tb, number: n}
		d.WriteText(configuration(w, n, r.variant))
		r.directors = append(r.directors, d)
	}
	for _, s := range slices.Concat(r.Web, r.DNS) {
		r.servers[s.Host.Name] = s
	}
	r.watcher = lab.NewHost(tb, "watcher")
	r.watcher.Connect(r.External, "eth0", "192.168.1.250/24")
	r.watcher.Connect(r.Internal, "eth1", "10.0.100.250/24")
	return r
}

func (r *run) now() time.Duration { return r.clock.now() }

// moment is the beginning or the end of a fault.
type moment struct {
	at  time.Duration
	f   chaos.Fault
	end bool
}

// run has all faults happen, and watches. It returns whether the cluster stood it.
func (r *run) run(faults []chaos.Fault, length time.Duration) bool {
	end := r.begin()
	var moments []moment
	for _, f := range faults {
		moments = append(moments, moment{f.At, f, false})
		if f.For > 0 {
			moments = append(moments, moment{f.End(), f, true})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return int(a.at - b.at) })
	for _, m := range moments {
		if !r.waitUntil(m.at) {
			break
		}
		r.happen(m)
	}
	r.waitUntil(length)
	r.goOn(chaos.Least(length))
	end()
	return len(r.breaches) == 0
}

// begin starts all daemons, and when all is as it should be, observers and clients. They have ended when end returns.
func (r *run) begin() (end func()) {
	for _, d := range r.directors {
		d.begin()
	}
	r.settle()
	var watching sync.WaitGroup
	r.watch(&watching)
	return func() {
		close(r.over)
		watching.Wait()
	}
}

// enough is how long a run may go on until as much was judged as it takes.
const enough = 5 * time.Minute

// goOn waits until that is so: where observers and clients get little of the processor, it takes longer.
func (r *run) goOn(least chaos.Judged) {
	var lacks []string
	for end := time.Now().Add(enough); time.Now().Before(end); {
		r.judging(func(j *chaos.Judge) []chaos.Breach { lacks = j.Lacks(least); return nil })
		if len(lacks) == 0 && r.owed == nil || !r.waitUntil(r.now()+lookEvery) {
			return
		}
	}
	if r.owed != nil {
		lacks = append(lacks, "nobody could undo the switchover")
	}
	for _, what := range lacks {
		r.convict(chaos.Breach{At: r.now(), What: what})
	}
}

// waitUntil returns false at once when something was broken.
func (r *run) waitUntil(at time.Duration) bool {
	for {
		left := at - r.now()
		if left <= 0 {
			return true
		}
		select {
		case <-r.broken:
			return false
		case <-time.After(min(left, lookEvery)):
		}
		r.handBack()
	}
}

// settle waits until the cluster is as it should be, before anything happens to it.
func (r *run) settle() {
	lab.WaitFor(r.tb, patience, "an active director, and all servers in all tables", func() error {
		held := 0
		for _, d := range r.directors {
			seen := d.look()
			if len(seen.Addresses) > 0 {
				held++
			}
			rows := 0
			for _, t := range seen.Table {
				rows += len(t)
			}
			if rows != len(r.variant) {
				return fmt.Errorf("the table of %s has %d servers", d.Name, rows)
			}
		}
		if held != 1 {
			return fmt.Errorf("%d directors have virtual addresses", held)
		}
		if _, err := r.Get(); err != nil {
			return err
		}
		_, err := r.Query()
		return err
	})
}

// tell adds a line to the story.
func (r *run) tell(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, told{r.now(), text})
}

// convict takes what the judge has found.
func (r *run) convict(found ...chaos.Breach) {
	if len(found) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.breaches) == 0 {
		close(r.broken)
	}
	r.breaches = append(r.breaches, found...)
}

// judging has the judge do something.
func (r *run) judging(f func(*chaos.Judge) []chaos.Breach) {
	r.mu.Lock()
	found := f(r.judge)
	r.mu.Unlock()
	r.convict(found...)
}

func (r *run) active(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.holders, name)
}
