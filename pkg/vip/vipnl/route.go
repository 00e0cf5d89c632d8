package vipnl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// placedRoute is a route of a wish.
type placedRoute struct{ vip.Route }

// id is all of the route: the kernel may have several to one destination.
func (r placedRoute) id() any {
	r.NoTrack, r.TrackGroup, r.Mode = false, "", ""
	return r
}

func (r placedRoute) stage() int      { return routeStage }
func (r placedRoute) untracked() bool { return r.NoTrack }

func (r placedRoute) state(t *tables) state {
	scope := uint8(unix.RT_SCOPE_NOWHERE)
	if r.ScopeSet {
		scope = uint8(r.Scope)
	}
	b, err := r.body(t, scope)
	if err != nil {
		return absent
	}
	wish, _ := decodeRecord(b)
	if slices.ContainsFunc(t.routes, func(have record) bool { return have.isRoute(wish) }) {
		return present
	}
	return absent
}

func (r placedRoute) add(t *tables, _ state) ([]message, error) {
	b, err := r.body(t, r.usualScope())
	flags := uint16(unix.NLM_F_CREATE)
	switch r.Mode {
	case "add":
		flags |= unix.NLM_F_EXCL
	case "append":
		flags |= unix.NLM_F_APPEND
	}
	return []message{{kind: unix.RTM_NEWROUTE, flags: flags, body: b}}, err
}

func (r placedRoute) remove(t *tables) (message, error) {
	b, err := r.body(t, unix.RT_SCOPE_NOWHERE)
	return message{kind: unix.RTM_DELROUTE, body: b}, err
}

// usualScope is what iproute2 would choose.
func (r placedRoute) usualScope() uint8 {
	switch {
	case r.ScopeSet:
		return uint8(r.Scope)
	case r.IPv6:
		return unix.RT_SCOPE_UNIVERSE
	case r.Type == "local":
		return unix.RT_SCOPE_HOST
	case r.Type == "broadcast" || r.Type == "multicast" || r.Type == "anycast":
		return unix.RT_SCOPE_LINK
	case r.Type == "" && !r.Via.IsValid() && r.NextHops == "":
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

var routeTypes = map[string]uint8{
	"": unix.RTN_UNICAST, "local": unix.RTN_LOCAL, "broadcast": unix.RTN_BROADCAST, "anycast": unix.RTN_ANYCAST,
	"multicast": unix.RTN_MULTICAST, "blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE,
	"prohibit": unix.RTN_PROHIBIT, "throw": unix.RTN_THROW,
}

// usualMetric is what the kernel gives an IPv6 route without one.
const usualMetric = 1024

func (r placedRoute) protocol() uint8 {
	if r.Protocol != 0 {
		return r.Protocol
	}
	return tag
}

// body is a struct rtmsg with attributes.
func (r placedRoute) body(t *tables, scope uint8) (body, error) {
	b := body(make([]byte, unix.SizeofRtMsg))
	b[0], b[1], b[3], b[5], b[6], b[7] = unix.AF_INET, uint8(r.Destination.Bits()), r.TOS, r.protocol(), scope, routeTypes[r.Type]
	metric := r.Metric
	if r.IPv6 {
		b[0] = unix.AF_INET6
		if metric == 0 {
			metric = usualMetric
		}
	}
	table, err := r.tableNumber(t)
	if err != nil {
		return nil, err
	}
	b.u32(unix.RTA_TABLE, table)
	if r.Destination.Bits() > 0 {
		b.addr(unix.RTA_DST, r.Destination.Addr())
	}
	if r.From.IsValid() && r.From.Bits() > 0 {
		b[2] = uint8(r.From.Bits())
		b.addr(unix.RTA_SRC, r.From.Addr())
	}
	if r.Source.IsValid() {
		b.addr(unix.RTA_PREFSRC, r.Source)
	}
	if metric != 0 {
		b.u32(unix.RTA_PRIORITY, metric)
	}
	if r.Expires != 0 {
		b.u32(unix.RTA_EXPIRES, r.Expires)
	}
	if r.Pref != "" {
		b.u8(unix.RTA_PREF, map[string]uint8{"medium": 0, "high": 1, "low": 3}[r.Pref])
	}
	r.metrics(&b)
	hops := r.Gateways()
	if len(hops) > 1 {
		var several body
		for _, h := range hops {
			if err := appendHop(&several, h, t, r.IPv6); err != nil {
				return nil, err
			}
		}
		b.attr(unix.RTA_MULTIPATH, several)
		if r.Realms != "" {
			b.u32(unix.RTA_FLOW, realms(r.Realms))
		}
		return b, nil
	}
	hop := vip.Hop{Via: r.Via, Dev: r.Dev, OnLink: r.OnLink, Encap: r.Encap, Realms: r.Realms}
	if len(hops) == 1 {
		hop = hops[0]
		if hop.Realms == "" {
			hop.Realms = r.Realms
		}
	}
	if hop.Dev != "" {
		index, err := t.device(hop.Dev)
		if err != nil {
			return nil, err
		}
		b.u32(unix.RTA_OIF, index)
	}
	if hop.OnLink {
		binary.NativeEndian.PutUint32(b[8:], unix.RTNH_F_ONLINK)
	}
	return b, hopAttributes(&b, hop, r.IPv6)
}

func (r placedRoute) tableNumber(t *tables) (uint32, error) {
	switch {
	case r.VRF != "":
		index, err := t.device(r.VRF)
		if err == nil && t.links[int(index)].table == 0 {
			err = fmt.Errorf("interface %q is no VRF", r.VRF)
		}
		return t.links[int(index)].table, err
	case r.Table != 0:
		return r.Table, nil
	case r.Type == "local" || r.Type == "broadcast" || r.Type == "anycast":
		return unix.RT_TABLE_LOCAL, nil
	}
	return unix.RT_TABLE_MAIN, nil
}

// appendHop adds a struct rtnexthop with attributes.
func appendHop(b *body, h vip.Hop, t *tables, ipv6 bool) error {
	var index uint32
	if h.Dev != "" {
		var err error
		if index, err = t.device(h.Dev); err != nil {
			return err
		}
	}
	var flags uint8
	if h.OnLink {
		flags = unix.RTNH_F_ONLINK
	}
	var inside body
	if err := hopAttributes(&inside, h, ipv6); err != nil {
		return err
	}
	*b = binary.NativeEndian.AppendUint16(*b, uint16(unix.SizeofRtNexthop+len(inside)))
	*b = append(*b, flags, uint8(max(h.Weight, 1)-1))
	*b = binary.NativeEndian.AppendUint32(*b, index)
	*b = append(*b, inside...)
	return nil
}

func hopAttributes(b *body, h vip.Hop, ipv6 bool) error {
	switch {
	case !h.Via.IsValid():
	case h.Via.Is6() != ipv6: // struct rtvia
		b.attr(unix.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), h.Via.AsSlice()...))
	default:
		b.addr(unix.RTA_GATEWAY, h.Via)
	}
	if h.Realms != "" {
		b.u32(unix.RTA_FLOW, realms(h.Realms))
	}
	if h.Encap == "" {
		return nil
	}
	e, err := vip.ParseEncap(h.Encap)
	if err != nil {
		return err
	}
	kind, inside := encap(e)
	b.inside(unix.RTA_ENCAP, inside)
	b.u16(unix.RTA_ENCAP_TYPE, kind)
	return nil
}

// encap is what RTA_ENCAP_TYPE and RTA_ENCAP have.
func encap(e vip.Encap) (uint16, body) {
	var b body
	switch e.Kind {
	case "mpls":
		var labels []byte
		for i, l := range e.Labels {
			last := uint32(0)
			if i == len(e.Labels)-1 {
				last = 1 << 8
			}
			labels = binary.BigEndian.AppendUint32(labels, l<<12|last)
		}
		b.attr(unix.MPLS_IPTUNNEL_DST, labels)
		if e.TTL != 0 {
			b.u8(unix.MPLS_IPTUNNEL_TTL, e.TTL)
		}
		return unix.LWTUNNEL_ENCAP_MPLS, b
	case "ila":
		b.be64(1, e.Locator) // ILA_ATTR_LOCATOR
		if e.CsumMode != "" {
			modes := map[string]uint8{"adj-transport": 0, "neutral-map": 1, "no-action": 2, "neutral-map-auto": 3}
			b.u8(6, modes[e.CsumMode]) // ILA_ATTR_CSUM_MODE
		}
		return unix.LWTUNNEL_ENCAP_ILA, b
	}
	const ( // enum lwtunnel_ip_t; those of ip6 have the same numbers
		id, dst, src, ttl, tos, flagBits = 1, 2, 3, 4, 5, 6
	)
	b.be64(id, e.ID)
	if e.Dst.IsValid() {
		b.addr(dst, e.Dst)
	}
	if e.Src.IsValid() {
		b.addr(src, e.Src)
	}
	b.u8(ttl, e.TTL)
	b.u8(tos, e.TOS)
	const csum, key, seq = 1, 4, 8 // TUNNEL_CSUM, TUNNEL_KEY, TUNNEL_SEQ, as in the packet
	var flags uint16
	for _, f := range []struct {
		set bool
		bit uint16
	}{{e.Csum, csum}, {e.Key, key}, {e.Seq, seq}} {
		if f.set {
			flags |= f.bit
		}
	}
	b.attr(flagBits, binary.BigEndian.AppendUint16(nil, flags))
	if e.Kind == "ip6" {
		return unix.LWTUNNEL_ENCAP_IP6, b
	}
	return unix.LWTUNNEL_ENCAP_IP, b
}

// realms is FROM/TO as the kernel has it.
func realms(text string) uint32 {
	from, to, both := strings.Cut(text, "/")
	if !both {
		from, to = "0", from
	}
	a, _ := strconv.ParseUint(from, 10, 16)
	b, _ := strconv.ParseUint(to, 10, 16)
	return uint32(a<<16 | b)
}

// metricKinds are the kernel's numbers of metrics.
var metricKinds = map[string]uint16{
	"mtu": unix.RTAX_MTU, "window": unix.RTAX_WINDOW, "rtt": unix.RTAX_RTT, "rttvar": unix.RTAX_RTTVAR, "ssthresh": unix.RTAX_SSTHRESH,
	"cwnd": unix.RTAX_CWND, "advmss": unix.RTAX_ADVMSS, "reordering": unix.RTAX_REORDERING, "hoplimit": unix.RTAX_HOPLIMIT,
	"initcwnd": unix.RTAX_INITCWND, "features": unix.RTAX_FEATURES, "rto_min": unix.RTAX_RTO_MIN, "initrwnd": unix.RTAX_INITRWND,
	"quickack": unix.RTAX_QUICKACK, "congctl": unix.RTAX_CC_ALGO, "fastopen_no_cookie": unix.RTAX_FASTOPEN_NO_COOKIE,
}

func (r placedRoute) metrics(b *body) {
	var inside body
	var locked uint32
	for _, m := range r.MetricList() {
		kind := metricKinds[m.Name]
		if m.Lock {
			locked |= 1 << kind
		}
		v, _ := strconv.ParseUint(m.Value, 10, 32)
		switch m.Name {
		case "ttl-propagate":
			enabled := uint8(0)
			if m.Value == "enabled" {
				enabled = 1
			}
			b.u8(unix.RTA_TTL_PROPAGATE, enabled)
			continue
		case "congctl":
			inside.text(kind, m.Value)
			continue
		case "features":
			v = unix.RTAX_FEATURE_ECN
		case "rtt": // the kernel has it in eighths of a millisecond
			v *= 8
		case "rttvar": // in quarters
			v *= 4
		}
		if v != 0 || m.Lock {
			inside.u32(kind, uint32(v))
		}
	}
	if locked != 0 {
		inside.u32(unix.RTAX_LOCK, locked)
	}
	if len(inside) > 0 {
		b.inside(unix.RTA_METRICS, inside)
	}
}

// isRoute says that the kernel's route is the wished one. A wish of scope RT_SCOPE_NOWHERE does not mind which.
func (r record) isRoute(wish record) bool {
	const scope, tos = 6, 3
	for i := range r.header[:8] {
		switch {
		case i == 4, i == scope && (wish.header[scope] == unix.RT_SCOPE_NOWHERE || wish.family() == unix.AF_INET6),
			i == tos && wish.family() == unix.AF_INET6: // the table has an attribute; IPv6 has neither scope nor TOS
		case r.header[i] != wish.header[i]:
			return false
		}
	}
	if (r.header[8]^wish.header[8])&unix.RTNH_F_ONLINK != 0 {
		return false
	}
	if !r.lacks(wish, unix.RTA_PRIORITY, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_MULTIPATH, unix.RTA_ENCAP_TYPE, unix.RTA_METRICS,
		unix.RTA_PREFSRC, unix.RTA_FLOW) {
		return false
	}
	return r.has(wish, unix.RTA_METRICS, unix.RTA_ENCAP, unix.RTA_MULTIPATH, unix.RTA_EXPIRES, unix.RTA_TTL_PROPAGATE) &&
		containAll(r.attrs[unix.RTA_METRICS], wish.attrs[unix.RTA_METRICS]) &&
		containAll(r.attrs[unix.RTA_ENCAP], wish.attrs[unix.RTA_ENCAP]) &&
		sameHops(r.attrs[unix.RTA_MULTIPATH], wish.attrs[unix.RTA_MULTIPATH])
}

// containAll says that all attributes of wish are among those of have.
func containAll(have, wish []byte) bool {
	list := attributes(have)
	for kind, v := range attributes(wish) {
		if !bytes.Equal(list[kind], v) {
			return false
		}
	}
	return true
}

// sameHops compares lists of struct rtnexthop. A wish may leave the interface open.
func sameHops(have, wish []byte) bool {
	for len(wish) >= unix.SizeofRtNexthop && len(have) >= unix.SizeofRtNexthop {
		n, m := int(binary.NativeEndian.Uint16(wish)), int(binary.NativeEndian.Uint16(have))
		if n < unix.SizeofRtNexthop || n > len(wish) || m < unix.SizeofRtNexthop || m > len(have) {
			return false
		}
		index := binary.NativeEndian.Uint32(wish[4:])
		if (wish[2]^have[2])&unix.RTNH_F_ONLINK != 0 || wish[3] != have[3] || index != 0 && index != binary.NativeEndian.Uint32(have[4:]) ||
			!hopContains(have[unix.SizeofRtNexthop:m], wish[unix.SizeofRtNexthop:n]) {
			return false
		}
		wish, have = wish[min((n+3)&^3, len(wish)):], have[min((m+3)&^3, len(have)):]
	}
	return len(wish) == 0 && len(have) == 0
}

func hopContains(have, wish []byte) bool {
	a, b := attributes(have), attributes(wish)
	for _, kind := range []uint16{unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_ENCAP_TYPE} {
		if !bytes.Equal(a[kind], b[kind]) {
			return false
		}
	}
	return containAll(a[unix.RTA_ENCAP], b[unix.RTA_ENCAP])
}
