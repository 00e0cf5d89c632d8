package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	fresh    = time.Second     // for how long what was told may be told again
	rest     = 4               // so many times as long as it took to find out, at least
	patience = 5 * time.Second // with another director
	latest   = 50              // events
)

// State is what the page shows of this director, and of others. Of an answer with an Order, the Services are those that have changed.
type State struct {
	Position string            `json:"position"` // for since, in the next request
	Who      string            `json:"who"`
	Operates bool              `json:"operates"`
	Leaves   bool              `json:"leaves"` // it is by a session, which can be ended
	Whole    bool              `json:"whole"`  // all services are here, not only those that have changed
	Here     overview          `json:"here"`
	Peers    []neighbour       `json:"peers"`
	Wishes   []wish            `json:"wishes"`
	Events   []happened        `json:"events"` // the latest first
	Order    []string          `json:"order"`  // keys of all services; null: as before
	Services []json.RawMessage `json:"services"`
}

// happened is an event.
type happened struct {
	ID   string `json:"id"`
	At   int64  `json:"at"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// neighbour is another director.
type neighbour struct {
	Name   string    `json:"name"`
	Error  string    `json:"error"`  // why it isn't known how it is
	Asked  bool      `json:"asked"`  // it has answered, or failed to
	Read   int64     `json:"read"`   // when it answered last; 0: never
	Differ int       `json:"differ"` // servers that are in another state there
	There  *overview `json:"there"`
}

// peer is another director with its last answer.
type peer struct {
	busy     bool
	snapshot *status.Snapshot
	read     time.Time
	err      error
	asked    bool
}

// teller finds out what there is to tell, for all browsers at once.
type teller struct {
	source Source
	pause  time.Duration // for how long what was told may be told again, at least
	epoch  string        // of this process: editions of an earlier one mean nothing

	turn   chan struct{} // has room for the one who finds out
	mu     sync.Mutex
	next   time.Time // when there is something new to find out
	book   book
	common State
	peers  map[string]*peer
}

func newTeller(s Source) *teller {
	return &teller{source: s, pause: fresh, epoch: rand.Text(), turn: make(chan struct{}, 1), peers: map[string]*peer{}}
}

// tell returns what has changed since a position; everything, if that is not known here. What is true of the caller is for the caller to add.
func (t *teller) tell(ctx context.Context, since string) (State, error) {
	if err := t.refresh(ctx); err != nil {
		return State{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.common
	s.Position = t.epoch + "-" + strconv.FormatUint(t.book.edition, 10)
	edition := uint64(0)
	if number, known := strings.CutPrefix(since, t.epoch+"-"); known {
		if n, err := strconv.ParseUint(number, 10, 64); err == nil && n <= t.book.edition {
			edition = n
		}
	}
	s.Whole = edition == 0
	s.Services, s.Order = t.book.since(edition)
	return s, nil
}

// refresh finds out unless that was done just now. One does it while others wait.
func (t *teller) refresh(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	t.mu.Lock()
	due := !time.Now().Before(t.next)
	t.mu.Unlock()
	if !due {
		return nil
	}
	begin := time.Now()
	snapshot, err := t.source.Status(ctx)
	if err != nil {
		return err
	}
	events, err := t.events(ctx)
	if err != nil {
		return err
	}
	peers, err := t.source.Peers(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	services := servicesOf(snapshot)
	t.common = State{Here: overviewOf(snapshot), Peers: []neighbour{}, Wishes: wishesOf(snapshot), Events: events}
	for _, p := range peers {
		t.common.Peers = append(t.common.Peers, t.neighbour(p, services))
	}
	for name := range t.peers {
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.Name == name }) {
			delete(t.peers, name)
		}
	}
	if err := t.book.write(services); err != nil {
		return err
	}
	t.next = time.Now().Add(max(t.pause, rest*time.Since(begin)))
	return nil
}

// events returns the latest events.
func (t *teller) events(ctx context.Context) ([]happened, error) {
	list, last := []happened{}, latest
	for item, err := range t.source.Events(ctx, event.Query{Last: &last}) {
		if err != nil {
			return nil, err
		}
		if e := item.Event; e != nil {
			list = append(list, happened{item.Position.String(), millis(e.At), string(e.Kind), e.Story()})
		}
	}
	slices.Reverse(list)
	return list, nil
}

// neighbour returns what another director said last, notes in services how they are there, and asks it again. The teller is locked.
func (t *teller) neighbour(p Peer, services []service) neighbour {
	known := t.peers[p.Name]
	if known == nil {
		known = new(peer)
		t.peers[p.Name] = known
	}
	n := neighbour{Name: p.Name, Asked: known.asked, Read: millis(known.read)}
	if known.err != nil {
		n.Error = known.err.Error()
	}
	if known.snapshot != nil {
		o := overviewOf(known.snapshot)
		n.There = &o
		n.Differ = compare(services, p.Name, known.snapshot)
	}
	if !known.busy {
		known.busy = true
		go t.ask(p, known)
	}
	return n
}

// ask asks another director. What it said before counts no more when it fails to answer.
func (t *teller) ask(p Peer, known *peer) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.Status(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer within " + patience.String())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known.busy, known.asked, known.snapshot, known.err = false, true, s, err
	if err == nil {
		known.read = time.Now()
	}
}
