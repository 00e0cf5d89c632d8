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
	if at.Addr().Zone() != "" { // which may be any text
		return Server{}, fmt.Errorf("%q has a zone, and no server in IPVS has one", text)
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
	// Version tells which of two wishes with the same Key is in force: the one with the higher. It is about the time in nanoseconds.
	Version int64 `json:"version"`
	Cleared bool  `json:"cleared,omitempty"` // somebody has ended it; kept for a while so that an older one does not come back

	// What time has done to it. Each director notes that for itself, by its own clock.
	Expired   bool `json:"expired,omitempty"`
	Ended     bool `json:"ended,omitempty"`     // the deadline has come
	Cut       int  `json:"cut,omitempty"`       // connections that ended with the deadline
	Uncounted bool `json:"uncounted,omitempty"` // nobody knows how many ended with it
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
	return w.Cleared || w.Expired || !w.Expires.IsZero() && !now.Before(w.Expires)
}

// overdue says whether a drain has come to its deadline.
func (w *Wish) overdue(now time.Time) bool {
	return w.What == Drain && (w.Ended || !w.Deadline.IsZero() && !now.Before(w.Deadline))
}

// A version is the time, up to the year 2116. Only what comes after one that is known may be later.
const (
	maxTime    = 1 << 62
	maxVersion = maxTime + 1<<50
)

// lastYear is the last one of a wish. It has an end, since not every time can be written in every time zone.
const lastYear = 9000

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
	for name, t := range map[string]time.Time{"beginning": w.Since, "deadline": w.Deadline, "expiry": w.Expires} {
		if !t.IsZero() && (t.UTC().Year() < 1970 || t.UTC().Year() > lastYear) {
			return fmt.Errorf("the %s is in the year %d: 1970 to %d are allowed", name, t.UTC().Year(), lastYear)
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
	case w.Expired && w.Expires.IsZero():
		return fmt.Errorf("what never expires can't have expired")
	case w.Version <= 0 || w.Version > maxVersion:
		return fmt.Errorf("the version %d is not from 1 to %d", w.Version, int64(maxVersion))
	}
	return nil
}

// supersedes says whether a wish is to replace another one with the same Key. What time has done to them doesn't matter.
func (w *Wish) supersedes(other *Wish) bool {
	cleared := func(w *Wish) int {
		if w.Cleared {
			return 1
		}
		return 0
	}
	// Directors that hear of wishes in any order have to agree; beyond the version, it doesn't matter on what.
	return cmp.Or(
		cmp.Compare(w.Version, other.Version), cmp.Compare(cleared(w), cleared(other)), cmp.Compare(w.What, other.What),
		cmp.Compare(w.Weight, other.Weight), cmp.Compare(w.Owner, other.Owner), cmp.Compare(w.Reason, other.Reason),
		wall(w.Deadline).Compare(wall(other.Deadline)), wall(w.Expires).Compare(wall(other.Expires)), wall(w.Since).Compare(wall(other.Since)),
	) > 0
}

// State is all that the operator wants. The zero State is nothing. It is never changed.
type State struct{ wishes map[Key]Wish }

// Find returns the wish about something that is in force.
func (s State) Find(k Key) (Wish, bool) {
	w, found := s.wishes[k]
	return w, found && !w.Cleared && !w.Expired
}

// Len returns how many wishes there are, with those that are over and are remembered.
func (s State) Len() int { return len(s.wishes) }

// All returns the wishes that are not over, sorted by server and service.
func (s State) All() []Wish {
	list := make([]Wish, 0, len(s.wishes))
	for _, w := range s.wishes {
		if !w.Cleared && !w.Expired {
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
		w.Version = s.within(max(newest, min(w.Since.UnixNano(), maxTime)), w.Key(), w.Since)
		wishes[w.Key()] = w
	}
	if len(list) > 0 { // Step is seldom needed where nothing has a deadline
		now := list[0].Since
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
		w.Cleared, w.Owner, w.Version = true, by, s.within(version, k, now)
		wishes[k] = w
	}
	if len(were) == 0 {
		return s, nil
	}
	return State{wishes}, were
}

// next returns a version that is newer than all that are known, also where the clock went back.
func (s State) next(now time.Time) int64 {
	version := min(now.UnixNano(), maxTime)
	for _, w := range s.wishes {
		version = max(version, w.Version+1)
	}
	return version
}

// within returns a version, or where that is more than there may be one that is only newer than what is known of the key: a director that
// says of one wish that it is the last there can be has no say in the others. If it says so of this one, nothing can follow: see Final.
func (s State) within(version int64, k Key, now time.Time) int64 {
	if version <= maxVersion {
		return version
	}
	return min(max(min(now.UnixNano(), maxTime), s.wishes[k].Version+1), maxVersion)
}

// Final returns the first of these that nothing can be wanted about any more, since what is known of it has the last version. No clock
// leads there, but another director may say so.
func (s State) Final(keys ...Key) (Key, bool) {
	for _, k := range keys {
		if s.wishes[k].Version >= maxVersion {
			return k, true
		}
	}
	return Key{}, false
}

func (s State) clone() map[Key]Wish {
	wishes := make(map[Key]Wish, len(s.wishes)+1)
	maps.Copy(wishes, s.wishes)
	return wishes
}

// remembered is how long a wish that is over is remembered: for longer than a director is away that still knows of it.
const remembered = 30 * 24 * time.Hour

// forgotten says whether a wish has been over for so long that it need not be remembered.
func (w *Wish) forgotten(now time.Time) bool {
	return w.Cleared && now.UnixNano()-w.Version > int64(remembered) || !w.Expires.IsZero() && now.Sub(w.Expires) > remembered
}

// Step notes what time has done. It returns the wishes that expired, and the drains that have come to their deadline.
func (s State) Step(now time.Time) (_ State, expired, ended []Wish) {
	next := make(map[Key]Wish, len(s.wishes))
	changed := false
	for k, w := range s.wishes {
		switch {
		case w.forgotten(now):
			changed = true
			continue
		case w.Cleared, w.Expired:
		case w.over(now):
			expired = append(expired, w)
			w.Expired, changed = true, true
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

// HasCut notes how many connections drains had when they came to their deadline. Those that are not in it nobody has counted.
func (s State) HasCut(ended []Wish, connections map[Key]int) State {
	wishes := s.clone()
	for i := range ended {
		k := ended[i].Key()
		if w, found := s.Find(k); found && w.Ended {
			n, counted := connections[k]
			w.Cut, w.Uncounted = n, !counted
			wishes[k] = w
		}
	}
	return State{wishes}
}

// Deadline returns when Step will have something to note; zero: never.
func (s State) Deadline() (next time.Time) {
	for _, w := range s.wishes {
		if w.Cleared || w.Expired {
			continue
		}
		next = earlier(next, w.Expires)
		if !w.Ended {
			next = earlier(next, w.Deadline)
		}
	}
	return next
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
