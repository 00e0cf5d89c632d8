package vipnl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// What an address is made of is what it is read as.
func TestAddressMessage(t *testing.T) {
	tables := tables{host: host{
		links: map[int]link{7: {index: 7, name: "e0"}}, index: map[string]int{"e0": 7}, addrs: map[addressKey]address{}, of: map[int]map[addressKey]int{},
	}}
	for _, line := range []string{
		"10.0.0.1 dev e0", "10.0.0.1/24 dev e0 scope link brd 10.0.0.255 label e0:1", "10.0.0.1 dev e0 peer 10.0.0.2/24 noprefixroute",
		"10.0.0.1/24 dev e0 preferred_lft 0", "2001:db8::1 dev e0", "2001:db8::1/64 dev e0 home -nodad mngtmpaddr", "2001:db8::1 peer 2001:db8::2/64 dev e0",
	} {
		a, err := vip.ParseAddress(line)
		if err != nil {
			t.Fatal(err)
		}
		o := placedAddress{a}
		list, err := o.add(&tables, absent)
		if err != nil || len(list) != 1 || o.state(&tables) != absent {
			t.Fatalf("%s: %d messages, %v, %d", line, len(list), err, o.state(&tables))
		}
		if v := attributes(list[0].body[unix.SizeofIfAddrmsg:])[ifaProto]; len(v) != 1 || v[0] != tag {
			t.Errorf("%s: IFA_PROTO %v", line, v)
		}
		tables.apply(list[0])
		if got := o.state(&tables); got != present {
			t.Errorf("%s: state %d", line, got)
		}
		gone, err := o.remove(&tables)
		tables.apply(gone)
		if err != nil || len(tables.addrs) != 0 {
			t.Errorf("%s: %v, %v stays", line, err, tables.addrs)
		}
	}
}

// Whatever differs is seen, and what the kernel can change in place is told from what it can't.
func TestAddressState(t *testing.T) {
	for _, c := range []struct {
		have, wish string
		want       state
	}{
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e0", present},
		{"10.0.0.1/24 dev e0", "10.0.0.1/25 dev e0", absent},
		{"10.0.0.1/24 dev e0", "10.0.0.1 peer 10.0.0.2/24 dev e0", other},
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e0 preferred_lft 0", similar},
		{"10.0.0.1/24 dev e0 preferred_lft 0", "10.0.0.1/24 dev e0", similar},
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e0 label x", other},
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e0 scope host", other},
		{"10.0.0.1/24 brd + dev e0", "10.0.0.1/24 dev e0", other},
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e0 noprefixroute", other},
		{"10.0.0.1/24 dev e0", "10.0.0.1/24 dev e1", absent},
		{"2001:db8::1/64 dev e0", "2001:db8::1 dev e0 preferred_lft forever", other},
		{"2001:db8::1/64 dev e0", "2001:db8::1/64 dev e0 home", similar},
		{"2001:db8::1/64 dev e0", "2001:db8::1/64 dev e0 -nodad", present},
		{"2001:db8::1/64 dev e0", "2001:db8::1/64 dev e0 preferred_lft 0", similar},
		{"2001:db8::1/64 dev e0", "2001:db8::1 peer 2001:db8::2/64 dev e0", similar},
	} {
		tables := tables{host: host{
			links: map[int]link{7: {index: 7, name: "e0"}, 8: {index: 8, name: "e1"}}, index: map[string]int{"e0": 7, "e1": 8},
			addrs: map[addressKey]address{}, of: map[int]map[addressKey]int{},
		}}
		var objects [2]placedAddress
		for i, line := range []string{c.have, c.wish} {
			a, err := vip.ParseAddress(line)
			if err != nil {
				t.Fatal(err)
			}
			objects[i] = placedAddress{a}
		}
		list, err := objects[0].add(&tables, absent)
		if err != nil {
			t.Fatal(err)
		}
		tables.apply(list[0])
		if got := objects[1].state(&tables); got != c.want {
			t.Errorf("%s\n%s\nstate %d, want %d", c.have, c.wish, got, c.want)
		}
	}
}

// No two of these routes are taken for each other, nor of these rules.
func TestDifferentRecords(t *testing.T) {
	tables := tables{host: host{links: map[int]link{7: {index: 7}}, index: map[string]int{"e0": 7, "e1": 8}}}
	routes := []string{
		"10.0.0.0/8 dev e0", "10.0.0.0/8 dev e1", "10.0.0.0/8 via 10.1.1.1", "10.0.0.0/8 via 10.1.1.1 onlink dev e0", "10.0.0.0/8 via 10.1.1.2",
		"10.0.0.0/9 dev e0", "10.0.0.0/8 dev e0 metric 7", "10.0.0.0/8 dev e0 tos 8", "10.0.0.0/8 dev e0 table 7", "10.0.0.0/8 dev e0 scope host",
		"10.0.0.0/8 dev e0 mtu 1000", "10.0.0.0/8 dev e0 mtu 1001", "10.0.0.0/8 dev e0 src 10.1.1.1", "10.0.0.0/8 dev e0 realms 3",
		"10.0.0.0/8 dev e0 encap mpls 3", "10.0.0.0/8 dev e0 encap mpls 4", "blackhole 10.0.0.0/8", "10.0.0.0/8 dev e0 protocol static",
		"10.0.0.0/8 nexthop dev e0 nexthop dev e1", "10.0.0.0/8 nexthop dev e0 weight 2 nexthop dev e1", "10.0.0.0/8 nexthop dev e1 nexthop dev e0",
		"10.0.0.0/8 nexthop dev e0 nexthop via 10.1.1.1 dev e1", "10.0.0.0/8 via inet6 fe80::1 dev e0", "2001:db8::/32 dev e0",
		"2001:db8::/32 dev e0 from 2001:db8::/32", "2001:db8::/32 dev e0 pref high", "2001:db8::/32 via 2001:db8::1 dev e0",
	}
	rules := []string{
		"table 7", "table 8", "table 7 priority 7", "from 10.0.0.0/8 table 7", "to 10.0.0.0/8 table 7", "not table 7", "tos 8 table 7", "fwmark 1 table 7",
		"fwmark 1/1 table 7", "iif e0 table 7", "oif e0 table 7", "blackhole", "prohibit", "goto 7 priority 3", "l3mdev", "uidrange 1-2 table 7", "uidrange 1-3 table 7",
		"ipproto tcp table 7", "ipproto udp table 7", "sport 1 table 7", "dport 1 table 7", "dport 1-2 table 7", "tunnel-id 5 table 7", "realms 5 table 7",
		"suppress_prefixlength 0 table 7", "suppress_ifgroup 1 table 7", "inet6 table 7", "protocol static table 7",
	}
	compare := func(lines []string, body func(line string, wish bool) (body, error), is func(have, wish record) bool) {
		for i, wish := range lines {
			for j, have := range lines {
				a, err := body(have, false)
				b, err2 := body(wish, true)
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				x, _ := decodeRecord(a)
				y, _ := decodeRecord(b)
				if is(x, y) != (i == j) && !(wish == "10.0.0.0/8 dev e0" && have == "10.0.0.0/8 dev e0 scope host") &&
					!(wish == "table 7" && have == "table 7 priority 7") && !(wish == "2001:db8::/32 dev e0" && have == "2001:db8::/32 dev e0 pref high") {
					t.Errorf("%s is %s: %v", have, wish, i != j)
				}
			}
		}
	}
	compare(routes, func(line string, wish bool) (body, error) {
		r, err := vip.ParseRoute(line)
		if err != nil {
			return nil, err
		}
		scope := placedRoute{r}.usualScope()
		if wish && !r.ScopeSet {
			scope = unix.RT_SCOPE_NOWHERE
		}
		return placedRoute{r}.body(&tables, scope)
	}, record.isRoute)
	compare(rules, func(line string, _ bool) (body, error) {
		r, err := vip.ParseRule(line)
		return placedRule{r}.body(), err
	}, record.isRule)
}

// Nothing that comes from a socket makes us fall.
func FuzzMessages(f *testing.F) {
	f.Add(uint16(unix.RTM_NEWLINK), newLink(0, 1, "e0", 1).body)
	f.Add(uint16(unix.RTM_NEWROUTE), make([]byte, 40))
	r, err := vip.ParseRoute("10.0.0.0/8 mtu 1000 nexthop dev e0 encap mpls 5 nexthop dev e1 via 10.1.1.1")
	if err != nil {
		f.Fatal(err)
	}
	tables := tables{host: host{index: map[string]int{"e0": 7, "e1": 8}}, assumed: map[netip.Addr]bool{}}
	b, err := placedRoute{r}.body(&tables, 0)
	if err != nil {
		f.Fatal(err)
	}
	wish, _ := decodeRecord(b)
	f.Add(uint16(unix.RTM_NEWROUTE), []byte(b))
	f.Fuzz(func(_ *testing.T, kind uint16, data []byte) {
		h := host{links: map[int]link{}, index: map[string]int{}, addrs: map[addressKey]address{}, of: map[int]map[addressKey]int{}}
		h.apply(message{kind: kind, body: data})
		h.interfaces()
		if x, ok := decodeRecord(data); ok {
			x.isRoute(wish)
			x.isRule(wish)
			wish.isRoute(x)
		}
		for m, rest := cut(data); m != nil; m, rest = cut(rest) {
			_ = answer(m)
		}
	})
}

// News of a link is told at once, news of addresses in one go.
func TestInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		opened := 0
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			interfaces(ctx, func() (rtnetlink, error) {
				if opened++; opened == 1 {
					return nil, errors.New("no memory")
				}
				return m, nil
			}, func(list []vip.Interface, err error) {
				line := fmt.Sprint(time.Since(m.began), " ", err)
				for _, i := range list {
					line += fmt.Sprint(" ", i.Name, " ", i.Up, " ", i.Addrs)
				}
				got = append(got, line)
			})
		}()
		time.Sleep(time.Second)
		tables := tables{host: host{index: map[string]int{"e0": 2}}}
		for _, a := range []string{"10.0.0.2", "10.0.0.1"} {
			list, err := placedAddress{vip.Address{Prefix: netip.MustParsePrefix(a + "/24"), Dev: "e0"}}.add(&tables, absent)
			if err != nil {
				t.Fatal(err)
			}
			m.do(list)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		m.mu.Lock()
		m.tell(newLink(unix.RTM_NEWLINK, 2, "e0", unix.IFF_UP|unix.IFF_RUNNING)) // the carrier is lost
		m.mu.Unlock()
		time.Sleep(time.Second)
		m.steal("10.0.0.2", false)
		m.there <- struct{}{}
		synctest.Wait()
		cancel()
		<-ended
		want := []string{
			"0s watch the interfaces: no memory",
			"250ms <nil> lo true [] e0 true []",
			"1.01s <nil> lo true [] e0 true [10.0.0.2/24 10.0.0.1/24]",
			"2.002s <nil> lo true [] e0 false [10.0.0.2/24 10.0.0.1/24]",
			"3.002s <nil> lo true [] e0 true [10.0.0.1/24]", // as it is in memory
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
	})
}
