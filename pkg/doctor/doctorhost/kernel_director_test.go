//go:build kernel

package doctorhost_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

const (
	natVIP = "192.0.2.80:7"
	oneVIP = "198.51.100.80:7" // on the servers' network
)

func adm(h *lab.Host, line string) { h.Run(append([]string{"ipvsadm"}, strings.Fields(line)...)...) }

// TestKernelDoctorNAT: what keeps clients under NAT from their answers, and what the director is set to.
func TestKernelDoctorNAT(t *testing.T) {
	n := newNetwork(t)
	d := n.director
	d.AddAddress("eth0", "192.0.2.80/32")
	adm(d, "-A -t "+natVIP+" -s rr")
	adm(d, "-a -t "+natVIP+" -r 198.51.100.11:7 -m")

	n.stage(fault{
		id: "nat-return", on: d, mend: n.servers[0],
		spoil: func() {
			for range 3 {
				unserved(t, n.client, natVIP, "without a route")
			}
		},
		mended: func() { served(t, n.client, natVIP) },
	})
	n.servers[1].DefaultRoute(d1)
	n.stage(fault{
		id: "ip-forward", on: d, spoil: func() { d.Sysctl("net.ipv4.ip_forward", "0") },
		broken: func() { unserved(t, n.client, natVIP, "without forwarding") },
		mended: func() { served(t, n.client, natVIP) },
	})
	n.stage(fault{id: "run-estimation", on: d, spoil: func() { d.Sysctl("net.ipv4.vs.run_estimation", "0") }})
	n.stage(fault{id: "conn-reuse", on: d, spoil: func() { d.Sysctl("net.ipv4.vs.conn_reuse_mode", "0") }})
	n.stage(fault{
		id: "rp-filter", on: d,
		spoil: func() {
			d.Sysctl("net.ipv4.conf.eth0.rp_filter", "1")
			d.Run("ip", "route", "add", "default", "via", "198.51.100.12")
			n.client.AddAddress("eth0", "203.0.113.10/32")
			n.client.Run("ip", "route", "add", "default", "via", "192.0.2.1")
		},
		broken: func() {
			if seen := arrivals(n); seen != 0 {
				t.Errorf("%d packets from afar came through a strict filter", seen)
			}
		},
		mended: func() {
			if arrivals(n) == 0 {
				t.Error("no packet from afar comes through a loose filter")
			}
		},
	})
	d.Run("ip", "route", "delete", "default")
	n.stage(fault{
		id: "vs-conntrack", on: d,
		spoil: func() {
			d.Run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "198.51.100.0/24", "-d", "198.51.100.0/24", "-j", "MASQUERADE")
		},
	})
	// Conntrack's limit is one for all hosts of the lab.
	machine := lab.Here(t)
	n.state[machine] = t.TempDir()
	served(t, n.client, natVIP) // is tracked
	n.stage(fault{
		id: "conntrack-full", on: d, mend: machine,
		spoil: func() {
			count := strings.TrimSpace(d.Run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
			if c, err := strconv.Atoi(count); err != nil || c == 0 {
				t.Fatalf("%q connections are tracked", count)
			}
			limit, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_max")
			if err == nil {
				err = os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_max", []byte(count), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_max", limit, 0o644) })
		},
	})
}

// arrivals sends from an address that is reached by the other interface, and returns how many packets IPVS counts.
func arrivals(n *network) int {
	packets := func() (sum int) {
		for line := range strings.Lines(n.director.Run("ipvsadm", "-Lnc")) {
			sum += strings.Count(line, "203.0.113.10")
		}
		return sum
	}
	before := packets()
	_, _, _ = dial(n.t, n.client.From(far), natVIP, short) // no answer comes back to it
	return packets() - before
}

// TestKernelDoctorOneNetwork: servers and clients on one network under NAT.
func TestKernelDoctorOneNetwork(t *testing.T) {
	n := newNetwork(t)
	n.route()
	d := n.director
	d.AddAddress("eth1", "198.51.100.80/32")
	d.Sysctl("net.ipv4.conf.all.send_redirects", "0")
	d.Sysctl("net.ipv4.conf.eth1.send_redirects", "0")
	add := func() {
		adm(d, "-A -t "+oneVIP+" -s rr")
		adm(d, "-a -t "+oneVIP+" -r 198.51.100.11:7 -m")
	}
	n.stage(fault{
		id: "nat-one-network", on: d, spoil: add,
		broken: func() { unserved(t, n.servers[1], oneVIP, "on the servers' network") },
		mended: func() { served(t, n.servers[1], oneVIP) },
	})
	n.stage(fault{id: "send-redirects", on: d, spoil: func() { d.Sysctl("net.ipv4.conf.all.send_redirects", "1") }})
	n.stage(fault{id: "send-redirects", on: d, spoil: func() { d.Sysctl("net.ipv4.conf.eth1.send_redirects", "1") }})
	adm(d, "-C")
	d.AddAddress("eth0", "192.0.2.80/32")
	n.stage(fault{id: "tunnel-mtu", on: d, spoil: func() {
		adm(d, "-A -t "+natVIP+" -s rr")
		adm(d, "-a -t "+natVIP+" -r 198.51.100.11:7 -i")
	}})
	n.stage(fault{
		id: "dr-router", on: d,
		spoil: func() {
			d.Run("ip", "route", "add", "203.0.113.5", "via", "198.51.100.12")
			adm(d, "-a -t "+natVIP+" -r 203.0.113.5:7 -g")
		},
		repair: func() { adm(d, "-d -t "+natVIP+" -r 203.0.113.5:7") },
	})
}

// TestKernelDoctorClock: the kernel says whether its clock is synchronised. Only the lab's own kernel is told that it is.
func TestKernelDoctorClock(t *testing.T) {
	n := newNetwork(t)
	var now unix.Timex
	if _, err := unix.Adjtimex(&now); err != nil {
		t.Fatal(err)
	}
	const unsynchronised, setError, setStatus = 0x40, 0x4, 0x10 // STA_UNSYNC, ADJ_MAXERROR, ADJ_STATUS
	if os.Getenv("IPVSD_LAB") != "uml" {
		if found := finding(n.examine(n.director, "0s"), "clock") != nil; found != (now.Status&unsynchronised != 0) {
			t.Errorf("found: %t, adjtimex says %#x", found, now.Status)
		}
		return
	}
	synchronise := func(status int32) {
		if _, err := unix.Adjtimex(&unix.Timex{Modes: setError | setStatus, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	synchronise(0)
	n.stage(fault{id: "clock", on: n.director, spoil: func() { synchronise(unsynchronised) }, repair: func() { synchronise(0) }})
}
