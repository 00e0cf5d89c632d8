package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// ahead is how long at most a round waits for the record of what it is about to change: as long as a disk takes that is well. Of a disk
	// that once took longer nobody waits for anything until it has taken something in that time.
	ahead = 100 * time.Millisecond
	// keeping is how long who wants something of a server waits for the disk to have it.
	keeping = 2 * time.Second
	// lastWrites is how long a stop waits for the disk to have the last of all records.
	lastWrites = 5 * time.Second
	// slowDisk is how long a record may take before that is told.
	slowDisk = 5 * time.Second
)

// keeper has the owner's records on the disk, by a goroutine of its own: a disk may be slow, stuck or full. Of each record it holds the newest
// text that is not there yet, and no more. What can't be written is tried again after unseen.
type keeper struct {
	log   *slog.Logger
	write func(name string, text []byte) error // replaces a file; without a text it is removed

	mu      sync.Mutex
	records map[string]*record // by name of the file; guarded by mu
	late    bool               // guarded by mu: the disk takes longer than ahead
	runs    bool               // guarded by mu
	pen     chan struct{}      // holds a value while nobody writes
	news    chan struct{}      // records has something to write, or ends
	end     chan struct{}      // closed when there is nothing more to come
	ended   chan struct{}      // closed when run has returned
}

// record is what is to be in a file.
type record struct {
	lost string // what it means that it can't be written, for the log

	text    []byte        // the newest
	version int           // of text
	since   time.Time     // since when the disk lacks it; zero: it has it
	err     error         // of the last attempt
	tried   time.Time     // when that was; zero: at once
	settled chan struct{} // closed when text was written, or could not be
}

func newKeeper(log *slog.Logger) *keeper {
	k := &keeper{
		log: log, write: writeText, records: make(map[string]*record), pen: make(chan struct{}, 1),
		news: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{}),
	}
	k.pen <- struct{}{}
	return k
}

// put has a file hold a value, or be no more if it is nil, as soon as the disk takes it.
func (k *keeper) put(name string, value any, lost string) {
	var text []byte
	if value != nil {
		var err error
		if text, err = json.Marshal(value); err != nil { // no value of ours is like that
			k.log.Error("a record can't be written", "file", name, "err", err)
			return
		}
	}
	k.putText(name, text, lost)
}

// putText is put of a value's JSON.
func (k *keeper) putText(name string, text []byte, lost string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.records[name]
	if r == nil {
		r = &record{}
		k.records[name] = r
	}
	if r.since.IsZero() {
		r.since = time.Now()
	}
	if r.settled == nil || isClosed(r.settled) {
		r.settled = make(chan struct{})
	}
	r.text, r.lost, r.tried = text, lost, time.Time{}
	r.version++
	k.wake()
}

func (k *keeper) wake() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// start has records be written from now on.
func (k *keeper) start() {
	k.mu.Lock()
	k.runs = true
	k.mu.Unlock()
	go k.run()
}

func (k *keeper) run() {
	defer close(k.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		<-k.pen
		name, r, wait := k.next(time.Now())
		if name != "" {
			k.attempt(name, r)
		}
		k.pen <- struct{}{}
		if name != "" {
			continue
		}
		timer.Reset(wait)
		select {
		case <-k.news:
		case <-timer.C:
		case <-k.end:
			return
		}
	}
}

// next returns the record that the disk has lacked for longest, of those that are due; without one, how long it is until there is.
func (k *keeper) next(now time.Time) (name string, next record, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait = time.Hour
	for _, n := range slices.Sorted(maps.Keys(k.records)) {
		r := k.records[n]
		if r.since.IsZero() {
			continue
		}
		if due := r.tried.Add(unseen).Sub(now); !r.tried.IsZero() && due > 0 {
			wait = min(wait, due)
		} else if name == "" || r.since.Before(next.since) {
			name, next = n, *r
		}
	}
	return name, next, wait
}

// attempt writes a record, and notes what came of it.
func (k *keeper) attempt(name string, r record) {
	start := time.Now()
	slow := time.AfterFunc(slowDisk, func() { k.log.Warn("the disk is slow, or stuck", "file", name, "for", slowDisk, "means", r.lost) })
	err := owned(k.write(name, r.text), filepath.Dir(name), "StateDirectory=ipvsd")
	slow.Stop()

	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.records[name]
	if err == nil {
		k.late = time.Since(start) > ahead
		now.since = start // what is newer came later than that
	}
	before := now.err
	if now.err = err; now.version == r.version {
		if now.tried = time.Now(); err == nil {
			now.since, now.text = time.Time{}, nil
		}
		if !isClosed(now.settled) { // it is tried again
			close(now.settled)
		}
	}
	switch {
	case err != nil && before == nil:
		k.log.Warn("a record can't be written to the disk", "file", name, "err", err, "means", r.lost)
	case err == nil && before != nil:
		k.log.Info("a record can be written to the disk again", "file", name)
	}
}

// trouble says why the disk lacks what records are to hold; empty: it does not, or it has had no time yet.
func (k *keeper) trouble(now time.Time, names ...string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		switch r := k.records[name]; {
		case r == nil:
		case r.err != nil:
			return r.err.Error()
		case !r.since.IsZero() && now.Sub(r.since) >= slowDisk:
			return fmt.Sprintf("%s: the disk is slow, or stuck, for %s", name, now.Sub(r.since).Round(time.Second))
		}
	}
	return ""
}

// owed is how long the disk has lacked the newest of what it is to hold; 0: it has it all.
func (k *keeper) owed(now time.Time) (longest time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.records {
		if !r.since.IsZero() {
			longest = max(longest, now.Sub(r.since))
		}
	}
	return longest
}

// await waits until records were written, or could not be, or the context is done. It says whether they were.
func (k *keeper) await(ctx context.Context, names ...string) bool {
	written := true
	for _, name := range names {
		k.mu.Lock()
		r := k.records[name]
		if r == nil || r.since.IsZero() || !k.runs {
			k.mu.Unlock()
			continue
		}
		settled := r.settled
		k.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return false
		}
		k.mu.Lock()
		written = written && r.err == nil
		k.mu.Unlock()
	}
	return written
}

// first waits a moment for records that are to be on the disk before what they tell of is so.
func (k *keeper) first(names ...string) {
	k.mu.Lock()
	late := k.late
	k.mu.Unlock()
	if late {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ahead)
	defer cancel()
	if k.await(ctx, names...); ctx.Err() == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.late = true
}

// rest has nothing be written from now on: another process has the files. It waits for what is not on the disk yet, but not for long; what can't
// be written is no reason against it, but a write that does not end is.
func (k *keeper) rest(ctx context.Context) (goOn func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, keeping, fmt.Errorf("the disk is slow, or stuck: a record has not been written within %v", keeping))
	defer cancel()
	k.mu.Lock()
	names := slices.Sorted(maps.Keys(k.records))
	k.mu.Unlock()
	k.await(ctx, names...)
	select {
	case <-k.pen:
		return func() { k.pen <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// close waits a while until all records are on the disk, tries again once what could not be written before, and ends.
func (k *keeper) close() {
	k.mu.Lock()
	for _, r := range k.records {
		if !r.since.IsZero() {
			r.tried = time.Time{}
			if isClosed(r.settled) {
				r.settled = make(chan struct{})
			}
		}
	}
	k.wake()
	names := slices.Sorted(maps.Keys(k.records))
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lastWrites)
	defer cancel()
	k.await(ctx, names...)
	close(k.end)
	k.mu.Lock()
	for _, name := range names {
		if r := k.records[name]; !r.since.IsZero() {
			k.log.Error("the daemon ends, and the disk lacks its last record", "file", name, "waited", ctx.Err() != nil, "err", r.err, "means", r.lost)
		}
	}
	k.mu.Unlock()
	select {
	case <-k.ended:
	case <-ctx.Done(): // it is in the kernel, which lets nobody out of there
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
