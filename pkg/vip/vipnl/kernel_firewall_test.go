//go:build kernel

package vipnl_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// rules returns what the kernel has of ours: by nftables, or by iptables if its families are missing.
func rules(t *testing.T, h *lab.Host) string {
	t.Helper()
	var ours []string
	for _, command := range []string{"nft list ruleset", "iptables-legacy-save", "ip6tables-legacy-save"} {
		out, err := h.Output(strings.Fields(command)...)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "ipvsd") {
				ours = append(ours, line)
			}
		}
	}
	return strings.Join(ours, "")
}

// haveNftables reports whether the kernel has what no_accept needs of it.
func haveNftables(h *lab.Host) bool {
	_, err := h.Output("nft", "--check", "add table ip probe; add table ip6 probe")
	return err == nil
}

// serve answers HTTP on all addresses of a host.
func serve(t *testing.T, h *lab.Host, text string) {
	t.Helper()
	l, err := h.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

// get asks an address for its page, as a client that has all its connections for itself.
func get(h *lab.Host, addr string) (string, error) {
	return h.Output("curl", "--silent", "--show-error", "--max-time", "2", "http://"+net.JoinHostPort(addr, "80")+"/")
}

func addrs(list ...string) (all []netip.Addr) {
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

// The host is deaf to addresses that are denied, and to no others, but neighbours find them. A killed run's rules are replaced, and none
// remain.
func TestKernelNoAccept(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h, client := lab.NewHost(t, "director"), lab.NewHost(t, "client")
	h.Connect(b, "eth0", "192.0.2.1/24", "192.0.2.9/32", "192.0.2.10/32", "2001:db8::1/64", "2001:db8::9/128", "2001:db8::10/128")
	client.Connect(b, "eth0", "192.0.2.100/24", "2001:db8::100/64")
	serve(t, h, "hello")
	expect := func(when string, deaf ...string) {
		t.Helper()
		for _, a := range []string{"192.0.2.1", "192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::9", "2001:db8::10"} {
			client.Run("ip", "neigh", "flush", "all")
			page, err := get(client, a)
			denied := false
			for _, d := range deaf {
				denied = denied || a == d
			}
			if denied && (err == nil || !strings.Contains(err.Error(), "exit status 28")) { // nothing comes back
				t.Errorf("%s: %s says %q, %v", when, a, page, err)
			}
			if !denied && page != "hello" {
				t.Errorf("%s: %s says %q, %v", when, a, page, err)
			}
			if out := client.Run("ip", "neigh", "show", a); !strings.Contains(out, "lladdr "+h.MAC("eth0")) {
				t.Errorf("%s: the neighbour does not find %s: %s", when, a, out)
			}
		}
	}
	deny := func(f vipnl.Firewall, list ...string) {
		t.Helper()
		on(t, h, func() error { return f.Deny(addrs(list...)) })
	}
	deny(vipnl.NewFirewall())
	expect("at first")
	killed := vipnl.NewFirewall()
	deny(killed, "192.0.2.9", "2001:db8::9", "192.0.2.9")
	expect("denied", "192.0.2.9", "2001:db8::9")
	f := vipnl.NewFirewall()
	deny(f, "192.0.2.10", "2001:db8::10")
	expect("after a crash", "192.0.2.10", "2001:db8::10")
	was := rules(t, h)
	deny(f, "192.0.2.10", "2001:db8::9")
	expect("changed", "192.0.2.10", "2001:db8::9")
	if n := strings.Count(rules(t, h), "\n"); n != strings.Count(was, "\n") || n == 0 {
		t.Errorf("rules pile up:\n%s\n%s", was, rules(t, h))
	}
	deny(f, "2001:db8::9")
	expect("without IPv4", "2001:db8::9")
	deny(f)
	expect("at the end")
	deny(vipnl.NewFirewall())
	if r := rules(t, h); r != "" {
		t.Errorf("there is still:\n%s", r)
	}
}

// What IPVS balances is not for the host and passes, where the kernel has nftables. Iptables has no table behind IPVS.
func TestKernelNoAcceptBalances(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h, client, server := lab.NewHost(t, "director"), lab.NewHost(t, "client"), lab.NewHost(t, "server")
	h.Connect(b, "eth0", "192.0.2.1/24", "192.0.2.9/32")
	client.Connect(b, "eth0", "192.0.2.100/24")
	server.Connect(b, "eth0", "192.0.2.50/24")
	server.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
	server.Sysctl("net.ipv4.conf.all.arp_announce", "2")
	server.AddAddress("lo", "192.0.2.9/32")
	serve(t, h, "director")
	serve(t, server, "server")
	h.Run("ipvsadm", "-A", "-t", "192.0.2.9:80", "-s", "rr")
	h.Run("ipvsadm", "-a", "-t", "192.0.2.9:80", "-r", "192.0.2.50", "-g")
	want := func(when, want string) {
		t.Helper()
		if page, err := get(client, "192.0.2.9"); page != want {
			t.Errorf("%s: %q, %v", when, page, err)
		}
	}
	want("at first", "server")
	f := vipnl.NewFirewall()
	on(t, h, func() error { return f.Deny(addrs("192.0.2.9")) })
	page := ""
	if haveNftables(h) {
		page = "server"
	}
	want("denied", page)
	h.Run("ipvsadm", "-C")
	want("without service", "")
	on(t, h, func() error { return f.Deny(nil) })
	want("at the end", "director")
}

// A host that has neither nftables nor iptables is told what it needs. Its VMACs work all the same.
func TestKernelNoFirewall(t *testing.T) {
	h := director(t, "director", lab.NewBridge(t, "switch", 1500))
	works := haveNftables(h)
	t.Setenv("PATH", "")
	var log strings.Builder
	on(t, h, func() error {
		f, links := vipnl.NewFirewall(), vipnl.NewLinks(slog.New(slog.NewTextHandler(&log, nil)), "")
		err := f.Deny(addrs("192.0.2.9"))
		if works != (err == nil) || err != nil && !strings.Contains(err.Error(), "NF_TABLES_IPV4") {
			t.Errorf("no_accept: %v", err)
		}
		err = links.Make([]vip.Link{vmac(51, "vrrp.51", "eth0", false)})
		if err != nil || works != !strings.Contains(log.String(), "NF_TABLES_IPV4") {
			t.Errorf("vmac: %v; log: %s", err, log.String())
		}
		return errors.Join(f.Deny(nil), links.Make(nil))
	})
}

// Reports of multicast groups that are joined on a VMAC leave by its base, so that no switch learns the virtual MAC from a backup.
func TestKernelMembership(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	seen := lab.NewHost(t, "observer")
	seen.Connect(b, "eth0")
	h := director(t, "director", b)
	reports := lab.NewCapture(seen, "eth0", "-e -v igmp or (icmp6 and (ip6[40] = 143 or ip6[40] = 133)) or (ip6[6] = 0 and ip6[48] = 143)")
	links := vipnl.NewLinks(slog.New(slog.NewTextHandler(t.Output(), nil)), "")
	four, six := vmac(51, "vrrp.51", "eth0", false), vmac(51, "vrrp6.51", "eth1", true)
	on(t, h, func() error { return links.Make([]vip.Link{four, six}) })
	on(t, h, func() error {
		for dev, group := range map[string]string{"vrrp.51": "239.1.2.3", "vrrp6.51": "ff02::1234"} {
			i, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			c, err := net.ListenMulticastUDP("udp", i, &net.UDPAddr{IP: net.ParseIP(group), Port: 9})
			if err != nil {
				return fmt.Errorf("join %s on %s: %w", group, dev, err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}
		return nil
	})
	for mac, group := range map[string]string{h.MAC("eth0"): "239.1.2.3", h.MAC("eth1"): "ff02::1234"} {
		lab.WaitFor(t, patience, "report of "+group, func() error {
			if strings.Contains(strings.Join(reports.Packets(), "\n"), mac+" > ") {
				return nil
			}
			return fmt.Errorf("from %s: there are\n%s", mac, strings.Join(reports.Packets(), "\n"))
		})
	}
	if all := strings.Join(reports.Stop(), "\n"); strings.Contains(all, "00:00:5e:00:0") {
		t.Errorf("by a virtual MAC:\n%s", all)
	}
	if r := rules(t, h); r == "" {
		t.Error("there are no rules")
	}
	on(t, h, func() error { return links.Make(nil) })
	if r := rules(t, h); r != "" {
		t.Errorf("there is still:\n%s", r)
	}
}
