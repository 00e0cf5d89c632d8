package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/admin/etcdboard"
	"github.com/ipvsd/ipvsd/pkg/admin/exchange"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	// spreading is how long who wants something of a server waits for the other directors to have it.
	spreading = 2 * time.Second
	// catchingUp is how long a start waits for them: less than it takes a virtual router to become the master.
	catchingUp = time.Second
)

// reach is how another director's API, or an etcd, is reached.
func reach(p exchange.Party) exchange.Director {
	if p.Etcd != (member.Source{}) {
		return etcdboard.New(p.Etcd)
	}
	return clientOf(p.Peer)
}

// parties are who is told of what is wanted of servers.
func parties(g *config.GlobalDefs) (list []exchange.Party) {
	for _, p := range g.Peers {
		list = append(list, exchange.Party{Peer: p})
	}
	if e := g.Wishes; e != (member.Source{}) {
		name := e.Kind.String()
		if slices.ContainsFunc(g.Peers, func(p config.Peer) bool { return p.Name == name }) {
			name = e.String() // names are labels of metrics: two of a kind would spoil all of them
		}
		list = append(list, exchange.Party{Peer: config.Peer{Name: name, Address: e.At}, Etcd: e})
	}
	return list
}

// Exchange takes what is newer in another director's wishes, and answers with what is wanted here.
func (o *owner) Exchange(ctx context.Context, m admin.Message) (*admin.Message, error) {
	answer, err := o.Hear(ctx, m.From, m)
	if err != nil {
		return nil, err
	}
	if answer.Digest == m.Digest {
		answer.State = nil // it is known there
	}
	return &answer, nil
}

// Wanted returns what is wanted here, for other directors.
func (o *owner) Wanted(ctx context.Context) (admin.Message, error) {
	return o.telling(ctx, func(context.Context, time.Time) ([]admin.Wish, error) { return nil, nil })
}

// Hear takes what is newer in another director's wishes.
func (o *owner) Hear(ctx context.Context, from string, m admin.Message) (admin.Message, error) {
	return o.telling(ctx, func(ctx context.Context, now time.Time) ([]admin.Wish, error) {
		if m.State == nil {
			return nil, nil
		}
		next, changed, err := o.wishes.Merge(*m.State, now)
		if err != nil || len(changed) == 0 {
			return nil, err
		}
		before := o.wishes
		o.hold(next, changed)
		changed = slices.DeleteFunc(changed, func(w admin.Wish) bool { // the end of what nobody here has heard of
			_, held := before.Find(w.Key())
			_, holds := next.Find(w.Key())
			return !held && !holds
		})
		for _, w := range changed {
			o.tellWish(w, w.Owner, "director", from)
		}
		o.passTime(ctx, now) // the time of some of them may have come
		return changed, nil
	})
}

// telling returns what is wanted here after something was done by the owner's goroutine, which returns what it took.
func (o *owner) telling(ctx context.Context, do func(context.Context, time.Time) ([]admin.Wish, error)) (admin.Message, error) {
	type told struct {
		state admin.State
		taken []admin.Wish
		now   time.Time
		err   error
	}
	t, err := ask(ctx, o, func(ctx context.Context) told {
		now := time.Now()
		taken, err := do(ctx, now)
		return told{o.wishes, taken, now, err}
	})
	if err = errors.Join(err, t.err); err != nil {
		return admin.Message{}, err
	}
	m, err := t.state.Message(t.now) // here: its digest takes long where there are many, and the owner has other things to do
	m.Taken = t.taken
	return m, err
}

// spread has the other directors know of what was ordered, and says which do.
func (o *owner) spread(ctx context.Context, s *status.Wishes, err error) (*status.Wishes, error) {
	if err != nil {
		return s, err
	}
	// That who ordered it has gone is no reason for the others not to hear of it.
	s.Directors = o.directors.Spread(context.WithoutCancel(ctx), spreading)
	writing, cancel := context.WithTimeout(ctx, keeping)
	defer cancel()
	if !o.keeper.await(writing, o.files.wishes) {
		s.Record = cmp.Or(o.keeper.trouble(time.Now(), o.files.wishes), fmt.Sprintf("%s: the disk has not taken it for %s", o.files.wishes, keeping))
	}
	return s, err
}

// catchUpWishes hears what other directors want, before anything is done by what the disk knew. It answers requests meanwhile.
func (o *owner) catchUpWishes(ctx context.Context) {
	if len(parties(&o.cfg.GlobalDefs)) == 0 {
		return
	}
	heard := make(chan struct{})
	go func() {
		o.directors.Spread(ctx, catchingUp)
		close(heard)
	}()
	for {
		select {
		case request := <-o.requests:
			request(ctx)
		case <-heard:
			return
		}
	}
}
