//go:build kernel

package vipnl_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// announcements is tcpdump's filter of gratuitous ARPs and neighbour advertisements.
const announcements = "arp or (icmp6 and ip6[40] = 136)"

// place finds an address on a host.
func place(t *testing.T, h *lab.Host, addr, dev string) vip.Place {
	t.Helper()
	index, err := strconv.Atoi(strings.SplitN(h.Run("ip", "-o", "link", "show", "dev", dev), ":", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return vip.Place{Addr: netip.MustParseAddr(addr), Dev: dev, Index: index}
}

// announcer runs on a host, until the end of the test.
func announcer(t *testing.T, h *lab.Host, report func(vip.Conflict)) (announce func(owner string, a vip.Announcement), pace func(map[string]vip.Pacing)) {
	t.Helper()
	var log strings.Builder
	a := vipnl.NewAnnouncer(slog.New(slog.NewTextHandler(&log, nil)), report)
	t.Cleanup(func() {
		if err := a.Close(); err != nil || log.Len() > 0 {
			t.Errorf("%v, log:\n%s", err, log.String())
		}
	})
	return func(owner string, now vip.Announcement) {
			on(t, h, func() error {
				a.Announce(owner, now)
				return nil
			})
		}, func(p map[string]vip.Pacing) {
			a.Pace(p)
		}
}

func unheard(vip.Conflict) {}

// burst announces places with one burst.
func burst(repeat int, places ...vip.Place) vip.Announcement {
	return vip.Announcement{How: &vip.Announce{Repeat: repeat}, Places: places, Fresh: places}
}

// hex is a capture of whole frames on eth0, by a tcpdump that writes to a file, as tcpdump shows them.
type hex struct {
	t    *testing.T
	file string
	*lab.Process
	host *lab.Host
}

func watch(t *testing.T, h *lab.Host) *hex {
	t.Helper()
	x := &hex{t: t, file: t.TempDir() + "/" + h.Name + ".pcap", host: h}
	x.Process = h.Start("tcpdump", "-Z", "root", "-n", "-U", "--immediate-mode", "-i", "eth0", "-w", x.file, announcements)
	x.WaitLog(patience, "listening on")
	return x
}

// frames returns what it has seen, without the times.
func (x *hex) frames() []string {
	x.t.Helper()
	out, err := exec.Command("tcpdump", "-n", "-e", "-xx", "-t", "-r", x.file).Output()
	if err != nil {
		return nil // it has just begun the file
	}
	// Each begins in the first column.
	return regexp.MustCompile(`(?m)^(\S.*\n(?:\t.*\n)*)`).FindAllString(string(out), -1)
}

// count waits until it has seen so many frames, and returns them.
func (x *hex) count(n int) []string {
	x.t.Helper()
	var list []string
	lab.WaitFor(x.t, patience, fmt.Sprintf("%d frames", n), func() error {
		if list = x.frames(); len(list) < n {
			return fmt.Errorf("there are %d", len(list))
		}
		return nil
	})
	return list
}

// The frames of a burst are keepalived's, byte for byte and in its order: IPv4 and IPv6, on an interface, a VMAC and a base that sends the
// adverts, on a router and on a host that forwards nothing.
func TestKernelFramesAsKeepalived(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		forward    string
		links      []vip.Link
		places     []string // "address interface"
	}{
		{"ipv4", "virtual_ipaddress {\n192.0.2.9/24\n192.0.2.10/24\n}\nvirtual_ipaddress_excluded {\n192.0.2.11/24 dev eth1\n}", "0", nil,
			[]string{"192.0.2.9 eth0", "192.0.2.10 eth0", "192.0.2.11 eth1"}},
		{"ipv6", "virtual_ipaddress {\nfe80::9/64\n2001:db8::9/64\n}", "0", nil, []string{"fe80::9 eth0", "2001:db8::9 eth0"}},
		{"ipv6 router", "virtual_ipaddress {\nfe80::9/64\n2001:db8::9/64\n}", "1", nil, []string{"fe80::9 eth0", "2001:db8::9 eth0"}},
		{"both families", "virtual_ipaddress {\n192.0.2.9/24\n}\nvirtual_ipaddress_excluded {\n2001:db8::9/64\n}", "0", nil,
			[]string{"192.0.2.9 eth0", "2001:db8::9 eth0"}},
		{"vmac", "use_vmac\nvirtual_ipaddress {\n192.0.2.9/24\n}", "0",
			[]vip.Link{vmac(51, "vrrp.51", "eth0", false)}, []string{"192.0.2.9 vrrp.51"}},
		{"vmac ipv6", "use_vmac\nvirtual_ipaddress {\nfe80::9/64\n2001:db8::9/64\n}", "0",
			[]vip.Link{vmac(51, "vrrp.51", "eth0", true)}, []string{"fe80::9 vrrp.51", "2001:db8::9 vrrp.51"}},
		{"vmac ipv6 router", "use_vmac\nvmac_xmit_base\nvirtual_ipaddress {\nfe80::9/64\n2001:db8::9/64\n}", "1",
			[]vip.Link{vmac(51, "vrrp.51", "eth0", true)}, []string{"fe80::9 vrrp.51", "2001:db8::9 vrrp.51"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			prepare := func(name string) (*lab.Host, *hex) {
				b := lab.NewBridge(t, "switch", 1500)
				seen := lab.NewHost(t, "observer")
				seen.Connect(b, "eth0")
				h := director(t, name, b)
				h.Sysctl("net.ipv6.conf.all.forwarding", c.forward)
				return h, watch(t, seen)
			}
			k, theirs := prepare("keepalived")
			d := pair.NewDirector(t, k, pair.Keepalived, "")
			d.WriteText("global_defs {\nvrrp_version 3\nvrrp_garp_master_repeat 2\nvrrp_garp_master_delay 0\n}\n" +
				"vrrp_instance VI {\nstate MASTER\ninterface eth0\nvirtual_router_id 51\npriority 200\n" + c.conf + "\n}\n")
			d.Start()

			h, ours := prepare("ours")
			links := vipnl.NewLinks(slog.New(slog.DiscardHandler), "")
			on(t, h, func() error { return links.Make(c.links) })
			var places []vip.Place
			for _, p := range c.places {
				addr, dev, _ := strings.Cut(p, " ")
				places = append(places, place(t, h, addr, dev))
			}
			announce, _ := announcer(t, h, unheard)
			announce("VI", burst(2, places...))
			want := theirs.count(2 * len(places))
			if diff := cmp.Diff(want, ours.count(2*len(places))); diff != "" {
				t.Errorf("(-keepalived +ours):\n%s", diff)
			}
		})
	}
}

// With a pacing the frames of several addresses and interfaces take turns, those without one don't wait, and what is released is not sent.
func TestKernelPacing(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	seen := lab.NewHost(t, "observer")
	seen.Connect(b, "eth0")
	h := director(t, "director", b)
	all := watch(t, seen)
	announce, pace := announcer(t, h, unheard)
	pace(map[string]vip.Pacing{"eth0": {ARP: time.Hour, Group: "g"}, "eth1": {ARP: time.Hour, Group: "g"}})
	announce("VI", burst(5, place(t, h, "192.0.2.9", "eth0"), place(t, h, "192.0.2.10", "eth1"), place(t, h, "2001:db8::9", "eth0")))
	all.count(6)
	announce("VI", vip.Announcement{})
	pace(nil)
	announce("last", burst(1, place(t, h, "192.0.2.11", "eth0")))
	frames := all.count(7)
	var seenARP []string
	for _, f := range frames {
		if m := regexp.MustCompile(`tell (\S+),`).FindStringSubmatch(f); m != nil {
			seenARP = append(seenARP, m[1])
		}
	}
	if !slices.Equal(seenARP, []string{"192.0.2.9", "192.0.2.11"}) {
		t.Errorf("%v in\n%s", seenARP, strings.Join(frames, ""))
	}
}

// Frames that nobody could hear are sent again when there is a carrier, and after the interface was down. Interfaces that know no ARP
// send none.
func TestKernelCarrier(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	seen := lab.NewHost(t, "observer")
	seen.Connect(b, "eth0")
	h := director(t, "director", b)
	all := watch(t, seen)
	announce, _ := announcer(t, h, unheard)
	h.LinkDown("eth0")
	announce("VI", burst(1, place(t, h, "192.0.2.9", "eth0")))
	h.LinkUp("eth0")
	all.count(1)
	b.Unplug(h) // eth1
	lab.WaitFor(t, patience, "no carrier", func() error {
		if out := h.Run("ip", "link", "show", "dev", "eth1"); !strings.Contains(out, "NO-CARRIER") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	announce("VI", burst(1, place(t, h, "192.0.2.10", "eth1")))
	b.Plug(h)
	all.count(2)
	h.Run("ip", "link", "set", "eth1", "arp", "off")
	announce("silent", burst(1, place(t, h, "192.0.2.11", "eth1")))
	announce("loud", burst(1, place(t, h, "192.0.2.12", "eth0")))
	frames := all.count(3)
	for i, want := range []string{"192.0.2.9", "192.0.2.10", "192.0.2.12"} {
		if !strings.Contains(frames[i], "tell "+want) {
			t.Errorf("not %s:\n%s", want, frames[i])
		}
	}
}

// Another host that says it has an address of ours is noticed, by ARP and by a neighbour advertisement, whoever else talks; and when it is
// quiet the neighbours hear from us again.
func TestKernelConflict(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h := director(t, "director", b)
	other := lab.NewHost(t, "other")
	other.Connect(b, "eth0")
	var mu sync.Mutex
	var conflicts []string
	announce, _ := announcer(t, h, func(c vip.Conflict) {
		mu.Lock()
		defer mu.Unlock()
		conflicts = append(conflicts, fmt.Sprintf("%s %s %s %s %v", c.Owner, c.Addr, c.Dev, fmt.Sprintf("% x", c.MAC), c.Over))
	})
	wait := func(want string) {
		t.Helper()
		lab.WaitFor(t, patience, want, func() error {
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(conflicts, want) {
				return fmt.Errorf("there are %q", conflicts)
			}
			return nil
		})
	}
	announce("VI", burst(1, place(t, h, "192.0.2.9", "eth0"), place(t, h, "2001:db8::9", "eth0")))
	mac := strings.ReplaceAll(other.MAC("eth0"), ":", " ")
	all := watch(t, other)

	rival, _ := announcer(t, other, unheard)
	rival("somebody", burst(1, place(t, other, "192.0.2.8", "eth0"), place(t, other, "192.0.2.9", "eth0"), place(t, other, "2001:db8::9", "eth0"),
		place(t, other, "2001:db8::8", "eth0")))
	for _, over := range []string{"false", "true"} {
		wait("VI 192.0.2.9 eth0 " + mac + " " + over)
		wait("VI 2001:db8::9 eth0 " + mac + " " + over)
	}
	all.count(6) // theirs and ours
	mu.Lock()
	defer mu.Unlock()
	for _, c := range conflicts {
		if strings.Contains(c, "::8 ") || strings.Contains(c, ".8 ") || !strings.Contains(c, mac) {
			t.Errorf("unfounded: %s", c)
		}
	}
}
