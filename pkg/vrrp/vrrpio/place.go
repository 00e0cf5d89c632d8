package vrrpio

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// hosts are the interfaces of this host by name.
type hosts map[string]*host

type host struct {
	index int
	addrs []netip.Addr // that adverts can come from, in the kernel's order: IPv4, and IPv6 of this link
	has   map[netip.Addr]bool
}

func newHosts(list []vip.Interface) hosts {
	h := make(hosts, len(list))
	for _, i := range list {
		one := &host{index: i.Index, has: make(map[netip.Addr]bool, len(i.Addrs))}
		for _, p := range i.Addrs {
			if a := p.Addr(); a.Is4() || a.IsLinkLocalUnicast() {
				one.addrs = append(one.addrs, a)
				one.has[a] = true
			}
		}
		h[i.Name] = one
	}
	return h
}

// source returns the address that an instance's adverts come from, given the one they come from now. That is kept as long as it is
// there. A virtual address is only taken if there is no other: it may be another router's soon.
func (h *host) source(in *instance, now netip.Addr) (first netip.Addr) {
	if h == nil {
		return netip.Addr{}
	}
	if h.has[now] && !in.vips[now] {
		return now
	}
	for _, a := range h.addrs {
		switch {
		case a.Is4() == in.IPv6:
		case !in.vips[a]:
			return a
		case !first.IsValid():
			first = a
		}
	}
	if h.has[now] {
		return now
	}
	return first
}

// place gives every instance the link that its configuration and the interfaces of the host demand, and tells the router what it can
// not find out.
func (l *loop) place() {
	if l.hosts == nil {
		return
	}
	l.flush() // before links go
	wishes := make([]spec, len(l.instances))
	buffers := map[spec]int{}
	for i, in := range l.instances {
		wishes[i] = l.wish(in)
		buffers[wishes[i]] = max(buffers[wishes[i]], in.ReceiveBuffer)
	}
	used := map[spec]bool{}
	for i, in := range l.instances {
		if in.why != "" {
			in.move(nil)
			continue
		}
		s := wishes[i]
		s.buffer = buffers[s] // of all that share the socket
		used[s] = true
		k := l.links[s]
		if k == nil {
			k = &link{spec: s, members: map[uint8]*instance{}, rejected: map[vrrp.Reject]uint64{}}
			l.links[s] = k
			l.porter.open(s)
		}
		in.move(k)
	}
	for s, k := range l.links {
		if !used[s] {
			l.drop(k)
		}
	}
	for _, in := range l.instances {
		l.inform(in)
	}
	l.look()
}

// wish finds an instance's source, and returns what its socket must be like but for the buffer. If there can't be one, it says why in
// the instance.
func (l *loop) wish(in *instance) (s spec) {
	s = spec{ipv6: in.IPv6, protocol: vrrp.ProtocolVRRP, device: in.Interface}
	if in.Version == 2 && in.Auth.Type == vrrp.AuthAH && in.HMAC == nil {
		s.protocol = vrrp.ProtocolAH
	}
	if in.Base != "" {
		s.device = in.Base
	}
	if s.device == "" {
		s.device = in.VRF
	}
	source := in.Source
	if !source.IsValid() {
		source = l.source(in)
	}
	in.source, in.why = source, ""
	if s.device != "" {
		h := l.hosts[s.device]
		if h == nil {
			in.why = "there is no interface " + s.device
			return s
		}
		s.index = h.index
	}
	if !source.IsValid() {
		family := "IPv4"
		if in.IPv6 {
			family = "link-local IPv6"
		}
		in.why = "interface " + in.Interface + " has no " + family + " address that adverts could come from"
		return s
	}
	if s.bound = in.Multicast; len(in.Peers) > 0 || !s.bound.IsValid() {
		s.bound = source
	}
	return s
}

// source is where adverts come from if the configuration doesn't say it. A VMAC has no address of its own with IPv4.
func (l *loop) source(in *instance) netip.Addr {
	if in.Parent != "" && !in.IPv6 {
		return l.hosts[in.Parent].source(in, in.source)
	}
	source := l.hosts[in.Interface].source(in, in.source)
	if !source.IsValid() && in.Parent != "" {
		source = l.hosts[in.Parent].source(in, in.source)
	}
	return source
}

// opened is the porter's news of a socket: it is open, or could not be opened just now.
func (l *loop) opened(s spec, socket socket, err error) {
	k := l.links[s]
	if err == nil && k != nil && k.socket == nil {
		if err = l.net.listen(socket, func(p vrrp.Packet) { l.receive(k, p) }); err == nil {
			k.socket = socket
		} else {
			l.porter.close(socket)
			time.AfterFunc(retry, func() { l.porter.open(s) }) // if nobody wants it by then, it is closed again
		}
	} else if err == nil {
		l.porter.close(socket) // nobody wants it any more
		return
	}
	if k == nil {
		return
	}
	k.err = err
	for _, in := range l.instances {
		if in.link == k {
			l.inform(in)
		}
	}
	l.look()
}

// drop closes a link.
func (l *loop) drop(k *link) {
	delete(l.links, k.spec)
	if k.socket == nil {
		l.porter.forget(k.spec)
		return
	}
	l.net.ignore(k.socket)
	l.porter.close(k.socket)
}

func (l *loop) closeAll() {
	for _, k := range l.links {
		l.drop(k)
	}
}

// inform tells the router where an instance's adverts come from, or that they can't leave. When it first knows, it has it take part.
func (l *loop) inform(in *instance) {
	now := sourcing{addr: in.source}
	switch {
	case in.why != "":
		now = sourcing{why: in.why}
	case in.link == nil:
		return // the interfaces aren't known yet: it has its place with them
	case in.link.err != nil:
		now = sourcing{why: "its socket can't be opened: " + in.link.err.Error()}
	case in.link.socket == nil:
		if !in.started {
			return // it opens just now
		}
		now = in.told // or anew
	}
	if now != in.told {
		in.told = now
		l.step(vrrp.Sourced{Instance: in.Name, Addr: now.addr, Why: now.why})
	}
	if !in.started && !l.held {
		in.started = true
		l.step(vrrp.Startup{Instance: in.Name, Boot: l.boot})
	}
}
