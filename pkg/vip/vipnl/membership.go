package vipnl

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// membership is a VMAC, and the base that says which multicast groups are wanted by it.
type membership struct {
	name      string
	index     int
	base      string
	baseIndex int
}

// memberships makes reports of IGMP and MLD leave by the base. By the VMAC, which a backup has as well, they would tell the switches that
// the virtual MAC is here. Router solicitations, which nobody needs, leave not at all.
type memberships struct {
	log   *slog.Logger
	moved []membership
	known bool // whether moved is what the kernel has
}

const membershipTable = "ipvsd_membership"

func (m *memberships) move(now []membership) error {
	if m.known && slices.Equal(now, m.moved) {
		return nil
	}
	err := m.nftables(now)
	if noNftables(err) {
		err = m.iptables(now)
	}
	if err != nil && len(now) > 0 && errors.Is(err, errNoFirewall) {
		// It works without, on most networks: no reason to stay passive.
		m.log.Warn("IGMP and MLD reports leave by virtual MAC addresses, which may lead switches astray: "+
			"use a kernel with nftables (NF_TABLES_IPV4, NF_TABLES_IPV6, NFT_DUP_IPV4, NFT_DUP_IPV6), or vmac_xmit_base and disable_local_igmp", "err", err)
		err = nil
	}
	if m.known = err == nil; m.known {
		m.moved = slices.Clone(now)
	}
	return err
}

func (m *memberships) nftables(now []membership) error {
	return replaceTables(membershipTable, func(c *nftables.Conn, t *nftables.Table) (bool, error) {
		if len(now) == 0 {
			return false, nil
		}
		bases := &nftables.Set{Table: t, Name: "base", IsMap: true, KeyType: nftables.TypeIFIndex, DataType: nftables.TypeIFIndex}
		var elements []nftables.SetElement
		for _, v := range now {
			elements = append(elements, nftables.SetElement{
				Key: binaryutil.NativeEndian.PutUint32(uint32(v.index)), Val: binaryutil.NativeEndian.PutUint32(uint32(v.baseIndex)),
			})
		}
		if err := c.AddSet(bases, elements); err != nil {
			return false, err
		}
		priority := nftables.ChainPriority(-1)
		chain := c.AddChain(&nftables.Chain{
			Name: "output", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: &priority,
		})
		// Registers: 1 the destination, 2 the VMAC, 3 its base.
		out := []expr.Any{
			&expr.Meta{Key: expr.MetaKeyOIF, Register: 2},
			&expr.Lookup{SourceRegister: 2, DestRegister: 3, IsDestRegSet: true, SetName: bases.Name, SetID: bases.ID},
		}
		drop := &expr.Verdict{Kind: expr.VerdictDrop}
		if t.Family == nftables.TableFamilyIPv4 {
			rule := append(matchProtocol(unix.IPPROTO_IGMP), out...)
			rule = append(rule, &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
				&expr.Dup{RegAddr: 1, RegDev: 3, IsRegDevSet: true}, drop)
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: rule})
			return true, nil
		}
		for _, kind := range []byte{reportMLDv2, reportMLDv1, doneMLDv1} {
			rule := append(matchICMPv6(kind), out...)
			rule = append(rule, &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16},
				&expr.Dup{RegAddr: 1, RegDev: 3, IsRegDevSet: true}, drop)
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: rule})
		}
		c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(append(matchICMPv6(routerSolicitation), out...), drop)})
		return true, nil
	})
}

// Types of ICMPv6: RFC 2710, RFC 3810, RFC 4861.
const (
	reportMLDv1, doneMLDv1, reportMLDv2                             = 131, 132, 143
	routerSolicitation, neighborSolicitation, neighborAdvertisement = 133, 135, 136
)

func (m *memberships) iptables(now []membership) error {
	const chain = "ipvsd-membership"
	var v4, v6 []string
	for _, v := range now {
		v4 = append(v4, "-o "+v.name+" -p igmp -j TEE --gateway 224.0.0.22 --oif "+v.base, "-o "+v.name+" -p igmp -j DROP")
		for _, kind := range []string{"143", "131", "132"} {
			v6 = append(v6, "-o "+v.name+" -p icmpv6 --icmpv6-type "+kind+" -j TEE --gateway ff02::16 --oif "+v.base,
				"-o "+v.name+" -p icmpv6 --icmpv6-type "+kind+" -j DROP")
		}
		v6 = append(v6, "-o "+v.name+" -p icmpv6 --icmpv6-type 133 -j DROP")
	}
	return errors.Join(iptablesChain("iptables", "mangle", "OUTPUT", chain, v4), iptablesChain("ip6tables", "mangle", "OUTPUT", chain, v6))
}
