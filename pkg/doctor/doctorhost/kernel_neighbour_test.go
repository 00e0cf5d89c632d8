//go:build kernel

package doctorhost_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// ear is how long the doctor listens: two adverts and more.
const ear = "2s"

// TestKernelDoctorARP: a real server that answers ARP for the service's address takes clients past the director.
func TestKernelDoctorARP(t *testing.T) {
	n := newNetwork(t)
	d, s := n.director, n.servers[0]
	for _, vip := range []string{"198.51.100.81", "2001:db8:2::81"} {
		bits, at := "/32", vip+":7"
		if vip[0] == '2' {
			bits, at = "/128", "["+vip+"]:7"
		}
		d.AddAddress("eth1", vip+bits)
		adm(d, "-A -t "+at+" -s rr")
		for _, to := range []string{"198.51.100.11:7", "[2001:db8:2::11]:7"} {
			if (to[0] == '[') == (at[0] == '[') {
				adm(d, "-a -t "+at+" -r "+to+" -g")
			}
		}
	}
	n.stage(fault{id: "vip-claimed", listen: ear, on: d, mend: s, spoil: func() { s.Run("ip", "address", "add", "198.51.100.81/32", "dev", "lo") }})
	n.stage(fault{
		id: "vip-claimed", listen: ear, on: d,
		spoil:  func() { s.AddAddress("eth0", "2001:db8:2::81/128") },
		repair: func() { s.DeleteAddress("eth0", "2001:db8:2::81/128") },
	})
	// On the real server itself.
	n.ctl(s, 0, "realserver", "undo")
	s.DeleteAddress("lo", "198.51.100.81/32")
	n.stage(fault{id: "arp-ignore", on: s, spoil: func() { s.AddAddress("lo", "198.51.100.81/32") }})
	s.DeleteAddress("lo", "198.51.100.81/32")
	n.stage(fault{id: "arp-announce", on: s, spoil: func() { s.AddAddress("lo", "198.51.100.81/32") }})
}

// virtualRouter is keepalived's configuration of one that believes only those with its password.
const virtualRouter = `
global_defs {
	vrrp_garp_master_refresh 0
}
vrrp_instance VI {
	interface eth0
	virtual_router_id 51
	priority %d
	advert_int 0.5
	version 3
	virtual_ipaddress {
		192.0.2.%d/32
	}
}
`

// TestKernelDoctorRouters: two routers with one VRID, other programs on the same table, and sync daemons that don't agree.
func TestKernelDoctorRouters(t *testing.T) {
	n := newNetwork(t)
	d := n.director
	peer := lab.NewHost(t, "peer")
	peer.Connect(n.outside, "eth0", "192.0.2.2/24")
	peer.Connect(n.inside, "eth1", "198.51.100.2/24")
	keepalived := func(h *lab.Host, priority, vip int) *lab.Process {
		dir := t.TempDir()
		file := filepath.Join(dir, "keepalived.conf")
		if err := os.WriteFile(file, fmt.Appendf(nil, virtualRouter, priority, vip), 0o600); err != nil {
			t.Fatal(err)
		}
		return h.Start("keepalived", "-n", "-l", "-P", "-f", file, "-p", dir+"/pid", "-r", dir+"/vrrp.pid")
	}
	// The peers' filters keep them from hearing each other, as different passwords or versions do.
	deaf := lab.NewHost(t, "deaf")
	deaf.Connect(n.outside, "eth0", "192.0.2.3/24")
	for _, h := range []*lab.Host{peer, deaf} {
		h.Run("iptables-legacy", "-A", "INPUT", "-p", "112", "-j", "DROP")
	}
	var second *lab.Process
	keepalived(peer, 100, 90)
	n.stage(fault{
		id: "vrid-duplicate", listen: ear, on: d,
		spoil:  func() { second = keepalived(deaf, 150, 91) },
		repair: func() { second.Kill() },
	})

	config := filepath.Join(t.TempDir(), "ipvsd.toml")
	if err := os.WriteFile(config, []byte("[global_defs]\nrouter_id = \"d\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(programs+"/ipvsd", "-f", config, "--socket", n.socket(), "--state-dir", t.TempDir())
	lab.WaitFor(t, patience, "ipvsd to answer", func() error {
		_, err := d.Output(programs+"/ipvsctl", "--socket", n.socket(), "status")
		return err
	})
	n.stage(fault{id: "clash", on: d, spoil: func() { keepalived(d, 50, 92) }})

	// The peer's kernel tells each packet of a flow; it has a service that nobody answers.
	peer.AddAddress("eth0", "192.0.2.70/32")
	peer.Sysctl("net.ipv4.vs.sync_threshold", "0 1")
	adm(peer, "-A -u 192.0.2.70:7 -s rr")
	adm(peer, "-a -u 192.0.2.70:7 -r 198.51.100.11:7 -m")
	stop := make(chan struct{})
	flow, err := n.client.DialContext(t.Context(), "udp", "192.0.2.70:7")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = flow.Write([]byte("x"))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended; _ = flow.Close() })
	n.stage(fault{id: "sync-one-side", listen: ear, on: d, spoil: func() { adm(peer, "--start-daemon master --mcast-interface eth1 --syncid 7") }})
	again := func(line string) func() {
		return func() {
			adm(d, "--stop-daemon backup")
			adm(d, "--start-daemon backup "+line)
		}
	}
	n.stage(fault{id: "sync-id", listen: ear, on: d, spoil: again("--mcast-interface eth1 --syncid 8")})
	n.stage(fault{id: "sync-interface", listen: ear, on: d, spoil: again("--mcast-interface eth0 --syncid 7")})
	n.stage(fault{id: "sync-version", listen: ear, on: d, spoil: func() { d.Sysctl("net.ipv4.vs.sync_version", "0") }})
}
