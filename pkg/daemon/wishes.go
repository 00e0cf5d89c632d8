package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// hold has wishes hold from now on. The list is those that differ.
func (o *owner) hold(next admin.State, list []admin.Wish) {
	o.wishes = next
	for vs := range o.concerned(list) {
		delete(o.outcomes, vs)
	}
	o.stale = true
	o.soon()
	o.keeper.put(o.files.wishes, next, "what is wanted of servers holds, but is forgotten if the daemon ends")
}

// concerned returns the virtual servers that wishes are about, with one of these wishes each.
func (o *owner) concerned(list []admin.Wish) map[*config.VirtualServer]*admin.Wish {
	found := make(map[*config.VirtualServer]*admin.Wish)
	at := byAddress(list)
	for _, vs := range o.cfg.VirtualServers {
		for rs := range vs.Servers() {
			for _, i := range at[rs.Destination.Addr.Addr()] {
				if list[i].Covers(rs.Destination.Addr, vs.Name) {
					found[vs] = &list[i]
				}
			}
		}
	}
	return found
}

// byAddress returns which of the wishes are about an address: there may be very many servers.
func byAddress(list []admin.Wish) map[netip.Addr][]int {
	at := make(map[netip.Addr][]int, len(list))
	for i := range list {
		at[list[i].Server.Addr()] = append(at[list[i].Server.Addr()], i)
	}
	return at
}

// passTime does what is due by time: wishes that are over, and drains that have come to their deadline.
func (o *owner) passTime(ctx context.Context, now time.Time) {
	if due := o.wishes.Deadline(); due.IsZero() || now.Before(due) {
		return
	}
	next, expired, ended := o.wishes.Step(now)
	for _, w := range expired {
		o.wishLog(&w).Info("a wish is over: its time has come", "what", w.What.String())
		o.events.Add(wishEvent(&w, wishText(&w), "", "its time has come", ""))
		o.alertWish(&w, alert.WishOver, "", "its time has come")
	}
	if len(ended) > 0 {
		found, err := o.found(ctx, ended) // before they leave the table
		cut := make(map[admin.Key]int, len(ended))
		for i := range ended {
			w := &ended[i]
			log, reason := o.wishLog(w), "the deadline has come"
			if err == nil {
				w.Cut = found[i].Open()
				cut[w.Key()] = w.Cut
				log = log.With("cut", w.Cut)
				reason += fmt.Sprintf("; connections cut: %d", w.Cut)
			} else {
				w.Uncounted = true
				reason += "; how many connections were cut nobody knows"
				log = log.With("uncounted", err) // whether connections were cut
			}
			log.Info("a drain has come to its deadline: the server is disabled")
			o.events.Add(wishEvent(w, wishText(w), admin.Disable.String(), reason, ""))
			o.alertWish(w, alert.WishDue, "", reason)
		}
		next = next.HasCut(ended, cut)
	}
	o.hold(next, append(expired, ended...))
}

func (o *owner) wishLog(w *admin.Wish) *slog.Logger {
	service := w.Service
	if service == "" {
		service = "all"
	}
	return o.log.With("server", w.Server.String(), "service", service, "owner", w.Owner, "reason", w.Reason)
}

// tellWish tells what somebody has asked for.
func (o *owner) tellWish(w admin.Wish, who string, more ...any) {
	log := o.wishLog(&w).With(more...)
	if w.Cleared {
		o.events.Add(wishEvent(&w, wishText(&w), "", "", who))
		log.Info("a wish is over", "what", w.What.String(), "by", who)
		return
	}
	if w.What == admin.Weight {
		log = log.With("weight", w.Weight)
	}
	if !w.Deadline.IsZero() {
		log = log.With("deadline", w.Deadline)
	}
	if !w.Expires.IsZero() {
		log = log.With("expires", w.Expires)
	}
	o.events.Add(wishEvent(&w, "", wishText(&w), wishReason(&w), who))
	log.Info("a server is wanted otherwise", "what", w.What.String())
}

// Wishes returns what the operator wants of servers, and how far that is.
func (o *owner) Wishes(ctx context.Context) (*status.Wishes, error) {
	type read struct {
		*status.Wishes
		err error
	}
	r, err := ask(ctx, o, func(ctx context.Context) read {
		if o.passTime(ctx, time.Now()); o.stale {
			o.round(ctx, o.parts()) // what is told has happened
		}
		s, err := o.wishesNow(ctx, o.wishes.All())
		return read{s, err}
	})
	return r.Wishes, errors.Join(err, r.err)
}

// wishesNow returns wishes with their servers as they are in the kernel's table now.
func (o *owner) wishesNow(ctx context.Context, list []admin.Wish) (*status.Wishes, error) {
	found, err := o.found(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("the kernel's table can't be read: %w", err)
	}
	return o.wishesOf(found), nil
}

// wishesOf returns wishes with what there is to say of all of them.
func (o *owner) wishesOf(list []status.Wish) *status.Wishes {
	now := time.Now()
	return &status.Wishes{At: now, Wishes: list, Record: o.keeper.trouble(now, o.files.wishes), Directors: o.directors.Status()}
}

// bare returns wishes without their servers in the kernel's table.
func bare(list []admin.Wish) []status.Wish {
	all := make([]status.Wish, len(list))
	for i := range list {
		all[i] = status.Wish{Wish: list[i], Servers: []status.WishedServer{}}
	}
	return all
}

// found returns wishes with their servers, of a table that is read for it.
func (o *owner) found(ctx context.Context, list []admin.Wish) ([]status.Wish, error) {
	var keys []ipvs.ServiceKey
	for vs := range o.concerned(list) {
		for i := range vs.Services {
			keys = append(keys, vs.Services[i].ServiceKey)
		}
	}
	var table ipvs.Table
	if len(keys) > 0 {
		slices.SortFunc(keys, ipvs.ServiceKey.Compare)
		var err error
		if table, err = o.kernel.ReadServices(ctx, keys); err != nil && !errors.Is(err, ipvs.ErrUnavailable) {
			return nil, err
		}
	}
	all := bare(list)
	at := byAddress(list)
	for _, vs := range o.cfg.VirtualServers {
		for rs := range vs.Servers() {
			for _, i := range at[rs.Destination.Addr.Addr()] {
				if list[i].Covers(rs.Destination.Addr, vs.Name) {
					all[i].Servers = append(all[i].Servers, wished(vs, rs, table)...)
				}
			}
		}
	}
	return all, nil
}

// wished returns what a server is in the services of a virtual server.
func wished(vs *config.VirtualServer, rs *config.RealServer, table ipvs.Table) (list []status.WishedServer) {
	for i := range vs.Services {
		s := &vs.Services[i]
		d, reaches := rs.For(s)
		if !reaches {
			continue
		}
		v := status.WishedServer{Service: s.ServiceKey, Server: d.Addr, Name: rs.Name}
		if t := table.Find(s.ServiceKey); t != nil {
			if f := t.Destination(d.Addr); f != nil {
				v.InTable, v.TableWeight, v.ActiveConns, v.InactiveConns = true, f.Weight, f.ActiveConns, f.InactiveConns
				v.Open = status.Open(s, f.ActiveConns, f.InactiveConns)
			}
		}
		list = append(list, v)
	}
	return list
}
