package vipnl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// NewFirewall returns a Firewall that has denied nothing yet.
func NewFirewall() Firewall { return &firewall{} }

// firewall is no_accept. With nftables, what IPVS balances passes: its hook comes before ours. With iptables, which has no table
// after it, that is dropped as well, as keepalived has it.
type firewall struct {
	denied []netip.Addr
	known  bool // whether denied is what the kernel has
}

const (
	denyTable = "ipvsd_no_accept"
	// afterIPVS is behind its hook in LOCAL_IN (NF_IP_PRI_NAT_SRC - 1), which takes for itself what it forwards.
	afterIPVS = 110
)

func (f *firewall) Deny(addrs []netip.Addr) error {
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if f.known && slices.Equal(addrs, f.denied) {
		return nil
	}
	err := denyNftables(addrs)
	if noNftables(err) {
		err = denyIptables(addrs)
	}
	if f.known = err == nil; f.known {
		f.denied = addrs
		return nil
	}
	if errors.Is(err, errNoFirewall) {
		err = fmt.Errorf("%w; the kernel needs NF_TABLES_IPV4 and NF_TABLES_IPV6", err)
	}
	return fmt.Errorf("no_accept of %d addresses: %w", len(addrs), err)
}

func denyNftables(addrs []netip.Addr) error {
	return replaceTables(denyTable, func(c *nftables.Conn, t *nftables.Table) (bool, error) {
		ipv6 := t.Family == nftables.TableFamilyIPv6
		denied := &nftables.Set{Table: t, Name: "denied", KeyType: nftables.TypeIPAddr}
		place := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
		if ipv6 {
			denied.KeyType, place.Offset, place.Len = nftables.TypeIP6Addr, 24, 16
		}
		var elements []nftables.SetElement
		for _, a := range addrs {
			if a.Is6() == ipv6 {
				elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
			}
		}
		if len(elements) == 0 {
			return false, nil
		}
		if err := c.AddSet(denied, elements); err != nil {
			return false, err
		}
		priority := nftables.ChainPriority(afterIPVS)
		chain := c.AddChain(&nftables.Chain{
			Name: "input", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &priority,
		})
		if ipv6 {
			for _, kind := range []byte{neighborSolicitation, neighborAdvertisement} {
				c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(matchICMPv6(kind), &expr.Verdict{Kind: expr.VerdictAccept})})
			}
		}
		c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: []expr.Any{
			place, &expr.Lookup{SourceRegister: 1, SetName: denied.Name, SetID: denied.ID}, &expr.Verdict{Kind: expr.VerdictDrop},
		}})
		return true, nil
	})
}

func denyIptables(addrs []netip.Addr) error {
	const chain = "ipvsd-no-accept"
	var v4, v6 []string
	for _, a := range addrs {
		if rule := "-d " + a.WithZone("").String() + " -j DROP"; a.Is4() {
			v4 = append(v4, rule)
		} else {
			v6 = append(v6, rule)
		}
	}
	if len(v6) > 0 {
		v6 = append([]string{"-p icmpv6 --icmpv6-type 135 -j RETURN", "-p icmpv6 --icmpv6-type 136 -j RETURN"}, v6...)
	}
	return errors.Join(iptablesChain("iptables", "filter", "INPUT", chain, v4), iptablesChain("ip6tables", "filter", "INPUT", chain, v6))
}
