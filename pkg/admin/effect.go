package admin

import (
	"net/netip"
	"time"
)

// Mode is what wishes let a server do.
type Mode uint8

// The modes, each stricter than the one before.
const (
	Serves   Mode = iota // as the configuration and the checks say
	Drains               // no new clients
	Disabled             // no clients at all
)

// Effect is what all wishes come to for a server of a virtual server.
type Effect struct {
	Mode     Mode
	Weighted bool // Weight is instead of the configured one
	Weight   int32
	Until    time.Time // when time alone will change the effect; zero: never
	Returned time.Time // when it last was let serve again; zero: that is long ago, or it always was, or it isn't
}

// On returns what the wishes come to for a server of a virtual server. Of several the strictest counts, lest what one wants for a
// service brings back a server that another one has drained altogether; of several weights, the one that is about the service rather
// than all, and about the port rather than the address.
func (s State) On(server netip.AddrPort, service string, now time.Time) (e Effect) {
	if len(s.wishes) == 0 {
		return e // there may be very many servers, and there is seldom a wish
	}
	for _, k := range keys(server, service) {
		w, found := s.wishes[k]
		if !found {
			continue
		}
		if w.over(now) {
			if end := w.end(); !k.Weight && end.After(e.Returned) && !end.After(now) {
				e.Returned = end
			}
			continue
		}
		e.Until = earlier(e.Until, w.Expires)
		switch {
		case k.Weight:
			if !e.Weighted {
				e.Weighted, e.Weight = true, w.Weight
			}
		case w.What == Disable || w.overdue(now):
			e.Mode = max(e.Mode, Disabled)
		default:
			e.Mode = max(e.Mode, Drains)
			e.Until = earlier(e.Until, w.Deadline)
		}
	}
	if e.Mode != Serves {
		e.Returned = time.Time{}
	}
	return e
}

// end returns when a wish that is over ended. The clock of who ended it says so.
func (w *Wish) end() time.Time {
	if w.Cleared {
		return time.Unix(0, w.Version)
	}
	return w.Expires
}

// Of returns the wishes that are about a server of a virtual server, the strictest first.
func (s State) Of(server netip.AddrPort, service string, now time.Time) (list []Wish) {
	if len(s.wishes) == 0 {
		return nil
	}
	var modes [Disabled + 1][]Wish
	var weights []Wish
	for _, k := range keys(server, service) {
		w, found := s.wishes[k]
		switch {
		case !found || w.over(now):
		case k.Weight:
			weights = append(weights, w)
		case w.What == Disable || w.overdue(now):
			modes[Disabled] = append(modes[Disabled], w)
		default:
			modes[Drains] = append(modes[Drains], w)
		}
	}
	return append(append(modes[Disabled], modes[Drains]...), weights...)
}

// keys are those of the wishes that may be about a server of a virtual server, the most specific first.
func keys(server netip.AddrPort, service string) [8]Key {
	at, all := Server{server}, Server{netip.AddrPortFrom(server.Addr(), 0)}
	return [8]Key{
		{at, service, false}, {all, service, false}, {at, "", false}, {all, "", false},
		{at, service, true}, {all, service, true}, {at, "", true}, {all, "", true},
	}
}
