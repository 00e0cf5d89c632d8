package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Order takes what an operator asks for, and returns the wishes that it is about.
func (o *owner) Order(ctx context.Context, order control.Order) (*status.Wishes, error) {
	type done struct {
		*status.Wishes
		err error
	}
	d, err := ask(ctx, o, func(ctx context.Context) done {
		s, err := o.order(ctx, order, time.Now())
		return done{s, err}
	})
	return o.spread(ctx, d.Wishes, errors.Join(err, d.err))
}

func (o *owner) order(ctx context.Context, order control.Order, now time.Time) (*status.Wishes, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	keys, err := o.ordered(&order)
	if err != nil {
		return nil, err
	}
	if k, final := o.wishes.Final(keys...); final {
		return nil, fmt.Errorf("another director has wanted something of %s with the last version that there is, and nothing can replace it: "+
			"end ipvsd on all directors, remove %s there, and start them", k.Server, o.files.wishes)
	}
	var next admin.State
	var list []admin.Wish
	if order.Verb == control.Undrain || order.Verb == control.Enable || order.Verb == control.Weight && order.Weight == nil {
		next, list, err = o.ending(&order, keys, now)
	} else {
		next, list, err = o.wanting(&order, keys, now)
	}
	if err != nil {
		return nil, err
	}
	warnings := o.consequences(next, list, now)
	o.hold(next, list)
	for _, w := range list {
		o.tellWish(w, order.Owner)
		o.alertWish(&w, wishKind(&w), order.Owner, wishReason(&w))
	}
	round := o.round(ctx, o.parts())
	s, err := o.wishesNow(ctx, list)
	if err != nil { // it holds all the same, and the other directors are to know of it
		s = o.wishesOf(bare(list))
		warnings = append(warnings, fmt.Sprintf("it holds, but how far it is nobody knows: %v", err))
	}
	s.Warnings = append(s.Warnings, warnings...)
	for _, f := range round.Refused {
		s.Warnings = append(s.Warnings, "the kernel refused a change; it will be tried again: "+f.Err.Error())
	}
	if o.state.Error != "" {
		s.Warnings = append(s.Warnings, "it is not in the kernel's table yet, and is tried again: "+o.state.Error)
	}
	return s, nil
}

// wanting returns the state with what an order wants.
func (o *owner) wanting(order *control.Order, keys []admin.Key, now time.Time) (next admin.State, list []admin.Wish, err error) {
	for _, k := range keys {
		w := admin.Wish{Server: k.Server, Service: k.Service, Owner: order.Owner, Reason: order.Reason, Since: now}
		switch order.Verb {
		case control.Drain:
			w.What = admin.Drain
		case control.Disable:
			w.What = admin.Disable
		case control.Weight:
			w.What, w.Weight = admin.Weight, *order.Weight
		}
		if order.Deadline > 0 {
			w.Deadline = now.Add(order.Deadline)
		}
		if order.Expires > 0 {
			w.Expires = now.Add(order.Expires)
		}
		w.Version = 1 // Set gives it another one
		if err := w.Validate(); err != nil {
			return next, nil, err
		}
		list = append(list, w)
	}
	if next = o.wishes.Set(list...); next.Len() > admin.MaxWishes {
		return next, nil, fmt.Errorf("that would be %d wishes, and %d are the most: ipvsctl drains shows them; those that are over count for 30 days",
			next.Len(), admin.MaxWishes)
	}
	for i := range list {
		list[i], _ = next.Find(list[i].Key())
	}
	return next, list, nil
}

// ending returns the state without what an order ends. It is an error if it ends nothing, or more than it says.
func (o *owner) ending(order *control.Order, keys []admin.Key, now time.Time) (next admin.State, list []admin.Wish, err error) {
	var disabled *admin.Wish
	keys = slices.DeleteFunc(slices.Clone(keys), func(k admin.Key) bool {
		w, found := o.wishes.Find(k)
		if found && order.Verb == control.Undrain && w.What == admin.Disable {
			disabled = &w
			return true
		}
		return false
	})
	next, list = o.wishes.Clear(order.Owner, now, keys...)
	for i := range list {
		list[i].Cleared = true
	}
	switch {
	case len(list) > 0:
		return next, list, nil
	case disabled != nil:
		return next, nil, fmt.Errorf("%s does not drain, it is disabled%s: ipvsctl enable %[1]s", disabled.Server, by(disabled))
	}
	hint := "ipvsctl drains shows what is wanted"
	for _, w := range o.wishes.All() {
		k := w.Key()
		if slices.ContainsFunc(keys, func(asked admin.Key) bool { return asked.Weight == k.Weight && asked.Server.Addr() == k.Server.Addr() }) {
			hint = ends(order.Verb, k) + " would end what there is"
			break
		}
	}
	what := map[string]string{control.Undrain: "drained", control.Enable: "disabled or drained", control.Weight: "given another weight"}[order.Verb]
	where := ""
	if order.Service != "" {
		where = " for " + order.Service + " alone"
	}
	return next, nil, fmt.Errorf("%s is not %s%s: %s", order.Server, what, where, hint)
}

// ends is the command that ends a wish.
func ends(verb string, k admin.Key) string {
	text := "ipvsctl " + verb + " " + k.Server.String()
	if k.Weight {
		text += " configured"
	}
	if k.Service != "" {
		text += fmt.Sprintf(" --service %q", k.Service)
	}
	return text
}

func by(w *admin.Wish) string {
	text := ""
	if w.Owner != "" {
		text = " by " + w.Owner
	}
	if w.Reason != "" {
		text += " (" + w.Reason + ")"
	}
	return text
}

// consequences returns what wishes do to virtual servers beside what they are to do. They are not in force yet.
func (o *owner) consequences(next admin.State, list []admin.Wish, now time.Time) (warnings []string) {
	facts := o.facts(o.verdicts)
	warnings = append(o.replaced(list), o.remaining(next, list, now)...)
	concerned := o.concerned(list)
	drained := o.concerned(slices.DeleteFunc(slices.Clone(list), func(w admin.Wish) bool { return w.What != admin.Drain || w.Cleared }))
	for _, vs := range o.cfg.VirtualServers {
		if concerned[vs] == nil {
			continue
		}
		before := desired.Decide(vs, facts)
		after := facts
		after.Wishes, after.Now = next, now
		is := desired.Decide(vs, after)
		if before.Quorum == health.Up && is.Quorum == health.Down {
			warnings = append(warnings, fmt.Sprintf("%s has lost its quorum: live weight %d of %d", vs.Name, is.Live, vs.Quorum.Needed))
		}
		switch {
		case is.Sorry && !before.Sorry:
			warnings = append(warnings, fmt.Sprintf("the sorry servers of %s have its clients now", vs.Name))
		case serves(&before) && !serves(&is):
			warnings = append(warnings, vs.Name+" has no server left for new clients")
		}
		if w := drained[vs]; w != nil {
			warnings = append(warnings, o.drainsBadly(vs, w)...)
		}
	}
	return warnings
}

// replaced says which servers come back into the table because they are to drain now.
func (o *owner) replaced(list []admin.Wish) (warnings []string) {
	for i := range list {
		was, found := o.wishes.Find(list[i].Key())
		if found && list[i].What == admin.Drain && !list[i].Cleared && (was.What == admin.Disable || was.Ended) {
			warnings = append(warnings, fmt.Sprintf("%s was disabled%s, and is in the table again to drain", was.Server, by(&was)))
		}
	}
	return warnings
}

// remaining says which other wishes stay in force about the servers of those that end.
func (o *owner) remaining(next admin.State, list []admin.Wish, now time.Time) (warnings []string) {
	at := byAddress(list)
	told := make(map[admin.Key]bool)
	for _, vs := range o.cfg.VirtualServers {
		for rs := range vs.Servers() {
			for _, i := range at[rs.Destination.Addr.Addr()] {
				if !list[i].Cleared || !list[i].Covers(rs.Destination.Addr, vs.Name) {
					continue
				}
				for _, w := range next.Of(rs.Destination.Addr, vs.Name, now) {
					k := w.Key()
					if k.Weight != list[i].Key().Weight || told[k] {
						continue
					}
					told[k] = true
					text, verb := "drains", control.Undrain
					switch {
					case k.Weight:
						text, verb = fmt.Sprintf("has weight %d", w.Weight), control.Weight
					case w.What == admin.Disable:
						text, verb = "is disabled", control.Enable
					case w.Ended:
						text = "is disabled"
					}
					if w.Service != "" {
						text += " for " + w.Service
					}
					warnings = append(warnings, fmt.Sprintf("%s still %s%s: %s would end that", w.Server, text, by(&w), ends(verb, k)))
				}
			}
		}
	}
	return warnings
}

// drainsBadly says why a drain may not do for a virtual server what one expects of it.
func (o *owner) drainsBadly(vs *config.VirtualServer, w *admin.Wish) (list []string) {
	s := desired.Passing(vs.Services[0])
	sysctls := &o.cfg.GlobalDefs.LVSSysctl
	leave, set := sysctls.Values["expire_quiescent_template"]
	switch {
	case s.DropsClients():
		list = append(list, fmt.Sprintf("%s: %s drops the clients of a server with weight 0, so the server is removed, and its connections end now",
			vs.Name, strings.Join(s.Options(), " ")))
	case s.Flags&ipvs.OnePacket != 0:
	case s.Protocol == ipvs.UDP && w.Deadline.IsZero():
		list = append(list, fmt.Sprintf("%s: a client of UDP that goes on sending keeps his server for ever; with --deadline that has an end", vs.Name))
	}
	if s.Persistence > 0 && (set && leave == "0" || !set && !sysctls.Defaults) {
		list = append(list, fmt.Sprintf("%s: persistent clients come back to the server unless the sysctl expire_quiescent_template is 1", vs.Name))
	}
	return list
}

// serves says whether a virtual server has a server for new clients, or may have one soon.
func serves(o *desired.Outcome) bool {
	for i := range o.Services {
		for _, d := range o.Services[i].Destinations {
			if d.Weight > 0 && (d.Want == desired.Present || d.Want == desired.AsFound) {
				return true
			}
		}
	}
	return false
}

// ordered returns what an order is about.
func (o *owner) ordered(order *control.Order) (keys []admin.Key, err error) {
	ends := order.Verb == control.Undrain || order.Verb == control.Enable || order.Verb == control.Weight && order.Weight == nil
	service, err := o.serviceNamed(order.Service)
	if err != nil && ends && slices.ContainsFunc(o.wishes.All(), func(w admin.Wish) bool { return w.Service == order.Service }) {
		service, err = order.Service, nil // it has left the configuration, and what was wanted there is to end all the same
	}
	if err != nil {
		return nil, err
	}
	at, err := admin.ParseServer(order.Server)
	addressed := err == nil
	listed := make(map[admin.Key]bool)
	for _, vs := range o.cfg.VirtualServers {
		if service != "" && vs.Name != service {
			continue
		}
		for rs := range vs.Servers() {
			k := admin.Key{Server: admin.Server{AddrPort: rs.Destination.Addr}, Service: service, Weight: order.Verb == control.Weight}
			switch tag, tagged := strings.CutPrefix(order.Server, "tag:"); {
			case addressed:
				if !(&admin.Wish{Server: at}).Covers(rs.Destination.Addr, "") {
					continue
				}
				k.Server = at
			case tagged && !slices.Contains(rs.Tags, tag), !tagged && rs.Name != order.Server:
				continue
			}
			if !listed[k] {
				listed[k] = true
				keys = append(keys, k)
			}
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case addressed && ends: // it may have left the configuration, and what was wanted of it is to end all the same
		return []admin.Key{{Server: at, Service: service, Weight: order.Verb == control.Weight}}, nil
	}
	return nil, o.noServer(order, service)
}

// serviceNamed returns the name of the virtual server that is meant.
func (o *owner) serviceNamed(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	key, err := ipvs.ParseServiceKey(text)
	for _, vs := range o.cfg.VirtualServers {
		if vs.Name == text || err == nil && vs.Group == "" && vs.Services[0].ServiceKey == key {
			return vs.Name, nil
		}
		for i := range vs.Services {
			if err == nil && vs.Services[i].ServiceKey == key {
				return "", fmt.Errorf("%s has its servers with all of %s: name that as the service", text, vs.Name)
			}
		}
	}
	return "", fmt.Errorf("there is no service %q in the configuration: ipvsctl list shows them", text)
}

// noServer says that an order is about no server, and which it may have meant.
func (o *owner) noServer(order *control.Order, service string) error {
	where := "the configuration has"
	if service != "" {
		where = service + " has"
	}
	if tag, tagged := strings.CutPrefix(order.Server, "tag:"); tagged {
		return fmt.Errorf("%s no server with the tag %q", where, tag)
	}
	at, err := admin.ParseServer(order.Server)
	if err != nil {
		return fmt.Errorf("%s no server with the name %q: a server is named by its address, with or without port, its name, or tag:NAME", where, order.Server)
	}
	for _, vs := range o.cfg.VirtualServers {
		for rs := range vs.Servers() {
			if rs.Destination.Addr.Addr() != at.Addr() || service != "" && vs.Name != service {
				continue
			}
			other := admin.Server{AddrPort: rs.Destination.Addr}
			if other.Port() == 0 {
				return fmt.Errorf("%s %s with the port of each service: name it without one", where, other)
			}
			return fmt.Errorf("%s no server %s, but %s", where, at, other)
		}
	}
	return fmt.Errorf("%s no server %s: ipvsctl list shows them", where, at)
}
