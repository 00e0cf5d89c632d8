// Package exchange brings what the operator wants of servers to the other directors, and theirs here: at once when it was wanted, and
// again and again, so that one that was away, or that a network was cut off from, comes to know it.
//
// Two directors say with a digest what they have. Where these differ each sends all of it, and takes what is newer: package admin says what
// that is. So it doesn't matter which messages are lost, come twice or come late, nor who asks whom.
//
// Where several directors meet at an etcd that is one more that they talk with: it has wishes, takes newer ones, and tells when it has others.
//
// An Exchange has a goroutine for each of the other directors while Run runs, and two for an etcd. None waits for another, and nobody for them.
package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	// interval is how long after a conversation there is the next one.
	interval = 10 * time.Second
	// again is how long after one that has failed.
	again = 2 * time.Second
	// pause is how long news wait for others: an etcd tells of each batch of keys, also of those written here, and is read as a whole each time.
	pause = 500 * time.Millisecond
	// patience is how long a conversation may take.
	patience = 5 * time.Second
	// rounds is how many messages a conversation has at most: one to see a difference, one to end it, and another one where something was
	// wanted meanwhile.
	rounds = 3
	// skew is by how much clocks may differ before it is told.
	skew = 5 * time.Second
)

// Director is another one.
type Director interface {
	// Exchange tells it what is wanted here, and returns its answer.
	Exchange(ctx context.Context, m admin.Message) (*admin.Message, error)
}

// Watched is a Director that tells when it has other wishes.
type Watched interface {
	Director
	// Watch calls changed when it may have others, until the context ends.
	Watch(ctx context.Context, changed func())
	// Close ends what connects with it.
	Close() error
}

// Party is who is talked with. Parties are compared with ==.
type Party struct {
	config.Peer
	Etcd member.Source // instead of another director; of the Peer it has a Name and an Address
}

// Keeper has the wishes of this director. Its methods may be called concurrently.
type Keeper interface {
	// Wanted returns all of them.
	Wanted(ctx context.Context) (admin.Message, error)
	// Hear takes what is newer in another director's, and returns what it has then.
	Hear(ctx context.Context, from string, m admin.Message) (admin.Message, error)
}

// Exchange talks with the other directors. New starts nothing; its methods may be called at any time, from any goroutine.
type Exchange struct {
	log    *slog.Logger
	keeper Keeper
	reach  func(Party) Director

	mu    sync.Mutex // held for no longer than a look
	peers map[Party]*peer
	start func(*peer) // nil: Run does not run
}

// New returns an Exchange without directors.
func New(log *slog.Logger, k Keeper, reach func(Party) Director) *Exchange {
	return &Exchange{log: log, keeper: k, reach: reach, peers: make(map[Party]*peer)}
}

// peer is one of the other directors.
type peer struct {
	Party
	director Director
	talks    chan struct{} // has room for one conversation at a time
	left     chan struct{} // closed when it is in the configuration no more
	news     chan struct{} // has one when it may have other wishes

	mu    sync.Mutex
	state status.Director
}

// Follow has these be the other directors from now on. What is known of those that stay is kept.
func (x *Exchange) Follow(list []Party) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c, p := range x.peers {
		if !slices.Contains(list, c) {
			close(p.left)
			delete(x.peers, c)
		}
	}
	for _, c := range list {
		if x.peers[c] != nil {
			continue
		}
		p := &peer{
			Party: c, director: x.reach(c), talks: make(chan struct{}, 1), left: make(chan struct{}), news: make(chan struct{}, 1),
			state: status.Director{Name: c.Name, Address: c.Address, Etcd: c.Etcd != member.Source{}},
		}
		x.peers[c] = p
		if x.start != nil {
			x.start(p)
		}
	}
}

// Run talks with the others until the context ends.
func (x *Exchange) Run(ctx context.Context) {
	var running sync.WaitGroup
	x.mu.Lock()
	x.start = func(p *peer) { running.Go(func() { x.follow(ctx, p) }) }
	for _, p := range x.peers {
		x.start(p)
	}
	x.mu.Unlock()
	<-ctx.Done()
	x.mu.Lock()
	x.start = nil
	x.mu.Unlock()
	running.Wait()
}

// follow talks with one of them from time to time.
func (x *Exchange) follow(ctx context.Context, p *peer) {
	if w, watched := p.director.(Watched); watched {
		var watching sync.WaitGroup
		defer func() {
			watching.Wait()
			_ = w.Close() // nothing is left to be told
		}()
		ctx, end := context.WithCancel(ctx)
		defer end()
		watching.Go(func() { w.Watch(ctx, p.hasNews) })
	}
	next := time.NewTimer(interval)
	defer next.Stop()
	for {
		next.Reset(interval)
		if !x.talk(ctx, p, false) {
			next.Reset(again) // it may be about to have the clients
		}
		select {
		case <-next.C:
		case <-p.news:
			next.Reset(pause)
			select {
			case <-next.C:
			case <-p.left:
				return
			case <-ctx.Done():
				return
			}
			p.readAll() // what is asked now is newer
		case <-p.left:
			return
		case <-ctx.Done():
			return
		}
	}
}

// readAll forgets that there are news.
func (p *peer) readAll() {
	select {
	case <-p.news:
	default:
	}
}

// hasNews has it be talked with soon.
func (p *peer) hasNews() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Spread tells all of them at once what is wanted here, and returns what came of it, by name. It takes no longer than the limit.
func (x *Exchange) Spread(ctx context.Context, limit time.Duration) []status.Director {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	var talking sync.WaitGroup
	for _, p := range x.all() {
		talking.Go(func() { x.talk(ctx, p, true) })
	}
	talking.Wait()
	return x.Status()
}

func (x *Exchange) all() []*peer {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*peer, 0, len(x.peers))
	for _, p := range x.peers {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Status returns what is known of the others, by name.
func (x *Exchange) Status() []status.Director {
	var list []status.Director
	for _, p := range x.all() {
		p.mu.Lock()
		list = append(list, p.state)
		p.mu.Unlock()
	}
	return list
}

// talk has a conversation, notes what came of it, and says whether it succeeded. Who is eager sends everything with the first message.
func (x *Exchange) talk(ctx context.Context, p *peer, eager bool) bool {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
	defer cancel()
	var heard heard
	var err error
	select {
	case p.talks <- struct{}{}:
		defer func() { <-p.talks }() // what came of it is noted before the next one begins
		heard, err = x.converse(ctx, p, eager)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) { // or it was another limit
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return false // who asked has gone, or the daemon ends: nothing is known of the other one
	}
	x.note(p, heard, err)
	return err == nil
}

// heard is what is known of another director after a conversation.
type heard struct {
	ours, theirs admin.Message
	ahead        time.Duration // of its clock
}

// converse tells another director what is wanted here until it has the same.
func (x *Exchange) converse(ctx context.Context, p *peer, eager bool) (h heard, err error) {
	if h.ours, err = x.keeper.Wanted(ctx); err != nil {
		return h, err
	}
	for round := range rounds {
		m := h.ours
		if round == 0 && !eager {
			m.State = nil
		}
		asked := time.Now()
		m.At = asked
		answer, err := p.director.Exchange(ctx, m)
		if err != nil {
			return h, err
		}
		took := time.Since(asked)
		if h.theirs = *answer; !answer.At.IsZero() {
			h.ahead = answer.At.Sub(asked.Add(took / 2))
		}
		if answer.State != nil {
			if h.ours, err = x.keeper.Hear(ctx, p.Name, *answer); err != nil {
				return h, err
			}
		}
		if h.ours.Digest == answer.Digest {
			break
		}
	}
	return h, nil
}

// note has the status tell what came of a conversation.
func (x *Exchange) note(p *peer, h heard, err error) {
	now := time.Now()
	p.mu.Lock()
	was := p.state
	s := &p.state
	if err != nil {
		s.Error, s.InStep = line(err.Error()), false
		if was.Error == "" {
			s.FailingSince = now
		}
	} else {
		s.Reached, s.FailingSince, s.Error = now, time.Time{}, ""
		s.InStep, s.Newest, s.Newer = h.ours.Digest == h.theirs.Digest, stamp(h.theirs.Newest), h.theirs.Newest > h.ours.Newest
		s.ClockAhead = 0
		if h.ahead.Abs() >= skew {
			s.ClockAhead = h.ahead.Round(time.Second)
		}
	}
	is := p.state
	p.mu.Unlock()
	log := x.log.With("director", p.Name, "address", p.Address)
	switch {
	case is.Etcd && is.Error != "" && was.Error == "":
		log.Warn("what is wanted of servers can't be kept in etcd; it holds here, and is written when etcd can be reached", "err", err)
	case is.Etcd && is.Error == "" && (was.Error != "" || was.Reached.IsZero()):
		log.Info("what is wanted of servers is kept in etcd", "in_step", is.InStep)
	case is.Error != "" && was.Error == "":
		log.Warn("another director can't be told what is wanted of servers; it is told when it can be reached", "err", err)
	case is.Error == "" && (was.Error != "" || was.Reached.IsZero()):
		log.Info("another director is told what is wanted of servers", "in_step", is.InStep)
	}
	if is.ClockAhead != 0 && was.ClockAhead == 0 {
		log.Warn("the clocks of the directors differ: of what is wanted on both while they can't reach each other, the wrong one may count as newer",
			"ahead", is.ClockAhead)
	}
}

// line returns what another director may have written as a line for a terminal.
func line(text string) string {
	const most = 400 // characters
	list := []rune(strings.ToValidUTF8(text, "?"))
	if len(list) > most {
		list = append(list[:most], '…')
	}
	for i, r := range list {
		if !unicode.IsPrint(r) {
			list[i] = ' '
		}
	}
	return string(list)
}

// stamp returns the time of a version.
func stamp(version int64) time.Time {
	if version == 0 {
		return time.Time{}
	}
	return time.Unix(0, version)
}
