package vrrpio

import (
	"errors"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// instance is one virtual router on its link.
type instance struct {
	vrrp.Instance
	vips  map[netip.Addr]bool
	codec *vrrp.Codec

	link    *link      // nil: there can't be one
	source  netip.Addr // of adverts; zero: none
	why     string     // there is no link or no source; empty: there is
	place   int        // in the file
	left    time.Time  // its last advert; zero: none has
	touched bool       // since the record was brought up to date
	started bool       // the router knows that it takes part
	told    sourcing   // to the router

	counters vrrp.Counters // those that the router doesn't have
	warned   [64]bool      // kinds of rejects that were logged since another router was heard
	heard    netip.Addr    // the router that was believed then
	since    time.Time
}

// sourcing is what the router was told of the source.
type sourcing struct {
	addr netip.Addr
	why  string
}

// configuration is one that is to be run.
type configuration struct {
	instances []vrrp.Instance
	groups    []vrrp.Group
	fresh     []*instance // of all of them
}

func newConfiguration(instances []vrrp.Instance, groups []vrrp.Group) *configuration {
	c := &configuration{instances: instances, groups: groups}
	for i := range instances {
		in := &instance{Instance: instances[i], vips: make(map[netip.Addr]bool, len(instances[i].Addresses)), codec: vrrp.NewCodec(&instances[i])}
		for _, addr := range in.Addresses {
			in.vips[addr] = true
		}
		c.fresh = append(c.fresh, in)
	}
	return c
}

// change takes a whole configuration.
func (l *loop) change(c *configuration) {
	l.changes++
	before := map[vrrp.Identity]*instance{}
	for _, in := range l.instances {
		before[in.Identity()] = in
	}
	l.instances, l.named = nil, map[string]*instance{}
	for place, in := range c.fresh {
		id := in.Identity()
		if old := before[id]; old != nil {
			old.codec.Change(&in.Instance)
			old.Instance, old.vips = in.Instance, in.vips
			in = old
			delete(before, id)
		}
		in.place = place
		l.instances = append(l.instances, in)
		l.named[in.Name] = in
	}
	l.ending = map[string]*instance{}
	for _, in := range before {
		l.ending[in.Name] = in
	}
	l.do(l.router.Change(l.now, c.instances, c.groups))
	l.renew()
	l.ending = nil
	l.place()
	for _, in := range before {
		in.move(nil)
	}
}

// move changes the link.
func (in *instance) move(to *link) {
	if in.link == to {
		return
	}
	if in.link != nil && in.link.members[in.VRID] == in {
		delete(in.link.members, in.VRID)
	}
	if in.link = to; to != nil {
		to.members[in.VRID] = in
	}
}

// sent notes an advert that left.
func (in *instance) sent(due, now time.Time) late {
	in.left = now
	by := now.Sub(due)
	in.counters.Latest = max(in.counters.Latest, by)
	if by <= in.AdvertInterval/3 {
		return late{}
	}
	in.counters.Late++
	return late{in, by, 1}
}

// failed notes one that did not.
func (in *instance) failed(err error) {
	in.counters.SendErrors++
	in.counters.LastSendError = err.Error()
}

// receive takes a packet of an instance's link.
func (l *loop) receive(k *link, p vrrp.Packet) {
	vrid, ok := p.VRID()
	if !ok {
		k.reject(vrrp.RejectLength)
		return
	}
	in := k.members[vrid]
	if in == nil {
		k.reject(vrrp.RejectUnknownVRID)
		if l.logUnknown && !k.unknown[vrid] {
			k.unknown[vrid] = true
			l.log.warn("an advert has a virtual_router_id that no instance has", "interface", k.device, "from", p.From, "vrid", vrid)
		}
		return
	}
	advert, err := in.codec.Decode(p, l.now)
	if err != nil {
		in.reject(err, p, l.now, l.log)
		return
	}
	if in.heard != p.From && l.now.Sub(in.since) >= linesEvery { // two that are active take turns
		in.heard, in.since, in.warned = p.From, l.now, [64]bool{}
	}
	l.step(vrrp.Received{Instance: in.Name, From: p.From, Advert: advert})
}

func (k *link) reject(why vrrp.Reject) { k.rejected[why]++ }

// reject counts a packet that is not believed. It is logged once for each reason until another router is heard.
func (in *instance) reject(err error, p vrrp.Packet, now time.Time, log *scribe) {
	var why vrrp.Reject
	if !errors.As(err, &why) {
		return
	}
	if in.counters.Rejected == nil {
		in.counters.Rejected = map[vrrp.Reject]uint64{}
	}
	in.counters.Rejected[why]++
	in.counters.LastRejected = vrrp.Rejection{At: now, From: p.From, Why: why}
	if int(why) < len(in.warned) && !in.warned[why] {
		in.warned[why] = true
		log.warn("another router's adverts are ignored", "instance", in.Name, "from", p.From, "err", why, "hint", why.Hint())
	}
}

// addTo adds what the router doesn't know. Packets that are no instance's are counted for all on the link.
func (in *instance) addTo(c *vrrp.Counters) {
	mine := in.counters
	c.SendErrors, c.LastSendError, c.Late, c.Latest, c.PutBack = mine.SendErrors, mine.LastSendError, mine.Late, mine.Latest, mine.PutBack
	c.LastRejected = mine.LastRejected
	sources := []map[vrrp.Reject]uint64{mine.Rejected}
	if in.link != nil {
		sources = append(sources, in.link.rejected)
	}
	for _, rejected := range sources {
		for why, n := range rejected {
			if c.Rejected == nil {
				c.Rejected = map[vrrp.Reject]uint64{}
			}
			c.Rejected[why] += n
		}
	}
}
