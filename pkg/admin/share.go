package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Message is what a director tells another one of its wishes. Its answer is a Message, too.
type Message struct {
	At     time.Time `json:"at"`              // by the sender's clock
	Newest int64     `json:"newest"`          // the highest version that the sender has; 0: it has no wishes
	Digest string    `json:"digest"`          // of the sender's wishes: those with the same one have the same
	State  *State    `json:"state,omitempty"` // all of them; nil: the sender believes that they are known
	From   string    `json:"-"`               // who sends it, as the receiver knows it
	// Taken are those wishes of the message before that were newer than what the sender had.
	Taken []Wish `json:"-"`
}

// Message returns what there is to tell other directors.
func (s State) Message(now time.Time) (Message, error) {
	m := Message{At: now}
	shared := s.shared(now)
	for _, w := range shared.wishes {
		m.Newest = max(m.Newest, w.Version)
	}
	text, err := json.Marshal(shared)
	if err != nil {
		return m, err
	}
	sum := sha256.Sum256(text)
	m.Digest, m.State = hex.EncodeToString(sum[:]), &shared
	return m, nil
}

// shared returns the wishes as all directors have them: without what each notes for itself, and what some may have forgotten.
func (s State) shared(now time.Time) State {
	wishes := make(map[Key]Wish, len(s.wishes))
	for k, w := range s.wishes {
		if w.forgotten(now) {
			continue
		}
		wishes[k] = w.shared()
	}
	return State{wishes}
}

// shared returns a wish as all directors have it.
func (w Wish) shared() Wish {
	w = w.unmarked()
	w.Since, w.Deadline, w.Expires = utc(w.Since), utc(w.Deadline), utc(w.Expires)
	return w
}

// unmarked returns a wish as if no time had passed.
func (w Wish) unmarked() Wish {
	w.Expired, w.Ended, w.Cut, w.Uncounted = false, false, 0, false
	return w
}

// Merge takes over what is newer in another director's State. It returns what it took: wishes that are in force now, cleared, or over before
// anything was known of them here, which is nothing for Step to tell of. It is an error if that would be more than can be read again.
func (s State) Merge(other State, now time.Time) (_ State, changed []Wish, err error) {
	next := maps.Clone(s.wishes)
	if next == nil {
		next = make(map[Key]Wish, len(other.wishes))
	}
	for k, w := range other.wishes {
		was, known := s.wishes[k]
		if known && !w.supersedes(&was) || !known && w.forgotten(now) {
			continue
		}
		w = w.unmarked().anchored(now)
		if _, holds := s.Find(k); !holds {
			w.Expired = !w.Cleared && w.over(now)
		}
		next[k] = w
		changed = append(changed, w)
	}
	switch {
	case len(changed) == 0:
		return s, nil, nil
	case len(next) > MaxWishes:
		return s, nil, fmt.Errorf("together that would be %d wishes, and %d are the most", len(next), MaxWishes)
	}
	sortWishes(changed)
	return State{next}, changed, nil
}

// Anchored returns the State with times that no step of the clock moves from now on. Those of a wish that comes from a disk or another
// director are times of a clock.
func (s State) Anchored(now time.Time) State {
	wishes := s.clone()
	for k, w := range wishes {
		wishes[k] = w.anchored(now)
	}
	return State{wishes}
}

// anchored has the deadline and the expiry of a wish come after as long as it is until then now, whatever is done to the clock. A clock that
// is earlier than the wish is wrong, or was the other director's: nothing can be told by it before it has been put right.
func (w Wish) anchored(now time.Time) Wish {
	if now.Before(w.Since) {
		return w
	}
	for _, t := range []*time.Time{&w.Deadline, &w.Expires} {
		if left := wall(*t).Sub(now); !t.IsZero() && wall(now.Add(left)).Equal(wall(*t)) { // ten years are less than what a Duration holds
			*t = now.Add(left)
		}
	}
	return w
}

// wall returns a time without the reading of the monotonic clock, which says nothing to other processes.
func wall(t time.Time) time.Time { return t.Round(0) }

// utc returns a time in the form that it has for all directors.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t // which is not to have a place
	}
	return wall(t).UTC()
}
