//go:build kernel

package vipnl_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// on calls f where its system calls belong to a host.
func on(t *testing.T, h *lab.Host, f func() error) {
	t.Helper()
	if err := h.Do(f); err != nil {
		t.Fatal(err)
	}
}

// director is a host with two interfaces on a switch, whose MACs don't change from run to run.
func director(t *testing.T, name string, b *lab.Bridge) *lab.Host {
	t.Helper()
	h := lab.NewHost(t, name)
	for i, dev := range []string{"eth0", "eth1"} {
		h.Connect(b, dev)
		h.LinkDown(dev)
		h.Run("ip", "link", "set", dev, "address", fmt.Sprintf("02:00:00:00:00:0%d", i+1))
		h.LinkUp(dev)
	}
	h.Run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	lab.WaitFor(t, patience, "link-local addresses", func() error {
		for _, dev := range []string{"eth0", "eth1"} {
			if out, err := h.Output("ip", "-6", "address", "show", "dev", dev, "scope", "link", "-tentative"); err != nil || out == "" {
				return errors.Join(err, errors.New(dev+" has none"))
			}
		}
		return nil
	})
	return h
}

// conf returns the sysctls of a host's interfaces, as sysctl prints them.
func conf(t *testing.T, h *lab.Host) map[string]string {
	t.Helper()
	all := make(map[string]string)
	on(t, h, func() error {
		files, err := filepath.Glob("/proc/sys/net/ipv[46]/conf/*/*")
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil { // some can't be read, or are gone
				all[strings.TrimPrefix(f, "/proc/sys/net/")] = strings.TrimSpace(string(text))
			}
		}
		return err
	})
	return all
}

// changes returns what is different from before, but for the random and the counted.
func changes(before, after map[string]string) map[string]string {
	diff := make(map[string]string)
	for k, v := range after {
		if before[k] != v && !strings.HasSuffix(k, "stable_secret") {
			diff[k] = v
		}
	}
	return diff
}

// shown returns an interface as `ip -d -j link` shows it, without what names it and what comes a moment later.
func shown(t *testing.T, h *lab.Host, dev string) map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(h.Run("ip", "-d", "-j", "link", "show", "dev", dev)), &list); err != nil || len(list) != 1 {
		t.Fatalf("ip link: %v, %v", list, err)
	}
	for _, k := range []string{"ifindex", "ifalias", "operstate"} {
		delete(list[0], k)
	}
	return list[0]
}

// addresses returns the lines about addresses of `ip address`.
func addresses(h *lab.Host, dev string) string {
	out := h.Run("ip", "address", "show", "dev", dev)
	return strings.Join(regexp.MustCompile(`(?m)^ {4,}(inet|valid).*$`).FindAllString(out, -1), "\n")
}

// vmac is the use_vmac of an instance as the configuration makes it.
func vmac(vrid uint8, name, base string, ipv6 bool) vip.Link {
	l := vip.Link{Name: name, Base: base, IPv6: ipv6, MAC: [6]byte{0, 0, 0x5e, 0, 1, vrid}}
	if ipv6 {
		l.MAC[4] = 2
	}
	return l
}

// VMACs and ipvlans are what keepalived makes: the interface, its addresses, and all sysctls of the host, whatever rp_filter was.
func TestKernelLinksAsKeepalived(t *testing.T) {
	const instance = `vrrp_instance VI_%d {
	state BACKUP
	interface %s
	virtual_router_id %d
	priority 100
	advert_int 100
	version 3
	%s
	virtual_ipaddress {
		%s
	}
}
`
	for _, c := range []struct {
		name     string
		conf     string
		links    []vip.Link
		rpFilter [4]string // all, default, eth0, eth1
	}{
		{
			// An interface that no instance uses is raised by keepalived at times and at times not; its manual says it is.
			name: "vmac", rpFilter: [4]string{"1", "0", "0", "1"},
			conf:  fmt.Sprintf(instance, 51, "eth0", 51, "use_vmac", "192.0.2.9/24"),
			links: []vip.Link{vmac(51, "vrrp.51", "eth0", false)},
		},
		{
			name: "vmac xmit base", rpFilter: [4]string{"2", "1", "0", "2"},
			conf: fmt.Sprintf(instance, 51, "eth0", 51, "use_vmac vmac.4\nvmac_xmit_base", "192.0.2.9/24") +
				fmt.Sprintf(instance, 52, "eth1", 52, "use_vmac vmac.5\nmcast_src_ip 192.0.2.1\nvmac_xmit_base", "192.0.2.8/24"),
			links: []vip.Link{vmac(51, "vmac.4", "eth0", false), vmac(52, "vmac.5", "eth1", false)},
		},
		{
			name: "vmac ipv6", rpFilter: [4]string{"1", "1", "1", "1"},
			conf:  fmt.Sprintf(instance, 52, "eth0", 52, "use_vmac vrrp6.52", "fe80::9/64\n2001:db8::9/64"),
			links: []vip.Link{vmac(52, "vrrp6.52", "eth0", true)},
		},
		{
			name: "ipvlan", rpFilter: [4]string{"1", "0", "0", "0"},
			conf: fmt.Sprintf(instance, 53, "eth0", 53, "use_ipvlan ipv.53 192.0.2.50/24", "192.0.2.9/24") +
				fmt.Sprintf(instance, 54, "eth1", 54, "use_ipvlan ipv6.54 private", "fe80::9/64\n2001:db8::9/64"),
			links: []vip.Link{
				{Name: "ipv.53", Base: "eth0", Kind: vip.IPVLAN, Mode: vip.Bridge, Addr: netip.MustParsePrefix("192.0.2.50/24")},
				{Name: "ipv6.54", Base: "eth1", Kind: vip.IPVLAN, Mode: vip.Private, IPv6: true},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			type result struct {
				Sysctls map[string]string
				Links   []map[string]any
				Addrs   []string
			}
			prepare := func(name string) (h *lab.Host, before map[string]string) {
				h = director(t, name, lab.NewBridge(t, "switch", 1500))
				for i, dev := range []string{"all", "default", "eth0", "eth1"} {
					h.Sysctl("net.ipv4.conf."+dev+".rp_filter", c.rpFilter[i])
				}
				return h, conf(t, h)
			}
			look := func(h *lab.Host, before map[string]string) (made result) {
				for _, l := range c.links {
					made.Links = append(made.Links, shown(t, h, l.Name))
					made.Addrs = append(made.Addrs, addresses(h, l.Name))
				}
				made.Sysctls = changes(before, conf(t, h))
				return made
			}
			k, untouched := prepare("keepalived")
			d := pair.NewDirector(t, k, pair.Keepalived, "")
			d.WriteText(c.conf)
			d.Start()

			h, before := prepare("ours")
			links := vipnl.NewLinks(slog.New(slog.DiscardHandler), "")
			on(t, h, func() error { return links.Make(c.links) })
			lab.WaitFor(t, patience, "the same", func() error {
				theirs := look(k, untouched)
				for _, l := range c.links {
					if l.Kind == vip.MACVLAN && !l.IPv6 {
						theirs.Sysctls["ipv4/conf/"+l.Base+"/arp_announce"] = "2" // the one more that we set
					}
				}
				if diff := cmp.Diff(theirs, look(h, before)); diff != "" {
					return fmt.Errorf("(-keepalived +ours):\n%s", diff)
				}
				return nil
			})
			on(t, h, func() error { return links.Make(nil) })
			if diff := cmp.Diff(before, conf(t, h)); diff != "" {
				t.Errorf("sysctls at the end (-before +after):\n%s", diff)
			}
		})
	}
}

// What a killed run has left is adopted, what somebody deletes is made again, what is not ours is left alone, and at the end nothing
// of ours is there.
func TestKernelLinks(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h := director(t, "director", b)
	h.Run("ip", "link", "set", "eth0", "group", "7")
	before := conf(t, h)
	make := func(l vipnl.Links, want ...vip.Link) (err error) {
		on(t, h, func() error {
			err = l.Make(want)
			return nil
		})
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	index := func(dev string) string {
		t.Helper()
		return strings.SplitN(h.Run("ip", "-o", "link", "show", "dev", dev), ":", 2)[0]
	}
	four, six := vmac(51, "vrrp.51", "eth0", false), vmac(51, "vrrp6.51", "eth0", true)
	record := filepath.Join(t.TempDir(), "sysctls")
	killed := vipnl.NewLinks(slog.New(slog.DiscardHandler), record)
	must(make(killed, four, six, vmac(53, "vrrp.53", "eth1", true)))
	was := index("vrrp.51")
	if out := h.Run("ip", "link", "show", "dev", "vrrp.51"); !strings.Contains(out, "group 7 ") || !strings.Contains(out, ",UP") {
		t.Errorf("not up, or without the group of its base:\n%s", out)
	}

	links := vipnl.NewLinks(slog.New(slog.DiscardHandler), record)
	must(make(links, four, six))
	if is := index("vrrp.51"); is != was {
		t.Errorf("index %s was not adopted, %s is there", was, is)
	}
	must(make(links, four, six))
	if _, err := h.Output("ip", "link", "show", "dev", "vrrp.53"); err == nil {
		t.Error("vrrp.53, which nobody wants any more, is still there")
	}

	h.Run("ip", "link", "del", "vrrp.51")
	h.Run("ip", "link", "set", "vrrp6.51", "down") // and its addresses are gone
	must(make(links, four, six))
	if out := h.Run("ip", "address", "show", "dev", "vrrp6.51"); index("vrrp.51") == was || !strings.Contains(out, "fe80::") {
		t.Errorf("not made again:\n%s", out)
	}

	four.MAC[5], four.Group, four.GroupSet = 77, 9, true
	must(make(links, four))
	if out := h.Run("ip", "link", "show", "dev", "vrrp.51"); !strings.Contains(out, "00:00:5e:00:01:4d") || !strings.Contains(out, "group 9 ") {
		t.Errorf("not changed:\n%s", out)
	}
	if _, err := h.Output("ip", "link", "show", "dev", "vrrp6.51"); err == nil {
		t.Error("vrrp6.51 is still there")
	}

	// The base is made anew.
	h.Run("ip", "link", "del", "eth0")
	if err := make(links, four); err == nil || !strings.Contains(err.Error(), "interface vrrp.51 on eth0") {
		t.Errorf("without a base: %v", err)
	}
	h.Connect(b, "eth0")
	must(make(links, four))
	index("vrrp.51")

	h.Run("ip", "link", "add", "mine", "link", "eth1", "type", "macvlan", "mode", "bridge")
	other := vmac(52, "mine", "eth0", false)
	if err := make(links, four, other); err == nil || !strings.Contains(err.Error(), "not ours") {
		t.Errorf("somebody else's interface: %v", err)
	}
	must(make(links))
	index("mine")
	h.Run("ip", "link", "del", "mine")
	if _, err := h.Output("ip", "link", "show", "dev", "vrrp.51"); err == nil {
		t.Error("vrrp.51 is still there")
	}
	if diff := cmp.Diff(before, conf(t, h)); diff != "" {
		t.Errorf("sysctls (-before +after):\n%s", diff)
	}
}

// What a killed run changed has its old values when the next one has ended.
func TestKernelLinksAfterKill(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h := director(t, "director", b)
	h.Run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1")
	before, record := conf(t, h), filepath.Join(t.TempDir(), "sysctls")
	want := vip.Link{Kind: vip.MACVLAN, Name: "vrrp.51", Base: "eth0", MAC: [6]byte{0, 0, 0x5e, 0, 1, 51}}
	for range 2 {
		on(t, h, func() error { return vipnl.NewLinks(slog.New(slog.DiscardHandler), record).Make([]vip.Link{want}) })
		if len(changes(before, conf(t, h))) == 0 {
			t.Error("nothing was changed")
		}
	}
	on(t, h, func() error { return vipnl.NewLinks(slog.New(slog.DiscardHandler), record).Make(nil) })
	if diff := cmp.Diff(before, conf(t, h)); diff != "" {
		t.Errorf("sysctls (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("there is still a record: %v", err)
	}
}
