//go:build kernel

package doctorhost_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// beforehand is what of a host's network undo has to bring back: addresses, and all sysctls. A link that was up once has another queue, and the
// kernel counts what is there.
func beforehand(h *lab.Host) string {
	varies := regexp.MustCompile(`(?m) qdisc \w+| tentative|^(fs|kernel|net\.netfilter\.nf_conntrack_(count|buckets)|net\.ipv4\.(tcp|udp)_mem|vm|dev|debug|abi|user)\b.*$|^.*(random|boot_id|expires|gc_interval).*$`)
	return varies.ReplaceAllString(h.Run("ip", "addr")+h.Run("sysctl", "-a"), "")
}

// TestKernelRealServer: what prepare makes of two machines is real servers, whom clients reach by the service's address and whose neighbours
// don't know; undo leaves them as they were.
func TestKernelRealServer(t *testing.T) {
	// The kernel's tunnels come with their modules, to all hosts: what undo is compared with should have them.
	lab.Here(t).Run("modprobe", "-a", "ipip", "ip6_tunnel")
	outside := lab.NewBridge(t, "outside", 1600)
	n := &network{t: t, outside: outside, state: map[*lab.Host]string{}, client: lab.NewHost(t, "client"), director: lab.NewHost(t, "director")}
	n.client.Connect(outside, "eth0", "192.0.2.10/24", "2001:db8:1::10/64")
	n.director.Connect(outside, "eth0", "192.0.2.1/24", "2001:db8:1::1/64", "192.0.2.80/32", "192.0.2.81/32", "2001:db8:1::80/128", "2001:db8:1::81/128")
	for i := range n.servers {
		n.servers[i] = lab.NewHost(t, fmt.Sprintf("server%d", i+1))
		n.servers[i].Sysctl("net.ipv4.conf.all.rp_filter", "1") // as strict as it gets
		n.servers[i].Sysctl("net.ipv4.conf.default.rp_filter", "1")
		n.servers[i].Connect(outside, "eth0", fmt.Sprintf("192.0.2.%d/24", 11+i), fmt.Sprintf("2001:db8:1::%d/64", 11+i))
		serve(t, n.servers[i])
		for _, link := range []string{"tunl0", "ip6tnl0"} { // with the first time come sysctls that stay
			n.servers[i].LinkUp(link)
			n.servers[i].LinkDown(link)
		}
	}
	for at, how := range map[string]string{"192.0.2.80": "-g", "192.0.2.81": "-i", "[2001:db8:1::80]": "-g", "[2001:db8:1::81]": "-i"} {
		adm(n.director, "-A -t "+at+":7 -s rr")
		for _, last := range []string{"11", "12"} {
			server := "192.0.2." + last
			if strings.HasPrefix(at, "[") {
				server = "[2001:db8:1::" + last + "]"
			}
			adm(n.director, "-a -t "+at+":7 -r "+server+":7 "+how)
		}
	}
	before := map[*lab.Host]string{}
	for _, s := range n.servers {
		before[s] = beforehand(s)
	}
	for _, c := range []struct{ method, vip, twice string }{
		{"DR", "192.0.2.80", "Everything is as it should be."}, {"TUN", "192.0.2.81", "Everything is as it should be."},
		{"DR", "2001:db8:1::80", "Everything is as it should be."}, {"TUN", "2001:db8:1::81", "Everything is as it should be."},
	} {
		at := c.vip + ":7"
		if strings.Contains(c.vip, "::") {
			at = "[" + c.vip + "]:7"
		}
		unserved(t, n.client, at, c.method+", not prepared")
		for _, s := range n.servers {
			flags := []string{"--vip", c.vip, "--method", c.method}
			n.ctl(s, 2, append([]string{"realserver", "verify"}, flags...)...)
			dry := n.ctl(s, 0, append([]string{"realserver", "prepare", "--dry-run"}, flags...)...)
			n.ctl(s, 2, append([]string{"realserver", "verify"}, flags...)...)
			if out := n.ctl(s, 0, append([]string{"realserver", "prepare"}, flags...)...); out != dry {
				t.Errorf("a dry run says\n%s\nand the real one\n%s", dry, out)
			}
			if out := n.ctl(s, 0, append([]string{"realserver", "prepare"}, flags...)...); !strings.HasPrefix(out, c.twice) {
				t.Errorf("a second time it does %s", out)
			}
			n.ctl(s, 0, append([]string{"realserver", "verify"}, flags...)...)
		}
		n.client.Run("ip", "neigh", "flush", "all")
		by := map[string]int{}
		for range 4 {
			by[served(t, n.client, at)]++
		}
		if by["server1"] != 2 || by["server2"] != 2 {
			t.Errorf("%s, %s: answers of %v", c.method, c.vip, by)
		}
	}
	// Nobody but the director says that he has the addresses, and the servers themselves find nothing.
	if f := finding(n.examine(n.director, ear), "vip-claimed"); f != nil {
		t.Errorf("%+v", f)
	}
	for _, s := range n.servers {
		for _, id := range []string{"arp-ignore", "arp-announce", "vip-missing", "module-ip-vs"} {
			if f := finding(n.examine(s, "0s"), id); f != nil {
				t.Errorf("%+v", f)
			}
		}
	}
	one := n.servers[0]
	n.stage(fault{id: "vip-missing", on: one, spoil: func() { one.DeleteAddress("lo", "192.0.2.80/32") }})
	n.stage(fault{
		id: "tunnel-rp-filter", on: one, spoil: func() { one.Sysctl("net.ipv4.conf.tunl0.rp_filter", "0") }, // all has 1
		broken: func() {
			answered := 0
			for range 2 { // the other server has its turn
				if _, _, err := dial(t, n.client, "192.0.2.81:7", short); err == nil {
					answered++
				}
			}
			if answered > 1 {
				t.Error("a strict end of a tunnel takes packets")
			}
		},
		mended: func() { served(t, n.client, "192.0.2.81:7"); served(t, n.client, "192.0.2.81:7") },
	})
	n.ctl(one, 0, "realserver", "undo", "--vip", "192.0.2.81")
	n.ctl(one, 2, "realserver", "verify", "--vip", "192.0.2.81", "--method", "TUN")
	n.ctl(one, 0, "realserver", "verify", "--vip", "192.0.2.80")
	for _, s := range n.servers {
		n.ctl(s, 0, "realserver", "undo")
		if after := beforehand(s); after != before[s] {
			t.Errorf("%s after undo: %s", s.Name, difference(before[s], after))
		}
		if out := n.ctl(s, 0, "realserver", "undo"); out != "There is nothing to undo.\n" {
			t.Errorf("undone twice: %s", out)
		}
	}
	// Made by hand, as for DR: the tunnel's interface has no address.
	n.stage(fault{
		id: "tunnel-rp-filter", on: one,
		spoil: func() {
			one.Run("ip", "link", "set", "dev", "tunl0", "up")
			one.Sysctl("net.ipv4.conf.tunl0.rp_filter", "2")
			one.AddAddress("lo", "192.0.2.81/32")
			adm(n.director, "-d -t 192.0.2.81:7 -r 192.0.2.12:7")
		},
		broken: func() { unserved(t, n.client, "192.0.2.81:7", "with the address on lo") },
		mended: func() { served(t, n.client, "192.0.2.81:7") },
	})
	// An address that the machine answers for is not taken away behind the operator's back.
	one.AddAddress("eth0", "192.0.2.80/32")
	n.ctl(one, 1, "realserver", "prepare", "--vip", "192.0.2.80")
	n.ctl(one, 2, "realserver", "verify", "--vip", "192.0.2.80")
}

// difference lists the lines that only one of two texts has.
func difference(before, after string) string {
	var out strings.Builder
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			out.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}
