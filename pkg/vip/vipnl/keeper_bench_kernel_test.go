//go:build kernel

package vipnl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// How long it takes from the wish to the announcement, and until all is gone, beside one request for each address.
func BenchmarkKernelKeeper(b *testing.B) {
	for _, c := range []struct {
		name, format string
		count        int
	}{
		{"1xIPv4", "10.7.%d.%d/32 dev d0", 1}, {"20xIPv4", "10.7.%d.%d/32 dev d0", 20}, {"255xIPv4", "10.7.%d.%d/32 dev d0", 255},
		{"255xIPv4-24", "10.7.%d.%d/16 dev d0", 255}, {"255xIPv6", "2001:db8::%x:%x dev d0", 255}, {"2000xIPv4", "10.7.%d.%d/32 dev d0", 2000},
	} {
		b.Run(c.name, func(b *testing.B) {
			k := newKept(b)
			var lines []string
			for i := range c.count {
				lines = append(lines, fmt.Sprintf(c.format, i/250, i%250+1))
			}
			full := wish(b, lines, nil, nil)
			full.Denied = []addr{full.Addresses[0].Prefix.Addr()}
			k.run(vipnl.Setup{Universe: []vip.Wish{full}})
			var come, leave time.Duration
			for b.Loop() {
				come += k.until(full, fmt.Sprintf("VI: %d places, fresh ", c.count))
				leave += k.until(vip.Wish{Owner: "VI"}, "deny []") // which comes last
			}
			b.ReportMetric(come.Seconds()*1000/float64(b.N), "ms/come")
			b.ReportMetric(leave.Seconds()*1000/float64(b.N), "ms/leave")
		})
		b.Run(c.name+"-one-by-one", func(b *testing.B) {
			k := newKept(b)
			link := netlink.Link(nil)
			if err := k.Do(func() error {
				var err error
				link, err = netlink.LinkByName("d0")
				if err != nil {
					return err
				}
				var come time.Duration
				for b.Loop() {
					var list []*netlink.Addr
					for i := range c.count {
						a, err := netlink.ParseAddr(strings.TrimSuffix(fmt.Sprintf(c.format, i/250, i%250+1), " dev d0"))
						if err != nil {
							if a, err = netlink.ParseAddr(strings.TrimSuffix(fmt.Sprintf(c.format, i/250, i%250+1), " dev d0") + "/128"); err != nil {
								return err
							}
						}
						list = append(list, a)
					}
					began := time.Now()
					for _, a := range list {
						if err := netlink.AddrReplace(link, a); err != nil {
							return err
						}
					}
					come += time.Since(began)
					for _, a := range list {
						_ = netlink.AddrDel(link, a)
					}
				}
				b.ReportMetric(come.Seconds()*1000/float64(b.N), "ms/come")
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// until wishes, and returns how long it takes until something is noted that starts so.
func (k *kept) until(w vip.Wish, start string) time.Duration {
	k.t.Helper()
	from := len(k.notes())
	began := time.Now()
	k.keeper.Wish(w)
	var took time.Duration
	lab.WaitFor(k.t, patience, start, func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		for i, n := range k.told[from:] {
			if strings.HasPrefix(n, start) {
				took = k.at[from+i].Sub(began)
				return nil
			}
		}
		return fmt.Errorf("told %.200q", k.told[from:])
	})
	return took
}

// A thousand owners become active one after the other, and then one alone among them.
func BenchmarkKernelKeeperOwners(b *testing.B) {
	k := newKept(b)
	var all []vip.Wish
	for i := range 1000 {
		w := wish(b, []string{fmt.Sprintf("10.7.%d.%d/32 dev d0", i/250, i%250+1)}, nil, nil)
		w.Owner = fmt.Sprint("VI", i)
		all = append(all, w)
	}
	k.run(vipnl.Setup{Universe: all})
	var many, one time.Duration
	for b.Loop() {
		began := time.Now()
		for _, w := range all[1:] {
			k.keeper.Wish(w)
		}
		k.until(all[998], "VI999: 1 places, fresh 1")
		k.mu.Lock()
		many += k.at[len(k.at)-1].Sub(began)
		k.mu.Unlock()
		one += k.until(all[0], "VI0: 1 places, fresh 1")
		for _, w := range all {
			k.keeper.Wish(vip.Wish{Owner: w.Owner})
		}
		k.waitAddresses("all gone", "d0")
	}
	b.ReportMetric(many.Seconds()*1000/float64(b.N), "ms/999")
	b.ReportMetric(one.Seconds()*1000/float64(b.N), "ms/1")
}
