package vipnl

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// placedRule is a rule of a wish.
type placedRule struct{ vip.Rule }

func (r placedRule) id() any {
	r.NoTrack, r.TrackGroup = false, ""
	return r
}

func (r placedRule) stage() int      { return ruleStage }
func (r placedRule) untracked() bool { return r.NoTrack }

func (r placedRule) state(t *tables) state {
	wish, _ := decodeRecord(r.body())
	if slices.ContainsFunc(t.rules, func(have record) bool { return have.isRule(wish) }) {
		return present
	}
	return absent
}

func (r placedRule) add(*tables, state) ([]message, error) {
	return []message{{kind: unix.RTM_NEWRULE, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, body: r.body()}}, nil
}

func (r placedRule) remove(*tables) (message, error) {
	return message{kind: unix.RTM_DELRULE, body: r.body()}, nil
}

// Attributes of rules that the kernel adds of its own accord.
const noLimit = ^uint32(0) // FRA_SUPPRESS_PREFIXLEN, FRA_SUPPRESS_IFGROUP

// body is a struct fib_rule_hdr with attributes.
func (r placedRule) body() body {
	b := body(make([]byte, unix.SizeofRtMsg))
	b[0], b[3] = unix.AF_INET, r.TOS
	if r.IPv6 {
		b[0] = unix.AF_INET6
	}
	const action, flags = 7, 8
	b[action] = map[string]uint8{
		"": unix.FR_ACT_TO_TBL, "nop": unix.FR_ACT_NOP, "blackhole": unix.FR_ACT_BLACKHOLE, "unreachable": unix.FR_ACT_UNREACHABLE,
		"prohibit": unix.FR_ACT_PROHIBIT,
	}[r.Action]
	if r.Goto != 0 {
		b[action] = unix.FR_ACT_GOTO
		b.u32(unix.FRA_GOTO, r.Goto)
	}
	if r.Not {
		binary.NativeEndian.PutUint32(b[flags:], unix.FIB_RULE_INVERT)
	}
	for _, n := range []struct {
		at     int
		kind   uint16
		prefix netip.Prefix
	}{{1, unix.FRA_DST, r.To}, {2, unix.FRA_SRC, r.From}} {
		if n.prefix.IsValid() && n.prefix.Bits() > 0 {
			b[n.at] = uint8(n.prefix.Bits())
			b.addr(n.kind, n.prefix.Addr())
		}
	}
	for _, o := range []struct {
		set   bool
		kind  uint16
		value uint32
	}{
		{r.Table != 0, unix.FRA_TABLE, r.Table},
		{r.Priority != 0, unix.FRA_PRIORITY, r.Priority},
		{r.FWMask != 0, unix.FRA_FWMARK, r.FWMark},
		{r.FWMask != 0, unix.FRA_FWMASK, r.FWMask},
		{r.Realms != "", unix.FRA_FLOW, realms(r.Realms)},
		{r.NoPrefix >= 0, unix.FRA_SUPPRESS_PREFIXLEN, uint32(r.NoPrefix)},
		{r.NoGroup >= 0, unix.FRA_SUPPRESS_IFGROUP, uint32(r.NoGroup)},
	} {
		if o.set {
			b.u32(o.kind, o.value)
		}
	}
	if r.IIF != "" {
		b.text(unix.FRA_IIFNAME, r.IIF)
	}
	if r.OIF != "" {
		b.text(unix.FRA_OIFNAME, r.OIF)
	}
	if r.Tunnel != 0 {
		b.be64(unix.FRA_TUN_ID, r.Tunnel)
	}
	if r.UIDsSet {
		b.attr(unix.FRA_UID_RANGE, binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, r.UIDs[0]), r.UIDs[1]))
	}
	if r.L3MDev {
		b.u8(unix.FRA_L3MDEV, 1)
	}
	if r.IPProto != 0 {
		b.u8(unix.FRA_IP_PROTO, r.IPProto)
	}
	for i, ports := range [][2]uint16{r.SPort, r.DPort} {
		if ports[0] != 0 {
			span := binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, ports[0]), ports[1])
			b.attr(uint16(unix.FRA_SPORT_RANGE+i), span)
		}
	}
	protocol := r.Protocol
	if protocol == 0 {
		protocol = tag
	}
	b.u8(unix.FRA_PROTOCOL, protocol)
	return b
}

// isRule says that the kernel's rule is the wished one.
func (r record) isRule(wish record) bool {
	for _, i := range []int{0, 1, 2, 3, 7} { // family, lengths, TOS, action
		if r.header[i] != wish.header[i] {
			return false
		}
	}
	if (r.header[8]^wish.header[8])&unix.FIB_RULE_INVERT != 0 {
		return false
	}
	for _, kind := range []uint16{unix.FRA_SUPPRESS_PREFIXLEN, unix.FRA_SUPPRESS_IFGROUP} {
		if r.attrs[kind] != nil && wish.attrs[kind] == nil && number(r.attrs, kind) != noLimit {
			return false
		}
	}
	return r.has(wish) && r.lacks(wish, unix.FRA_FWMARK, unix.FRA_FLOW, unix.FRA_IIFNAME, unix.FRA_OIFNAME, unix.FRA_TUN_ID, unix.FRA_UID_RANGE,
		unix.FRA_L3MDEV, unix.FRA_IP_PROTO, unix.FRA_SPORT_RANGE, unix.FRA_DPORT_RANGE)
}
