package realserver

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var addr = netip.MustParseAddr

func fresh() *Host {
	return &Host{
		Sysctls: map[string]int{
			"net/ipv4/conf/all/arp_ignore": 0, "net/ipv4/conf/all/arp_announce": 0,
			"net/ipv4/conf/eth0/arp_ignore": 0, "net/ipv4/conf/eth0/arp_announce": 0,
			"net/ipv4/conf/tunl0/arp_ignore": 0, "net/ipv4/conf/tunl0/rp_filter": 1,
		},
		Links:     []Link{{"lo", true, false}, {"eth0", true, true}, {"tunl0", false, false}, {"ip6tnl0", false, false}},
		Addresses: []Address{{"eth0", netip.MustParsePrefix("192.0.2.11/24")}},
	}
}

// do takes steps on a Host as the kernel would.
func do(h *Host, steps []Step) {
	for _, s := range steps {
		switch {
		case s.Sysctl != "":
			h.Sysctls[s.Sysctl] = s.Value
		case s.Prefix.IsValid():
			h.Addresses = append(h.Addresses, Address{s.Link, s.Prefix})
		default:
			i := slices.IndexFunc(h.Links, func(l Link) bool { return l.Name == s.Link })
			if i < 0 {
				i = len(h.Links)
				h.Links = append(h.Links, Link{Name: s.Link})
			}
			h.Links[i].Up = true
		}
	}
}

func undo(h *Host, u Undoing) {
	h.Addresses = slices.DeleteFunc(h.Addresses, func(a Address) bool { return slices.Contains(u.Addresses, a) })
	for i := range h.Links {
		if slices.Contains(u.Down, h.Links[i].Name) {
			h.Links[i].Up = false
		}
	}
	maps.Copy(h.Sysctls, u.Sysctls)
}

func vips(t *testing.T, m Method, addrs ...string) []VIP {
	t.Helper()
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, addr(a))
	}
	v, err := New(list, m, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func lines(steps []Step) (list []string) {
	for _, s := range steps {
		list = append(list, s.String())
	}
	return list
}

const silence = "sysctl -w net.ipv4.conf.all.arp_ignore=1; sysctl -w net.ipv4.conf.all.arp_announce=2; " +
	"sysctl -w net.ipv4.conf.eth0.arp_ignore=1; sysctl -w net.ipv4.conf.eth0.arp_announce=2"

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		name  string
		vips  []VIP
		spoil func(*Host)
		want  string
	}{
		{"DR", vips(t, DR, "192.0.2.80"), func(*Host) {}, silence + "; ip address add 192.0.2.80/32 dev lo"},
		{"DR, IPv6", vips(t, DR, "2001:db8::80"), func(*Host) {}, "ip address add 2001:db8::80/128 dev lo nodad preferred_lft 0"},
		{"TUN", vips(t, TUN, "192.0.2.80", "192.0.2.81"), func(*Host) {}, silence + "; ip link set dev tunl0 up; " +
			"sysctl -w net.ipv4.conf.tunl0.rp_filter=2; ip address add 192.0.2.80/32 dev tunl0; ip address add 192.0.2.81/32 dev tunl0"},
		{"TUN, IPv6", vips(t, TUN, "2001:db8::80"), func(*Host) {}, "ip link set dev ip6tnl0 up; ip address add 2001:db8::80/128 dev ip6tnl0 nodad preferred_lft 0"},
		{"more silence than needed", vips(t, DR, "192.0.2.80"), func(h *Host) {
			h.Sysctls["net/ipv4/conf/all/arp_ignore"], h.Sysctls["net/ipv4/conf/eth0/arp_ignore"] = 8, 2
		}, "sysctl -w net.ipv4.conf.all.arp_announce=2; sysctl -w net.ipv4.conf.eth0.arp_announce=2; ip address add 192.0.2.80/32 dev lo"},
		{"on Ethernet", vips(t, DR, "192.0.2.80"), func(h *Host) {
			h.Addresses = append(h.Addresses, Address{"eth0", netip.MustParsePrefix("192.0.2.80/24")})
		}, "ip address delete 192.0.2.80/24 dev eth0; " + silence + "; ip address add 192.0.2.80/32 dev lo"},
	} {
		h := fresh()
		c.spoil(h)
		steps := Steps(c.vips, h)
		if got := strings.Join(lines(steps), "; "); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		if c.name == "on Ethernet" {
			continue
		}
		do(h, steps)
		if again := Steps(c.vips, h); len(again) > 0 {
			t.Errorf("%s: prepared, it still lacks %q", c.name, lines(again))
		}
	}
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		addrs []netip.Addr
		m     Method
		link  string
	}{{nil, DR, ""}, {[]netip.Addr{addr("127.0.0.1")}, DR, ""}, {[]netip.Addr{addr("0.0.0.0")}, DR, ""}, {[]netip.Addr{addr("ff02::1")}, DR, ""},
		{[]netip.Addr{addr("192.0.2.80")}, TUN, "lo"}} {
		if v, err := New(c.addrs, c.m, c.link); err == nil {
			t.Errorf("%v is taken as %v", c, v)
		}
	}
	if v, err := New([]netip.Addr{addr("::ffff:192.0.2.80"), addr("192.0.2.80")}, DR, "dummy0"); err != nil || !slices.Equal(v, []VIP{{addr("192.0.2.80"), DR, "dummy0"}}) {
		t.Errorf("%v, %v", v, err)
	}
	if m, err := ParseMethod("tun"); m != TUN || err != nil {
		t.Error(m, err)
	}
	if _, err := ParseMethod("NAT"); err == nil {
		t.Error("NAT is taken")
	}
}

// What is prepared in several steps and undone in several others is as it was, and a second prepare changes nothing of that.
func TestUndo(t *testing.T) {
	h, r := fresh(), &Record{}
	h.Addresses = append(h.Addresses, Address{"lo", netip.MustParsePrefix("192.0.2.99/32")}) // was there before
	before := *fresh()
	prepare := func(v []VIP) {
		steps := Steps(v, h)
		r.Note(v, steps, h)
		do(h, steps)
	}
	prepare(vips(t, DR, "192.0.2.80", "192.0.2.99"))
	prepare(vips(t, TUN, "192.0.2.81"))
	h.Sysctls["net/ipv4/conf/tunl0/rp_filter"] = 0 // somebody else, to be undone as if he had not
	prepare(vips(t, TUN, "192.0.2.81"))
	prepare(vips(t, DR, "2001:db8::80"))
	u := r.Undo([]netip.Addr{addr("192.0.2.81")}, h)
	undo(h, u)
	if got := strings.Join(u.Lines(), "; "); got != "ip address delete 192.0.2.81/32 dev tunl0; ip link set dev tunl0 down" {
		t.Errorf("of one address: %s", got)
	}
	if lacks := Steps(vips(t, DR, "192.0.2.80", "192.0.2.99", "2001:db8::80"), h); len(lacks) > 0 {
		t.Errorf("the others lack %q", lines(lacks))
	}
	h.Sysctls["net/ipv4/conf/eth0/arp_ignore"] = 8 // somebody else
	u = r.Undo(nil, h)
	undo(h, u)
	if !slices.Equal(u.Left, []string{"net/ipv4/conf/eth0/arp_ignore"}) || !strings.Contains(strings.Join(u.Lines(), "\n"), "stays") {
		t.Errorf("%+v", u)
	}
	before.Sysctls["net/ipv4/conf/eth0/arp_ignore"] = 8
	before.Addresses = append(before.Addresses, Address{"lo", netip.MustParsePrefix("192.0.2.99/32")})
	if !maps.Equal(h.Sysctls, before.Sysctls) || !slices.Equal(h.Links, before.Links) || !slices.Equal(h.Addresses, before.Addresses) {
		t.Errorf("after: %+v\nbefore: %+v", h, before)
	}
	if len(r.VIPs)+len(r.Was)+len(r.Set)+len(r.Added)+len(r.Up)+len(r.Made) > 0 {
		t.Errorf("the record keeps %+v", r)
	}
	if got := r.Undo(nil, h).Lines(); len(got) != 1 || got[0] != "There is nothing to undo." {
		t.Errorf("%q", got)
	}
}

func TestSnippet(t *testing.T) {
	got := Snippet(append(vips(t, TUN, "192.0.2.80"), vips(t, DR, "2001:db8::80")...))
	want := `# /etc/sysctl.d/60-realserver.conf
net.ipv4.conf.all.arp_ignore = 1
net.ipv4.conf.all.arp_announce = 2
net.ipv4.conf.tunl0.rp_filter = 2

# /etc/modules-load.d/realserver-ipip.conf
ipip

# /etc/systemd/network/60-realserver-tunl0.network
[Match]
Name=tunl0
[Address]
Address=192.0.2.80/32

# /etc/systemd/network/60-realserver-lo.network
[Match]
Name=lo
[Address]
Address=2001:db8::80/128
DuplicateAddressDetection=none
PreferredLifetime=0
`
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestFits(t *testing.T) {
	for link, want := range map[string]string{"": "", "tunl0": "", "eth0": "would answer", "dummy7": "no interface"} {
		v, err := New([]netip.Addr{addr("192.0.2.80")}, DR, link)
		if err != nil {
			t.Fatal(err)
		}
		if err := Fits(v, fresh()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", link, err)
		}
	}
	if err := Fits(vips(t, TUN, "192.0.2.80", "2001:db8::80"), &Host{}); err != nil {
		t.Errorf("tunnels can be made: %v", err)
	}
}

// A tunnel that somebody else uses by now goes on.
func TestUndoOfSharedLink(t *testing.T) {
	h, r := fresh(), &Record{}
	v := vips(t, TUN, "192.0.2.80")
	steps := Steps(v, h)
	r.Note(v, steps, h)
	do(h, steps)
	h.Addresses = append(h.Addresses, Address{"tunl0", netip.MustParsePrefix("10.9.9.1/24")})
	if u := r.Undo(nil, h); len(u.Down) > 0 || !slices.Equal(u.LeftUp, []string{"tunl0"}) || !strings.Contains(strings.Join(u.Lines(), "\n"), "stays up") {
		t.Errorf("%+v", u)
	}
}
