// Package admin holds what the operator wants of servers at the moment, beside the configuration: that one drains, is disabled, has
// another weight. A Wish says so of a server, for all virtual servers or for one, with who wanted it, why and until when. A State is all
// wishes; On says what they come to for a server.
//
// It is pure: a State never changes, its methods return the next one, and time comes with the call. Who asks, and what is kept on a
// disk, is for package daemon; what a drained server is in the kernel's table, for package desired.
package admin

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What is what a wish is about.
type What uint8

const (
	_ What = iota
	// Drain has a server get no new clients while those that it has may finish. At the deadline, if there is one, it is disabled.
	Drain
	// Disable takes a server out of the table. Its connections end.
	Disable
	// Weight replaces the weight of the configuration.
	Weight
)

var whats = map[What]string{Drain: "drain", Disable: "disable", Weight: "weight"}

func (w What) String() string { return whats[w] }

// MarshalText writes the word for it.
func (w What) MarshalText() ([]byte, error) {
	if whats[w] == "" {
		return nil, fmt.Errorf("admin: there is no What %d", w)
	}
	return []byte(whats[w]), nil
}

// UnmarshalText reads the word for it.
func (w *What) UnmarshalText(text []byte) error {
	for what, word := range whats {
		if word == string(text) {
			*w = what
			return nil
		}
	}
	return fmt.Errorf("%q is none of drain, disable, weight", text)
}

// Server names servers: those with this address, and with this port unless that is 0.
type Server struct{ netip.AddrPort }

// ParseServer reads an address with or without a port.
func ParseServer(text string) (Server, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		if inner, bracketed := strings.CutPrefix(text, "["); bracketed && strings.HasSuffix(inner, "]") {
			text = strings.TrimSuffix(inner, "]")
		}
		addr, e := netip.ParseAddr(text)
		if e != nil {
			return Server{}, fmt.Errorf("%q is no address, with or without a port", text)
		}
		at = netip.AddrPortFrom(addr, 0)
	}
	return Server{netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, nil
}

func (s Server) String() string {
	if s.Port() == 0 {
		return s.Addr().String()
	}
	return s.AddrPort.String()
}

// MarshalText writes what ParseServer reads.
func (s Server) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseServer.
func (s *Server) UnmarshalText(text []byte) (err error) {
	*s, err = ParseServer(string(text))
	return err
}

// Wish is something that the operator wants of a server.
type Wish struct {
	Server   Server    `json:"server"`
	Service  string    `json:"service,omitempty"` // name of the virtual server: "tcp 192.0.2.1:80", "group WEB tcp"; empty: all
	What     What      `json:"what"`
	Weight   int32     `json:"weight,omitempty"`
	Owner    string    `json:"owner,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Deadline time.Time `json:"deadline,omitzero"` // of a drain; zero: as long as it takes
	Expires  time.Time `json:"expires,omitzero"`  // it is over then; zero: never
	Ended    bool      `json:"ended,omitempty"`   // the deadline has come
	Cut      int       `json:"cut,omitempty"`     // connections that ended with the deadline
	// Version tells which of two wishes with the same Key is in force: the one with the higher. It is about the time in nanoseconds.
	Version int64 `json:"version"`
	Cleared bool  `json:"cleared,omitempty"` // it is over; kept for a while so that an older one does not come back
}

// Key is what there can be one wish about.
type Key struct {
	Server  Server
	Service string
	Weight  bool // or else whether it serves
}

// Key returns what the wish is about.
func (w *Wish) Key() Key { return Key{w.Server, w.Service, w.What == Weight} }

// Covers says whether the wish is about a server of a virtual server.
func (w *Wish) Covers(server netip.AddrPort, service string) bool {
	return w.Server.Addr() == server.Addr() && (w.Server.Port() == 0 || w.Server.Port() == server.Port()) &&
		(w.Service == "" || w.Service == service)
}

// over says whether the wish is no longer in force.
func (w *Wish) over(now time.Time) bool {
	return w.Cleared || !w.Expires.IsZero() && !now.Before(w.Expires)
}

// overdue says whether a drain has come to its deadline.
func (w *Wish) overdue(now time.Time) bool {
	return w.What == Drain && (w.Ended || !w.Deadline.IsZero() && !now.Before(w.Deadline))
}

// maxVersion leaves room for newer ones.
const maxVersion = 1 << 62

// maxText is how long a reason, an owner and the name of a service may be, in characters.
const maxText = 400

// Validate says what is wrong with a wish.
func (w *Wish) Validate() error {
	for name, text := range map[string]string{"service": w.Service, "owner": w.Owner, "reason": w.Reason} {
		if utf8.RuneCountInString(text) > maxText {
			return fmt.Errorf("the %s is too long: %d characters are allowed", name, maxText)
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("the %s %q has characters that can't be printed", name, text)
		}
	}
	switch {
	case !w.Server.IsValid():
		return fmt.Errorf("there is no server")
	case whats[w.What] == "":
		return fmt.Errorf("it says neither drain nor disable nor weight")
	case w.Weight < 0:
		return fmt.Errorf("the weight %d is negative", w.Weight)
	case w.Weight != 0 && w.What != Weight:
		return fmt.Errorf("a %s has no weight", w.What)
	case !w.Deadline.IsZero() && w.What != Drain:
		return fmt.Errorf("only a drain has a deadline")
	case (w.Ended || w.Cut != 0) && w.Deadline.IsZero() || w.Cut < 0:
		return fmt.Errorf("a drain without a deadline can't have come to it")
	case w.Version <= 0 || w.Version > maxVersion:
		return fmt.Errorf("the version %d is not from 1 to %d", w.Version, int64(maxVersion))
	}
	return nil
}

// supersedes says whether a wish is to replace another one with the same Key.
func (w *Wish) supersedes(other *Wish) bool {
	cleared := func(w *Wish) int {
		switch {
		case w.Cleared:
			return 2
		case w.Ended:
			return 1
		}
		return 0
	}
	// Directors that hear of wishes in any order have to agree; beyond the version, it doesn't matter on what.
	return cmp.Or(
		cmp.Compare(w.Version, other.Version), cmp.Compare(cleared(w), cleared(other)), cmp.Compare(w.What, other.What),
		cmp.Compare(w.Weight, other.Weight), cmp.Compare(w.Owner, other.Owner), cmp.Compare(w.Reason, other.Reason),
		w.Deadline.Compare(other.Deadline), w.Expires.Compare(other.Expires), w.Since.Compare(other.Since), cmp.Compare(w.Cut, other.Cut),
	) > 0
}

// State is all that the operator wants. The zero State is nothing. It is never changed.
type State struct{ wishes map[Key]Wish }

// Find returns the wish about something that is in force.
func (s State) Find(k Key) (Wish, bool) {
	w, found := s.wishes[k]
	return w, found && !w.Cleared
}

// Len returns how many wishes there are, with those that were cleared and are remembered.
func (s State) Len() int { return len(s.wishes) }

// All returns the wishes that were not cleared, sorted by server and service.
func (s State) All() []Wish {
	list := make([]Wish, 0, len(s.wishes))
	for _, w := range s.wishes {
		if !w.Cleared {
			list = append(list, w)
		}
	}
	sortWishes(list)
	return list
}

func sortWishes(list []Wish) {
	slices.SortFunc(list, func(a, b Wish) int {
		return cmp.Or(a.Server.Compare(b.Server.AddrPort), cmp.Compare(a.Service, b.Service), cmp.Compare(a.What, b.What))
	})
}

// Set takes wishes instead of what was wanted before in their places. They get their versions, which are newer than all that are known.
func (s State) Set(list ...Wish) State {
	wishes := s.clone()
	newest := s.next(time.Unix(0, 0))
	for _, w := range list {
		w.Version = max(newest, w.Since.UnixNano())
		wishes[w.Key()] = w
	}
	if len(list) > 0 { // Step is seldom needed where nothing has a deadline
		now := list[0].Since.UnixNano()
		maps.DeleteFunc(wishes, func(_ Key, w Wish) bool { return w.forgotten(now) })
	}
	return State{wishes}
}

// Clear ends wishes, and returns those that there were.
func (s State) Clear(by string, now time.Time, keys ...Key) (_ State, were []Wish) {
	wishes, version := s.clone(), s.next(now)
	for _, k := range keys {
		w, found := s.Find(k)
		if !found {
			continue
		}
		were = append(were, w)
		w.Cleared, w.Owner, w.Version = true, by, version
		wishes[k] = w
	}
	if len(were) == 0 {
		return s, nil
	}
	return State{wishes}, were
}

// next returns a version that is newer than all that are known, also where the clock went back.
func (s State) next(now time.Time) int64 {
	version := now.UnixNano()
	for _, w := range s.wishes {
		version = max(version, w.Version+1)
	}
	return version
}

func (s State) clone() map[Key]Wish {
	wishes := make(map[Key]Wish, len(s.wishes)+1)
	maps.Copy(wishes, s.wishes)
	return wishes
}

// cleared is how long a cleared wish is remembered: for longer than a director is away that still knows of it.
const cleared = 30 * 24 * time.Hour

// forgotten says whether a wish was cleared so long ago that it need not be remembered.
func (w *Wish) forgotten(now int64) bool { return w.Cleared && now-w.Version > int64(cleared) }

// Step notes what time has done. It returns the wishes that expired, and the drains that have come to their deadline.
func (s State) Step(now time.Time) (_ State, expired, ended []Wish) {
	next := make(map[Key]Wish, len(s.wishes))
	changed := false
	for k, w := range s.wishes {
		switch {
		case w.forgotten(now.UnixNano()):
			changed = true
			continue
		case w.Cleared:
		case w.over(now):
			expired = append(expired, w)
			w.Cleared, changed = true, true
		case w.overdue(now) && !w.Ended:
			w.Ended, changed = true, true
			ended = append(ended, w)
		}
		next[k] = w
	}
	if !changed {
		return s, nil, nil
	}
	sortWishes(expired)
	sortWishes(ended)
	return State{next}, expired, ended
}

// HasCut notes how many connections drains had when they came to their deadline.
func (s State) HasCut(connections map[Key]int) State {
	wishes := s.clone()
	for k, n := range connections {
		if w, found := s.Find(k); found && w.Ended {
			w.Cut = n
			wishes[k] = w
		}
	}
	return State{wishes}
}

// Deadline returns when Step will have something to note; zero: never.
func (s State) Deadline() (next time.Time) {
	for _, w := range s.wishes {
		if w.Cleared {
			continue
		}
		next = earlier(next, w.Expires)
		if !w.Ended {
			next = earlier(next, w.Deadline)
		}
	}
	return next
}

// Merge takes over what is newer in another State. It returns what that changes: the wishes that are in force now, or cleared.
func (s State) Merge(other State) (_ State, changed []Wish) {
	next := maps.Clone(s.wishes)
	if next == nil {
		next = make(map[Key]Wish, len(other.wishes))
	}
	for k, w := range other.wishes {
		if was, known := s.wishes[k]; known && !w.supersedes(&was) {
			continue
		}
		next[k] = w
		changed = append(changed, w)
	}
	if len(changed) == 0 {
		return s, nil
	}
	sortWishes(changed)
	return State{next}, changed
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
