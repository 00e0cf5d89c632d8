package script

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Job is a command in a queue.
type Job struct {
	Command
	Queue   string        // jobs of one queue run one after another, in the order in which they were added
	Object  string        // what in the queue the job tells about
	Timeout time.Duration // how long the command may run
	// Done is called exactly once, with what Run returned, or with ErrSuperseded or ErrClosed. It must not block.
	Done func(output string, err error)
}

// Why a job did not run.
var (
	ErrSuperseded = errors.New("superseded by later ones while it waited")
	ErrClosed     = errors.New("the daemon stops")
)

const (
	// backlog is how many jobs about one object may wait. Of more, the oldest is dropped: a command that hangs must not
	// make us collect what happens meanwhile for ever, and the last word on an object matters most.
	backlog = 16
	// places is how many commands run at once. A rack that fails is news for every service at the same moment.
	places = 32
)

// Queues runs jobs, each queue in order and different ones at the same time. Nothing that it does waits for a command but
// Close.
type Queues struct {
	run    func(context.Context, Command) (string, error)
	ctx    context.Context // of the commands
	cancel context.CancelCauseFunc
	places chan struct{}

	mu      sync.Mutex
	queues  map[string]*queue // those that have a goroutine
	working sync.WaitGroup    // these
}

// queue is what waits in it.
type queue struct {
	jobs  []Job
	about map[string]int // how many of them, by Object
}

// NewQueues returns queues that run their commands with run, normally Run.
func NewQueues(run func(context.Context, Command) (string, error)) *Queues {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Queues{run: run, ctx: ctx, cancel: cancel, places: make(chan struct{}, places), queues: make(map[string]*queue)}
}

// Add adds a job. It never waits.
func (q *Queues) Add(j Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.queues[j.Queue]
	if l == nil {
		l = &queue{about: make(map[string]int)}
		q.queues[j.Queue] = l
		q.working.Go(func() { q.work(j.Queue) })
	}
	l.jobs = append(l.jobs, j)
	if l.about[j.Object]++; l.about[j.Object] > backlog {
		oldest := slices.IndexFunc(l.jobs, func(other Job) bool { return other.Object == j.Object })
		l.take(oldest).Done("", ErrSuperseded)
	}
}

// take takes a job out.
func (l *queue) take(i int) Job {
	j := l.jobs[i]
	l.jobs = slices.Delete(l.jobs, i, i+1)
	if l.about[j.Object]--; l.about[j.Object] == 0 {
		delete(l.about, j.Object)
	}
	return j
}

// Close waits until all jobs have run, or the context is done: then it stops the commands that run, drops the jobs that
// wait, and waits for what that takes, four seconds at most. Nothing may be added after it.
func (q *Queues) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { q.cancel(ErrClosed) })
	q.working.Wait()
	stop()
	q.cancel(ErrClosed)
}

// work runs the jobs of a queue until there are none.
func (q *Queues) work(name string) {
	for {
		q.places <- struct{}{}
		j, found := q.next(name)
		if found {
			q.do(j)
		}
		<-q.places
		if !found {
			return
		}
	}
}

// next takes the first job out of a queue.
func (q *Queues) next(name string) (Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.queues[name]
	if len(l.jobs) == 0 {
		delete(q.queues, name)
		return Job{}, false
	}
	return l.take(0), true
}

func (q *Queues) do(j Job) {
	if q.ctx.Err() != nil {
		j.Done("", context.Cause(q.ctx))
		return
	}
	ctx, cancel := context.WithTimeoutCause(q.ctx, j.Timeout, fmt.Errorf("it ran for more than %v", j.Timeout))
	defer cancel()
	j.Done(q.run(ctx, j.Command))
}

// Logged returns a Done that logs how a notification went. What the script wrote is its own business, except for what it says
// first.
func Logged(log *slog.Logger) func(output string, err error) {
	return func(output string, err error) {
		if line, _, _ := strings.Cut(strings.TrimSpace(output), "\n"); line != "" {
			log = log.With("output", line)
		}
		if err != nil {
			log.Warn("notification failed", "err", err)
			return
		}
		log.Info("notified")
	}
}
