//go:build kernel

package vipnl_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// Routes and rules of every kind are made, found again as they are, and removed.
func TestKernelKeeperRoutes(t *testing.T) {
	k := newKept(t)
	k.Run("ip", "address", "add", "10.9.9.1/24", "dev", "d0")
	k.Run("ip", "address", "add", "2001:db8:9::1/64", "dev", "d0", "nodad")
	k.Run("ip", "link", "add", "blue", "type", "vrf", "table", "77")
	k.LinkUp("blue")
	k.Run("ip", "route", "add", "default", "via", "10.9.9.200")
	w := wish(t, []string{"10.0.0.1/24 dev d0", "2001:db8::1/64 dev d0"}, []string{
		"10.2.0.0/24 via 10.9.9.9 tos 16 mtu lock 1400 rtt 100 rttvar 100 rto_min 100 advmss 1000 table 100",
		"10.2.1.0/24 via 10.0.0.9 dev d0",
		"default via 10.9.9.99",
		"10.2.2.0/24 via 10.9.9.9 or 10.9.9.8 dev d0 metric 5",
		"default6 via 2001:db8:9::99",
		"blackhole 10.2.3.0/24",
		"unreachable 10.2.4.0/24 metric 7",
		"inet6 default via 2001:db8:9::98 metric 9 pref high",
		"10.2.6.0/24 dev d0 scope link src 10.0.0.1 realms 3/4 fastopen_no_cookie 1 features ecn quickack 1 congctl reno",
		"10.2.7.0/24 nexthop via 10.9.9.9 dev d0 weight 3 nexthop dev d1 weight 200",
		"10.2.8.0/24 via inet6 fe80::9 dev d0",
		"10.2.9.0/24 via 10.99.99.99 dev d0 onlink",
		"10.2.10.0/24 dev d1 vrf blue",
		"10.2.12.0/24 via 10.9.9.9 dev d0 encap mpls 100/200 ttl 3 ttl-propagate disabled",
		"10.2.13.0/24 dev d1 encap ip id 7 src 10.9.9.1 dst 192.0.2.1 tos 16 ttl 9 key csum",
		"10.2.14.0/24 dev d1 encap ip6 id 7 src 2001:db8::1 dst 2001:db8::2 ttl 9",
		"2001:db8:2::/64 nexthop via 2001:db8:9::9 dev d0 weight 2 nexthop via 2001:db8:9::8 dev d0",
		"2001:db8:3::/64 from 2001:db8:4::/64 dev d0 mtu 1300 hoplimit 7",
		"prohibit 2001:db8:5::/64",
		"2001:db8:6::/64 via 2001:db8:9::9 scope link src 2001:db8::1",
		"local 10.2.11.0/24 dev d0",
	}, []string{
		"from 10.0.0.0/8 table 100 priority 50", "to 10.0.0.0/8 table 100 fwmark 24/28 tos 16 priority 100", "from 10.4.0.0/16 blackhole",
		"inet6 table 100 sport 10-20 ipproto udp priority 40", "from 10.5.0.0/16 goto 100 priority 60",
		"table 100 suppress_prefixlength 0 suppress_ifgroup 3 preference 200", "not from 10.6.0.0/16 lookup 100 dport 80 priority 300 ipproto tcp",
		"from 10.7.0.0/16 realms 3/4 table 7 uidrange 5-6 priority 301 iif d0 oif d1 tunnel-id 5", "l3mdev priority 302",
		"from 2001:db8::/32 table 9 priority 303",
	})
	seen := k.monitor()
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.keeper.Wish(w)
	routes := []string{
		"unicast 10.2.10.0/24 dev d1 table 77 scope link",
		"unicast 10.2.0.0/24 tos 0x10 via 10.9.9.9 dev d0 table 100 scope global mtu lock 1400 rtt 100ms rttvar 100ms advmss 1000 rto_min 100ms",
		"unicast default via 10.9.9.99 dev d0 table main scope global",
		"unicast 10.2.1.0/24 via 10.0.0.9 dev d0 table main scope global",
		"unicast 10.2.2.0/24 table main scope global metric 5 nexthop via 10.9.9.9 dev d0 weight 1 nexthop via 10.9.9.8 dev d0 weight 1",
		"blackhole 10.2.3.0/24 table main scope global",
		"unreachable 10.2.4.0/24 table main scope global metric 7",
		"unicast 10.2.6.0/24 dev d0 table main scope link src 10.0.0.1 realms 3/4 features ecn quickack 1 congctl reno fastopen_no_cookie 1",
		"unicast 10.2.7.0/24 table main scope global nexthop via 10.9.9.9 dev d0 weight 3 nexthop dev d1 weight 200",
		"unicast 10.2.8.0/24 via inet6 fe80::9 dev d0 table main scope global",
		"unicast 10.2.9.0/24 via 10.99.99.99 dev d0 table main scope global onlink",
		"unicast 10.2.12.0/24 encap mpls 100/200 ttl 3 via 10.9.9.9 dev d0 table main scope global",
		"unicast 10.2.13.0/24 encap ip id 7 src 10.9.9.1 dst 192.0.2.1 ttl 9 tos 16 key csum dev d1 table main scope link",
		"unicast 10.2.14.0/24 encap ip6 id 7 src 2001:db8::1 dst 2001:db8::2 hoplimit 9 tc 0 dev d1 table main scope link",
		"local 10.2.11.0/24 dev d0 table local scope host",
		"unicast 2001:db8:2::/64 table main scope global metric 1024 pref medium nexthop via 2001:db8:9::9 dev d0 weight 2 " +
			"nexthop via 2001:db8:9::8 dev d0 weight 1",
		"unicast 2001:db8:3::/64 from 2001:db8:4::/64 dev d0 table main scope global metric 1024 mtu 1300 hoplimit 7 pref medium",
		"prohibit 2001:db8:5::/64 dev lo table main scope global metric 1024 pref medium",
		"unicast 2001:db8:6::/64 via 2001:db8:9::9 dev d0 table main scope global src 2001:db8::1 metric 1024 pref medium",
		"unicast default via 2001:db8:9::98 dev d0 table main scope global metric 9 pref high",
		"unicast default via 2001:db8:9::99 dev d0 table main scope global metric 1024 pref medium",
	}
	rules := []string{
		"49: from 10.4.0.0/16 blackhole proto keepalived",
		"50: from 10.0.0.0/8 lookup 100 proto keepalived",
		"60: from 10.5.0.0/16 goto 100 proto keepalived",
		"100: from all to 10.0.0.0/8 tos 0x10 fwmark 0x18/0x1c lookup 100 proto keepalived",
		"200: from all lookup 100 suppress_prefixlength 0 suppress_ifgroup 3 proto keepalived",
		"300: not from 10.6.0.0/16 ipproto tcp dport 80 lookup 100 proto keepalived",
		"301: from 10.7.0.0/16 iif d0 oif d1 uidrange 5-6 tun_id 5 lookup 7 realms 3/4 proto keepalived",
		"302: from all lookup [l3mdev-table] proto keepalived",
		"40: from all ipproto udp sport 10-20 lookup 100 proto keepalived",
		"303: from 2001:db8::/32 lookup 9 proto keepalived",
	}
	k.wait("rules", k.rules, rules...)
	k.wait("routes", k.routes, routes...)
	seen()

	// When all are read again, each is known.
	seen = k.monitor()
	k.Run("ip", "route", "del", "10.2.3.0/24", "proto", "keepalived")
	k.Run("ip", "rule", "del", "priority", "60")
	lab.WaitFor(t, patience, "put back", func() error { return k.counted(vipnl.PutBack, 2) })
	k.wait("rules", k.rules, rules...)
	const route, rule = "blackhole 10.2.3.0/24 table main proto keepalived scope global \n", "60:\tfrom 10.5.0.0/16 goto 100 proto keepalived\n"
	if got, want := seen(), "Deleted "+route+route+"Deleted "+rule+rule; got != want {
		t.Errorf("seen\n%s\nnot\n%s", got, want)
	}
	if failed := k.reported(vipnl.Failed); failed != nil {
		t.Error(failed)
	}
	k.stop()
	k.wait("end", k.routes)
	k.wait("end", k.rules)
	if got := k.Run("ip", "route", "show", "default"); got != "default via 10.9.9.200 dev d0 \n" {
		t.Errorf("the host's own default route: %q", got)
	}
}

// counted says how many reports of a kind there are.
func (k *kept) counted(what vipnl.What, want int) error {
	if got := k.reported(what); len(got) != want {
		return fmt.Errorf("%d reports, not %d: %v", len(got), want, got)
	}
	return nil
}

// An address that changes is changed in place where the kernel can, and never does another one go along.
func TestKernelKeeperChange(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{"10.0.0.1/24 dev d0", "10.0.0.2/24 dev d0", "10.0.0.3/24 dev d0", "2001:db8::1/64 dev d0"},
		[]string{"2001:db8:1::/64 via 2001:db8::9 mtu 1300", "10.1.0.0/24 via 10.0.0.9 mtu 1300"}, nil)
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.keeper.Wish(w)
	k.waitAddresses("before", "d0", "inet 10.0.0.1/24 scope global d0", "inet 10.0.0.2/24 scope global secondary d0",
		"inet 10.0.0.3/24 scope global secondary d0", "inet6 2001:db8::1/64 scope global nodad")
	seen := k.monitor()
	w = wish(t, []string{"10.0.0.2/24 dev d0 preferred_lft 0", "10.0.0.3/24 dev d0 label d0:x", "2001:db8::1/64 dev d0 home preferred_lft 0"},
		[]string{"2001:db8:1::/64 via 2001:db8::9 mtu 1400", "10.1.0.0/24 via 10.0.0.9 mtu 1400"}, nil)
	k.keeper.Wish(w)
	k.waitAddresses("after", "d0", "inet 10.0.0.2/24 scope global deprecated d0", "inet 10.0.0.3/24 scope global secondary d0:x",
		"inet6 2001:db8::1/64 scope global nodad home deprecated valid_lft forever preferred_lft 0sec")
	k.wait("routes", k.routes, "unicast 10.1.0.0/24 via 10.0.0.9 dev d0 table main scope global mtu 1400",
		"unicast 2001:db8:1::/64 via 2001:db8::9 dev d0 table main scope global metric 1024 mtu 1400 pref medium")
	for l := range strings.Lines(seen()) {
		if strings.Contains(l, "Deleted") && (strings.Contains(l, "inet6") || strings.Contains(l, "inet 10.0.0.2")) {
			t.Errorf("not in place: %s", l)
		}
	}
	if got := k.reported(vipnl.PutBack); got != nil {
		t.Error(got)
	}
}

// A reload, and a new start with what is wished already there, touch nothing.
func TestKernelKeeperUntouched(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{"10.0.0.1/24 brd + dev d0", "10.0.0.2 dev d0", "2001:db8::1/64 dev d0", "2001:db8::2 dev d0"},
		[]string{"10.1.0.0/24 via 10.0.0.9 mtu 1300", "2001:db8:1::/64 via 2001:db8::9 mtu 1300"}, []string{"from 10.0.0.1 table 7 priority 70"})
	for _, l := range []string{
		"address add 10.0.0.1/24 brd + dev d0", "address add 10.0.0.2 dev d0", "address add 2001:db8::1/64 dev d0",
		"address add 2001:db8::2 dev d0 preferred_lft 0", "route add 10.1.0.0/24 via 10.0.0.9 mtu 1300 proto keepalived",
		"route add 2001:db8:1::/64 via 2001:db8::9 mtu 1300 proto keepalived", "rule add from 10.0.0.1 table 7 priority 70 proto keepalived",
	} {
		k.Run(append([]string{"ip"}, strings.Fields(l)...)...)
	}
	seen := k.monitor()
	k.run(vipnl.Setup{})
	k.keeper.Wish(w)
	lab.WaitFor(t, patience, "announcement", func() error {
		if !strings.Contains(fmt.Sprint(k.notes()), "VI: 4 places, fresh 10.0.0.1%d0 10.0.0.2%d0 2001:db8::1%d0 2001:db8::2%d0") {
			return fmt.Errorf("told %q", k.notes())
		}
		return nil
	})
	said := len(k.notes())
	for range 3 { // reloads
		k.keeper.Change(vipnl.Setup{Universe: []vip.Wish{w}})
		k.keeper.Wish(w)
	}
	w.Denied = []addr{w.Addresses[0].Prefix.Addr()} // which shows that it has been taken in
	k.keeper.Wish(w)
	lab.WaitFor(t, patience, "reload", func() error {
		if n := len(k.notes()); n != said+1 {
			return fmt.Errorf("told %q", k.notes()[said:])
		}
		return nil
	})
	if got := seen(); got != "" {
		t.Errorf("seen\n%s", got)
	}
	w.Repeat++
	k.keeper.Wish(w)
	lab.WaitFor(t, patience, "repeat", func() error {
		if got := k.notes()[len(k.notes())-1]; got != "VI: 4 places, fresh , repeat 1" {
			return errors.New(got)
		}
		return nil
	})
	k.stop()
	k.waitAddresses("what was there is ours", "d0")
}

// What is left from before, and in no wish, goes. What is not ours stays.
func TestKernelKeeperLeftovers(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{"10.0.0.1/24 dev d0", "2001:db8::1 dev d0"}, []string{"blackhole 10.1.0.0/24"}, []string{"from 10.0.0.1 table 7"})
	for _, l := range []string{
		"address add 10.0.0.1/24 label d0:old dev d0", "address add 2001:db8::1/64 dev d0", "route add blackhole 10.1.0.0/24 proto keepalived",
		"rule add from 10.0.0.1 table 7 proto keepalived", "address add 10.0.0.2/24 dev d0", "address add 10.0.0.1/32 dev d0",
		"route add blackhole 10.1.0.0/24 proto static metric 5",
	} {
		k.Run(append([]string{"ip"}, strings.Fields(l)...)...)
	}
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.waitAddresses("leftovers", "d0", "inet 10.0.0.1/32 scope global d0", "inet 10.0.0.2/24 scope global d0")
	k.wait("routes", k.routes)
	k.wait("rules", k.rules)
	if got := k.Run("ip", "route", "show", "type", "blackhole"); !strings.Contains(got, "metric 5") {
		t.Errorf("routes %q", got)
	}
}

// Who removes what is wished makes it come back at once; who does it all the time, once a second.
func TestKernelKeeperFight(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{"10.0.0.1/24 dev d0", "10.0.0.2/24 dev d0", "2001:db8::1/64 dev d0", "10.0.0.3/24 no_track dev d0"}, nil, nil)
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.keeper.Wish(w)
	lines := []string{"inet 10.0.0.1/24 scope global d0", "inet 10.0.0.2/24 scope global secondary d0", "inet6 2001:db8::1/64 scope global nodad"}
	k.waitAddresses("before", "d0", append(lines, "inet 10.0.0.3/24 scope global secondary d0")...)
	k.Run("ip", "address", "del", "10.0.0.3/24", "dev", "d0")
	k.Run("ip", "address", "del", "2001:db8::1/64", "dev", "d0")
	k.waitAddresses("one", "d0", lines...)
	lab.WaitFor(t, patience, "report", func() error { return k.counted(vipnl.PutBack, 1) })
	k.Run("ip", "address", "del", "10.0.0.1/24", "dev", "d0") // and 10.0.0.2, its secondary
	k.waitAddresses("primary", "d0", lines...)
	lab.WaitFor(t, patience, "report", func() error { return k.counted(vipnl.PutBack, 3) })

	k.Start("sh", "-c", "while :; do ip address del 2001:db8::1/64 dev d0 2>/dev/null; done")
	lab.WaitFor(t, patience, "fight", func() error { return k.counted(vipnl.Fought, 1) })
	at := len(k.reported(vipnl.PutBack))
	began := time.Now()
	lab.WaitFor(t, patience, "slower", func() error {
		if n := len(k.reported(vipnl.PutBack)); n < at+3 {
			return fmt.Errorf("%d times", n-at)
		}
		return nil
	})
	t.Logf("3 times in %s", time.Since(began))
}

// Interfaces go down and up, go away and come back: what belongs there is there again. It is nobody's fault.
func TestKernelKeeperInterface(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{"10.0.0.1/24 dev d0", "2001:db8::1/64 dev d0", "10.0.1.1/24 dev late"},
		[]string{"10.1.0.0/24 via 10.0.0.9", "10.3.0.0/24 via 10.0.1.9", "2001:db8:1::/64 via 2001:db8::9"}, nil)
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.keeper.Wish(w)
	addresses := []string{"inet 10.0.0.1/24 scope global d0", "inet6 2001:db8::1/64 scope global nodad"}
	routes := []string{
		"unicast 10.1.0.0/24 via 10.0.0.9 dev d0 table main scope global",
		"unicast 2001:db8:1::/64 via 2001:db8::9 dev d0 table main scope global metric 1024 pref medium",
	}
	both := []string{routes[0], "unicast 10.3.0.0/24 via 10.0.1.9 dev late table main scope global", routes[1]}
	k.waitAddresses("before", "d0", addresses...)
	k.wait("before", k.routes, routes...)
	lab.WaitFor(t, patience, "failures", func() error { return k.counted(vipnl.Failed, 2) })

	k.Run("ip", "link", "add", "late", "type", "dummy")
	k.LinkUp("late")
	k.waitAddresses("a late interface", "late", "inet 10.0.1.1/24 scope global late")
	k.wait("a late interface", k.routes, both...)

	k.LinkDown("d0")
	k.waitAddresses("down", "d0", addresses...)
	k.LinkUp("d0")
	k.wait("up", k.routes, both...)

	k.Run("ip", "link", "del", "late")
	k.wait("gone", k.routes, routes...)
	k.Run("ip", "link", "add", "late", "type", "dummy")
	k.LinkUp("late")
	k.waitAddresses("back", "late", "inet 10.0.1.1/24 scope global late")
	k.wait("back", k.routes, both...)
	k.Run("ip", "link", "set", "late", "down")
	k.Run("ip", "link", "set", "late", "name", "early")
	k.Run("ip", "link", "add", "late", "type", "dummy")
	k.LinkUp("late")
	k.waitAddresses("another of the name", "late", "inet 10.0.1.1/24 scope global late")
	if got := k.reported(vipnl.PutBack); got != nil {
		t.Error(got)
	}
	k.stop()
	k.waitAddresses("end", "late")
	k.waitAddresses("end", "d0")
}

// An address moves between lo and an interface, and is always on one of them.
func TestKernelKeeperLoopback(t *testing.T) {
	k := newKept(t)
	active := wish(t, []string{"10.0.0.1/24 dev d0", "2001:db8::1/64 dev d0"}, nil, nil)
	idle := wish(t, []string{"10.0.0.1 dev lo", "2001:db8::1 dev lo"}, nil, nil)
	idle.Announce = nil
	k.Sysctl("net.ipv4.conf.d0.arp_announce", "1")
	k.run(vipnl.Setup{Universe: []vip.Wish{active, idle}, PromoteSecondaries: []string{"d1"}})
	k.keeper.Wish(idle)
	onLo := []string{"inet 10.0.0.1/32 scope global lo", "inet6 2001:db8::1/128 scope global nodad deprecated valid_lft forever preferred_lft 0sec"}
	onD0 := []string{"inet 10.0.0.1/24 scope global d0", "inet6 2001:db8::1/64 scope global nodad"}
	k.waitAddresses("idle", "lo", onLo...)
	arp := func(dev string) []string {
		return strings.Fields(k.Run("sysctl", "-n", "net.ipv4.conf."+dev+".arp_ignore", "net.ipv4.conf."+dev+".arp_announce"))
	}
	if got := fmt.Sprint(arp("d0"), arp("d1")); got != "[1 2] [0 0]" {
		t.Errorf("arp_ignore and arp_announce are %s", got)
	}
	if got := k.Run("sysctl", "-n", "net.ipv4.conf.d1.promote_secondaries"); got != "1\n" {
		t.Errorf("promote_secondaries is %s", got)
	}
	seen := k.monitor()
	for range 3 {
		k.keeper.Wish(active)
		k.waitAddresses("active", "d0", onD0...)
		k.waitAddresses("active", "lo")
		k.keeper.Wish(idle)
		k.waitAddresses("idle", "lo", onLo...)
		k.waitAddresses("idle", "d0")
	}
	for _, a := range []string{" 10.0.0.1/", " 2001:db8::1/"} {
		here := 1
		for l := range strings.Lines(seen()) {
			if !strings.Contains(l, a) || !strings.Contains(l, "inet") {
				continue
			}
			if strings.HasPrefix(l, "Deleted") {
				here--
			} else {
				here++
			}
			if here < 1 {
				t.Errorf("%s was nowhere", a)
			}
		}
	}
	if got := k.notes(); strings.Count(strings.Join(got, "\n"), "fresh 10.0.0.1%d0 2001:db8::1%d0") != 3 || strings.Contains(fmt.Sprint(got), "%lo") {
		t.Errorf("told %q", got)
	}
	k.stop()
	k.waitAddresses("end", "lo")
	if got := fmt.Sprint(arp("d0")); got != "[0 1]" {
		t.Errorf("in the end arp_ignore and arp_announce are %s", got)
	}
	if got := k.Run("sysctl", "-n", "net.ipv4.conf.d1.promote_secondaries"); got != "0\n" {
		t.Errorf("in the end promote_secondaries is %s", got)
	}
}

// An address that duplicate address detection finds with another host is tried again until the other is gone.
func TestKernelKeeperConflict(t *testing.T) {
	b := lab.NewBridge(t, "net", 1500)
	other := lab.NewHost(t, "other")
	other.Connect(b, "eth0", "2001:db8::1/64")
	k := newKept(t)
	k.Connect(b, "eth0")
	w := wish(t, []string{"2001:db8::1/64 dev eth0 -nodad", "2001:db8::2/64 dev eth0 -nodad"}, nil, nil)
	k.run(vipnl.Setup{})
	k.keeper.Wish(w)
	k.waitAddresses("conflict", "eth0", "inet6 2001:db8::1/64 scope global dadfailed tentative", "inet6 2001:db8::2/64 scope global")
	lab.WaitFor(t, patience, "report", func() error { return k.counted(vipnl.Conflict, 1) })
	other.Run("ip", "address", "del", "2001:db8::1/64", "dev", "eth0")
	k.waitAddresses("peace", "eth0", "inet6 2001:db8::1/64 scope global", "inet6 2001:db8::2/64 scope global")
	lab.WaitFor(t, patience, "report", func() error { return errors.Join(k.counted(vipnl.Settled, 1), k.counted(vipnl.Conflict, 1)) })
	lab.WaitFor(t, patience, "announcement", func() error {
		if got := k.notes(); got[len(got)-1] != "VI: 2 places, fresh 2001:db8::1%eth0, repeat 0" {
			return fmt.Errorf("told %q", got)
		}
		return nil
	})
}
