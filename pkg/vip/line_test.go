package vip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// lines are as people write them, and as they are written in full; the same if the second is empty.
var addressLines = [][2]string{
	{"192.168.200.17", ""},
	{"192.168.200.17/32", "192.168.200.17"},
	{"192.168.200.17/24 dev eth1", ""},
	{"192.168.200.18/24  label eth2:1\tdev eth2 ", "192.168.200.18/24 dev eth2 label eth2:1"},
	{"dev eth0 10.0.0.1/24 broadcast +", "10.0.0.1/24 dev eth0 brd 10.0.0.255"},
	{"10.0.0.1/22 brd - scope site", "10.0.0.1/22 scope site brd 10.0.0.0"},
	{"10.0.0.1/24 brd 10.0.0.7", ""},
	{"10.0.0.1 scope 253", "10.0.0.1 scope link"},
	{"10.0.0.1 scope global", "10.0.0.1"},
	{"10.0.0.1 scope 7", ""},
	{"10.0.0.1 peer 10.0.0.2", ""},
	{"10.0.0.1/32 peer 10.0.0.2/24 brd +", "10.0.0.1 brd 10.0.0.255 peer 10.0.0.2/24"},
	{"10.0.0.1 preferred_lft 100 no_track use_vmac noprefixroute track_group G", "10.0.0.1 noprefixroute no_track preferred_lft 100 use_vmac track_group G"},
	{"10.0.0.1 preferred_lft forever", "10.0.0.1"},
	{"10.0.0.1 preferred_lft 0", ""},
	{"239.0.0.1 autojoin", ""},
	{"2001:db8::1", ""},
	{"2001:DB8:0::1/128 preferred_lft 0", "2001:db8::1"},
	{"2001:db8::1 preferred_lft forever", ""},
	{"2001:db8::1/64 preferred_lft forever", "2001:db8::1/64"},
	{"2001:db8::1/64 home -nodad mngtmpaddr", ""},
	{"fe80::1/64 scope link", "fe80::1/64"},
	{"2001:db8::1 peer 2001:db8::2/64", ""},
}

var routeLines = [][2]string{
	{"192.168.111.0/24 dev eth2 no_track", ""},
	{"src 192.168.100.1 to 192.168.109.0/24 via 192.168.200.254 dev eth1", "192.168.109.0/24 src 192.168.100.1 via 192.168.200.254 dev eth1"},
	{"192.168.113.0/24 via 192.168.200.254 or 192.168.100.254 dev eth1",
		"192.168.113.0/24 nexthop via 192.168.200.254 dev eth1 nexthop via 192.168.100.254 dev eth1"},
	{"blackhole 192.168.114.0/24", ""},
	{"to unicast 192.168.114.1/32 oif eth0", "192.168.114.1 dev eth0"},
	{"0.0.0.0/0 gw 192.168.0.1 table 100", "default via 192.168.0.1 table 100"},
	{"default6 via 2001:db8::99", "inet6 default via 2001:db8::99"},
	{"inet6 default via 2001:db8::98 metric 9 expires 50 pref high", ""},
	{"default via 2001:db8::98", "inet6 default via 2001:db8::98"},
	{"default via inet6 fe80::1 dev eth0", ""},
	{"default dev eth0", ""},
	{"10.0.0.0/8 via inet6 fe80::1 dev eth0 onlink", ""},
	{"10.0.0.0/8 via inet 10.9.9.9", "10.0.0.0/8 via 10.9.9.9"},
	{"192.168.100.0/24 table 6909 nexthop via 192.168.101.1 dev wlan0 onlink weight 1 nexthop via 192.168.101.2 dev wlan0 onlink weight 2",
		"192.168.100.0/24 table 6909 nexthop via 192.168.101.1 dev wlan0 weight 1 onlink nexthop via 192.168.101.2 dev wlan0 weight 2 onlink"},
	{"192.168.200.0/24 dev p33p1.2 table 6909 tos 0x04 protocol bird scope link priority 12 mtu 1000 hoplimit 100 advmss 101 rtt 102 " +
		"rttvar 103 reordering 104 window 105 cwnd 106 ssthresh lock 107 realms 7/0x14 rto_min 108 initcwnd 109 initrwnd 110 features ecn add",
		"192.168.200.0/24 dev p33p1.2 tos 4 table 6909 protocol bird scope link metric 12 advmss 101 cwnd 106 features ecn hoplimit 100 " +
			"initcwnd 109 initrwnd 110 mtu 1000 reordering 104 rto_min 108 rtt 102 rttvar 103 ssthresh lock 107 window 105 realms 7/20 add"},
	{"2001:470:69e9:1:2::4 dev p33p1.2 vrf blue scope link append fastopen_no_cookie 1 quickack 0 congctl lock cubic",
		"2001:470:69e9:1:2::4 dev p33p1.2 scope link congctl lock cubic fastopen_no_cookie 1 quickack 0 vrf blue append"},
	{"2001:db8::/64 from 2001:db8:1::/64 dev eth0 prepend", "2001:db8::/64 from 2001:db8:1::/64 dev eth0"},
	{"2001:db8::/64 from default dev eth0", ""},
	{"10.2.7.0/24 encap mpls 100/200 ttl 3 via inet 10.1.4.9 dev d0 ttl-propagate enabled track_group G protocol 77 realms 4",
		"10.2.7.0/24 via 10.1.4.9 dev d0 protocol 77 ttl-propagate enabled encap mpls 100/200 ttl 3 realms 4 track_group G"},
	{"10.2.7.0/24 encap ip dst 192.0.2.1 id 7 src 192.0.2.2 dsfield 0x10 hoplimit 9 csum seq key dev t0",
		"10.2.7.0/24 dev t0 encap ip id 7 src 192.0.2.2 dst 192.0.2.1 tos 16 ttl 9 key csum seq"},
	{"10.2.7.0/24 dev t0 encap ip6 id 7 dst 2001:db8::1 tc 3", "10.2.7.0/24 dev t0 encap ip6 id 7 dst 2001:db8::1 tos 3"},
	{"2001:db8::/64 dev t0 encap ila 2001:db8:0:1 csum-mode neutral-map", ""},
	{"10.2.7.0/24 nexthop dev t0 encap mpls 5 realms 3 nexthop via inet6 fe80::1 dev t1 no_track",
		"10.2.7.0/24 no_track nexthop dev t0 encap mpls 5 realms 3 nexthop via inet6 fe80::1 dev t1"},
}

var ruleLines = [][2]string{
	{"from 192.168.2.0/24 table 1 track_group GROUP1", ""},
	{"to 192.168.2.0/24 lookup main no_track", "to 192.168.2.0/24 table main no_track"},
	{"from 192.168.28.0/24 to 192.168.29.0/26 iif p33p1 oif wlan0 tos 22 fwmark 24/12 preference 39 realms 30/20 goto 40",
		"from 192.168.28.0/24 to 192.168.29.0/26 priority 39 tos 22 fwmark 0x18/0xc iif p33p1 oif wlan0 goto 40 realms 30/20"},
	{"to 1:2:3:4:5:6:7:0/112 from 7:6:5:4:3:2::/96 table 6908 uidrange 10000-19999",
		"from 7:6:5:4:3:2::/96 to 1:2:3:4:5:6:7:0/112 uidrange 10000-19999 table 6908"},
	{"to 1:2:3:4:6:6:7:0/112 from 8:6:5:4:3:2::/96 l3mdev protocol 12 ip_proto udp sport 10-20 dport 20-30",
		"from 8:6:5:4:3:2::/96 to 1:2:3:4:6:6:7:0/112 ipproto udp sport 10-20 dport 20-30 l3mdev protocol bird"},
	{"from all table 8 order 302", "priority 302 table 8"},
	{"inet6 from all table 8 order 302", "inet6 priority 302 table 8"},
	{"from ::/0 table 8", "inet6 table 8"},
	{"not from 10.6.0.0/16 lookup 100 dport 80 ipproto 6 priority 300", "not from 10.6.0.0/16 priority 300 ipproto tcp dport 80-80 table 100"},
	{"fwmark 1 dev lo blackhole", "fwmark 0x1 iif lo blackhole"},
	{"table 100 sup_pl 0 sup_group 3 preference 200 tunnel-id 5", "priority 200 tunnel-id 5 table 100 suppress_prefixlength 0 suppress_ifgroup 3"},
	{"from 10.4.0.1 prohibit", ""},
}

func TestParseAddress(t *testing.T) { testLines(t, addressLines, vip.ParseAddress) }
func TestParseRoute(t *testing.T)   { testLines(t, routeLines, vip.ParseRoute) }
func TestParseRule(t *testing.T)    { testLines(t, ruleLines, vip.ParseRule) }

func testLines[T fmt.Stringer](t *testing.T, lines [][2]string, parse func(string) (T, error)) {
	for _, l := range lines {
		want := l[1]
		if want == "" {
			want = l[0]
		}
		x, err := parse(l[0])
		if err != nil || x.String() != want {
			t.Errorf("%q\ngot  %q, %v\nwant %q", l[0], x, err, want)
		}
	}
}

func TestLineErrors(t *testing.T) {
	address := func(s string) error { _, err := vip.ParseAddress(s); return err }
	route := func(s string) error { _, err := vip.ParseRoute(s); return err }
	rule := func(s string) error { _, err := vip.ParseRule(s); return err }
	for _, c := range []struct {
		parse func(string) error
		line  string // the word that is wrong stands between [ ]
		want  string
	}{
		{address, "[]", "no address"},
		{address, "dev eth0[]", "no address"},
		{address, "[300.1.1.1]", "the line needs an address like"},
		{address, "[10.0.0.1/33]", "the line needs an address like"},
		{address, "[fe80::1%eth0]", "the line needs an address like"},
		{address, "[::ffff:10.0.0.1]", "the line needs an address like"},
		{address, "10.0.0.1 [via] 10.0.0.2", "no option of an address"},
		{address, "10.0.0.1 [10.0.0.2]", "no option of an address"},
		{address, "10.0.0.1 dev eth0 [dev] eth1", "there is a dev already"},
		{address, "10.0.0.1/24 brd + [broadcast] -", "there is a brd already"},
		{address, "10.0.0.1 dev[]", "dev needs the name of an interface"},
		{address, "10.0.0.1 dev [eth0/1]", "no name of an interface"},
		{address, "10.0.0.1 dev [abcdefghijklmnop]", "no name of an interface"},
		{address, "10.0.0.1 label [abcdefghijklmnop]", "up to 15"},
		{address, "10.0.0.1 scope [office]", "write its number, which /etc/iproute2/rt_scopes has (known are global, host, link,"},
		{address, "10.0.0.1 scope [256]", "scope needs a number from 0 to 255"},
		{address, "10.0.0.1/24 peer 10.0.0.2[]", "write 10.0.0.1 peer 10.0.0.2/24"},
		{address, "10.0.0.1 brd +[]", "a network of length /32 has no broadcast address"},
		{address, "10.0.0.1 brd [x]", "brd needs an address"},
		{address, "10.0.0.1/24 brd 2001:db8::1[]", "brd needs an IPv4 address"},
		{address, "2001:db8::1/64 brd +[]", "brd is for IPv4"},
		{address, "2001:db8::1/64 scope link[]", "this one's is global"},
		{address, "10.0.0.1/24 home[]", "home is for IPv6"},
		{address, "10.0.0.1 peer 2001:db8::1[]", "different families"},
		{address, "239.0.0.1[]", "no address that an interface can have"},
		{address, "10.0.0.1 preferred_lft [4294967296]", "preferred_lft needs a number from 0 to 4294967295"},
		{route, "via 10.0.0.1[]", "no destination"},
		{route, "[10.0.0.1/8] via 10.0.0.1", "the network is 10.0.0.0/8"},
		{route, "10.0.0.0/8 via [2001:db8::1]", "can't be for both"},
		{route, "2001:db8::/64 via inet 10.0.0.1[]", "can't have an IPv4 gateway"},
		{route, "10.0.0.0/8 via inet6 [10.0.0.1]", "no IPv6 address"},
		{route, "10.0.0.0/8 [gateway] 10.0.0.1", "no option of a route"},
		{route, "10.0.0.0/8 or 10.0.0.2[]", "or needs a via"},
		{route, "10.0.0.0/8 expires 5 dev eth0[]", "expires is for IPv6"},
		{route, "10.0.0.0/8 from 10.1.0.0/16 dev eth0[]", "from is for IPv6"},
		{route, "10.0.0.0/8 table [small]", "no table that is known by that name: write its number, which /etc/iproute2/rt_tables has"},
		{route, "10.0.0.0/8 table [0]", "there is no table 0"},
		{route, "10.0.0.0/8 protocol [myproto]", "write its number"},
		{route, "10.0.0.0/8 realms [PQA/0x14]", "realms needs FROM/TO"},
		{route, "10.0.0.0/8 table 3 vrf blue[]", "exclude each other"},
		{route, "10.0.0.0/8 mtu [big]", "mtu needs a number"},
		{route, "10.0.0.0/8 hoplimit [256]", "hoplimit needs a number from 0 to 255"},
		{route, "10.0.0.0/8 mtu 1000 [mtu] 1000", "there is a mtu already"},
		{route, "10.0.0.0/8 nexthop weight [1]", "nexthop needs via or dev"},
		{route, "10.0.0.0/8 via 10.9.9.9 nexthop via 10.9.9.8[]", "belong behind each nexthop"},
		{route, "10.0.0.0/8 nexthop via 10.9.9.9 weight [257]", "weight needs a number from 1 to 256"},
		{route, "10.0.0.0/8 encap [gue]", "encap needs mpls, ip, ip6 or ila"},
		{route, "10.0.0.0/8 encap mpls [100/x]", "labels like 100/200"},
		{route, "10.0.0.0/8 encap ip dst [2001:db8::1]", "wrong family"},
		{route, "2001:db8::/64 encap ila [1:2:3]", "a locator"},
		{rule, "[]", "a rule needs table"},
		{rule, "from 10.0.0.0/8[]", "a rule needs table"},
		{rule, "table 1 [blackhole]", "already"},
		{rule, "from 10.0.0.0/8 to [2001:db8::/64] table 1", "can't be for both"},
		{rule, "fwmark [1/0] table 1", "fwmark needs"},
		{rule, "sport [20-10] table 1", "sport needs FIRST-LAST"},
		{rule, "dport [0] table 1", "no port 0"},
		{rule, "goto 40[]", "goto needs a priority lower than 40"},
		{rule, "priority 41 goto 40[]", "goto needs a priority lower than 40"},
		{rule, "ipproto [foo] table 1", "write its number"},
		{rule, "[nonsense] table 1", "no option of a rule"},
	} {
		before, rest, _ := strings.Cut(c.line, "[")
		word, after, _ := strings.Cut(rest, "]")
		var e *vip.LineError
		if err := c.parse(before + word + after); !errors.As(err, &e) {
			t.Errorf("%s: %v", c.line, err)
		} else if e.Offset != len(before) || e.Word != word || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: offset %d, want %d: %v", c.line, e.Offset, len(before), e)
		}
	}
}

func FuzzParseAddress(f *testing.F) { fuzzLines(f, addressLines, vip.ParseAddress) }
func FuzzParseRoute(f *testing.F)   { fuzzLines(f, routeLines, vip.ParseRoute) }
func FuzzParseRule(f *testing.F)    { fuzzLines(f, ruleLines, vip.ParseRule) }

// What is read is written so that it is read as the same.
func fuzzLines[T interface {
	comparable
	fmt.Stringer
}](f *testing.F, lines [][2]string, parse func(string) (T, error)) {
	f.Helper()
	for _, l := range lines {
		f.Add(l[0])
	}
	f.Fuzz(func(t *testing.T, line string) {
		x, err := parse(line)
		if e, ok := errors.AsType[*vip.LineError](err); ok {
			if e.Offset > len(line) || !strings.HasPrefix(line[e.Offset:], e.Word) {
				t.Errorf("%q: %q at %d", line, e.Word, e.Offset)
			}
			return
		}
		again, err := parse(x.String())
		if err != nil || again != x {
			t.Errorf("%q\nis   %#v\n%q\nis   %#v, %v", line, x, x.String(), again, err)
		}
	})
}

// The routes' parts are what they were.
func TestRouteParts(t *testing.T) {
	r, err := vip.ParseRoute("10.0.0.0/8 mtu lock 1400 congctl cubic nexthop via inet6 fe80::1 dev e0 encap mpls 7 nexthop dev e1 weight 256")
	if err != nil {
		t.Fatal(err)
	}
	hops := r.Gateways()
	if got := fmt.Sprintf("%v %v", r.MetricList(), hops); got != "[congctl cubic mtu lock 1400] [{fe80::1 e0 0 false mpls 7 } {invalid IP e1 256 false  }]" {
		t.Error(got)
	}
	e, err := vip.ParseEncap(hops[0].Encap)
	if err != nil || e.Kind != "mpls" || len(e.Labels) != 1 || e.Labels[0] != 7 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := vip.ParseEncap("mpls 7 dev e0"); err == nil {
		t.Error("what is behind an encap must be its own")
	}
}
