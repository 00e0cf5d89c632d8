package vipnl

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// replaceTables makes a table of the families ip and ip6 hold what build puts there, and nothing else; one that build says has nothing
// goes away. Each is one transaction, so that no packet meets half of it.
func replaceTables(name string, build func(*nftables.Conn, *nftables.Table) (something bool, err error)) error {
	var all error
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		c, err := nftables.New()
		if err == nil {
			t := c.AddTable(&nftables.Table{Name: name, Family: family}) // that there is one to be deleted
			c.DelTable(t)
			var something bool
			c.AddTable(t)
			if something, err = build(c, t); err == nil && !something {
				c.DelTable(t)
			}
		}
		if err == nil {
			err = c.Flush()
		}
		if err != nil {
			word := map[nftables.TableFamily]string{nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6"}[family]
			all = errors.Join(all, fmt.Errorf("nftables table %s %s: %w", word, name, err))
		}
	}
	return all
}

// noNftables reports whether the kernel has no such thing as nftables, or not these families.
func noNftables(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT)
}

// errNoFirewall is a kernel or host that has neither nftables nor iptables.
var errNoFirewall = errors.New("neither nftables nor iptables")

// matchProtocol matches packets of a protocol over IP.
func matchProtocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

// matchICMPv6 matches messages of a type.
func matchICMPv6(kind byte) []expr.Any {
	return append(matchProtocol(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{kind}})
}
