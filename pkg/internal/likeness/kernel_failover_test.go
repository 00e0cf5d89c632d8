//go:build kernel

package likeness

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// directors are two hosts on two networks, for daemons with virtual routers.
type directors struct {
	t                  *testing.T
	external, internal *lab.Bridge
	hosts              [2]*lab.Host
	daemons            [2]*ipvsd.Daemon
}

func newDirectors(t *testing.T) *directors {
	t.Helper()
	x := &directors{t: t, external: lab.NewBridge(t, "external", 1500), internal: lab.NewBridge(t, "internal", 1500)}
	for i := range x.hosts {
		h := lab.NewHost(t, fmt.Sprintf("director%d", i+1))
		h.Connect(x.external, "eth0", fmt.Sprintf("192.168.1.10%d/24", i+1))
		h.Connect(x.internal, "eth1", fmt.Sprintf("10.0.100.%d/24", i+1))
		x.hosts[i] = h
	}
	return x
}

// synced is a configuration of two instances in a group, with the addresses of VI_1, and sync daemons that follow it.
func synced(priority int, addresses ...string) string {
	return fmt.Sprintf(`
[global_defs]
vrrp_version = 3
lvs_sync_daemon = { interface = "eth1", instance = "VI_1", id = 7, backup_only = true }
[vrrp_sync_group.G1]
group = ["VI_1", "VI_2"]
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = %d
advert_int = 0.3
virtual_ipaddress = ["%s"]
[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 52
priority = %d
advert_int = 0.3
virtual_ipaddress = ["10.0.100.200/24"]
`, priority, strings.Join(addresses, `", "`), priority)
}

// has returns which of some addresses an interface of a host has.
func has(h *lab.Host, dev string, of ...string) (found []string, err error) {
	out, err := h.Output("ip", "-o", "address", "show", "dev", dev)
	for f := range strings.FieldsSeq(out) {
		if slices.Contains(of, f) {
			found = append(found, f)
		}
	}
	return found, err
}

// active waits until one director has all addresses and the other one none, and the sync daemons and backup_only are as that demands.
func (x *directors) active(when string, n int, addresses ...string) {
	x.t.Helper()
	lab.WaitFor(x.t, ipvsd.Patience, when, func() error {
		for i, h := range x.hosts {
			want, role, only := addresses, "master", "0"
			if i != n {
				want, role, only = nil, "backup", "1"
			}
			got, err := has(h, "eth0", addresses...)
			if err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("%s has %v, want %v", h.Name, got, want)
			}
			inside, err := has(h, "eth1", "10.0.100.200/24")
			if err != nil || len(inside) != min(len(want), 1) {
				return cmp.Or(err, fmt.Errorf("%s has %v on eth1", h.Name, inside))
			}
			out, err := h.Output("ipvsadm", "-Ln", "--daemon")
			if err != nil {
				return err
			}
			if out = ipvsd.Trim(out); strings.Contains(out, "\n") || !strings.HasPrefix(out, role+" sync daemon (mcast=eth1, syncid=7,") {
				return fmt.Errorf("%s: %s", h.Name, out)
			}
			if got, err := h.Output("sysctl", "-n", "net.ipv4.vs.backup_only"); err != nil || strings.TrimSpace(got) != only {
				return cmp.Or(err, fmt.Errorf("%s: backup_only %s", h.Name, got))
			}
		}
		return nil
	})
}

// logged returns what the daemon of a director wrote to its log.
func (x *directors) logged(n int, text string) bool {
	return strings.Contains(x.daemons[n].Process.Log(), text)
}

// monitor records what becomes of the addresses of a host.
func monitor(t *testing.T, h *lab.Host) *lab.Process {
	p := h.Start("ip", "-o", "monitor", "address")
	lab.WaitFor(t, ipvsd.Patience, "ip monitor to listen", func() error {
		h.Run("ip", "address", "replace", "198.51.100.1/32", "dev", "lo")
		if !strings.Contains(p.Log(), "198.51.100.1/32") {
			return errors.New("it does not yet")
		}
		return nil
	})
	return p
}

// TestKernelFailover: two daemons have one set of addresses between them, whatever happens to either, and the sync daemons and
// backup_only follow.
func TestKernelFailover(t *testing.T) {
	x := newDirectors(t)
	const first, second = "192.168.1.200/24", "192.168.1.201/24"
	for i, priority := range []int{150, 100} {
		x.daemons[i] = ipvsd.Start(t, x.hosts[i], synced(priority, first, second))
	}
	x.active("the election", 0, first, second)

	x.daemons[0].Kill()
	lab.WaitFor(t, ipvsd.Patience, "the other one's takeover", func() error {
		got, err := has(x.hosts[1], "eth0", first, second)
		if err != nil || len(got) != 2 {
			return cmp.Or(err, fmt.Errorf("there are %v", got))
		}
		return nil
	})
	// What kill -9 left goes before anything else: the sync daemon too.
	changes := monitor(t, x.hosts[0])
	x.daemons[0].Start()
	x.active("the return after kill -9", 0, first, second)
	if log := changes.Log(); strings.Count(log, "Deleted") != 3 { // of eth0 two, of eth1 one
		t.Errorf("leftovers are removed first, but\n%s", log)
	}

	// A reload that adds and removes addresses touches no other.
	const third = "192.168.1.202/24"
	changes.Kill()
	changes = monitor(t, x.hosts[0])
	for i, priority := range []int{150, 100} {
		x.daemons[i].Load(synced(priority, first, third, second))
	}
	x.active("one more address", 0, first, second, third)
	for i, priority := range []int{150, 100} {
		x.daemons[i].Load(synced(priority, first, third))
	}
	x.active("one address less", 0, first, third)
	changes.WaitLog(ipvsd.Patience, "Deleted")
	if log := changes.Log(); strings.Count(log, "Deleted") != 1 || !strings.Contains(log, "inet "+second) {
		t.Errorf("two reloads touched\n%s", log)
	}
	if s := x.vrrp(0); s.Instances[0].Counters.BecameActive != 1 || s.Instances[0].Held.Present != 2 || s.Groups[0].State != "MASTER" {
		t.Errorf("after two reloads %+v", s)
	}

	// The whole group goes when one of its networks does.
	x.internal.Unplug(x.hosts[0])
	x.active("a cable that is pulled", 1, first, third)
	if s := x.vrrp(0); s.Instances[0].State != "FAULT" || s.Instances[1].State != "FAULT" || s.Groups[0].State != "FAULT" {
		t.Errorf("without one network: %+v", s)
	}
	x.internal.Plug(x.hosts[0])
	x.active("the cable put in again", 0, first, third)

	x.daemons[0].Stop()
	x.active("a clean stop", 1, first, third)
	x.daemons[0].Start()
	x.active("the start after it", 0, first, third)
	if x.logged(0, "start sync daemon backup") {
		t.Errorf("the backup daemon of the run before is not adopted:\n%s", x.daemons[0].Process.Log())
	}

	// Without virtual routers in the file nothing of them is left.
	for i := range x.daemons {
		x.daemons[i].Load("# nothing any more\n")
	}
	for _, h := range x.hosts {
		lab.WaitFor(t, ipvsd.Patience, "no addresses on "+h.Name, func() error {
			got, err := has(h, "eth0", first, third)
			if err != nil || len(got) > 0 {
				return cmp.Or(err, fmt.Errorf("there are %v", got))
			}
			return nil
		})
	}
}

func (x *directors) vrrp(n int) *status.VRRP {
	x.t.Helper()
	s, err := x.daemons[n].VRRP(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

// TestKernelReleaseToLo: the address of a director that is also a real server is on lo while it isn't active, also when its daemon
// is stopped, and the host does not answer for it.
func TestKernelReleaseToLo(t *testing.T) {
	x := newDirectors(t)
	observer := lab.NewHost(t, "observer")
	observer.Connect(x.external, "eth0", "192.168.1.10/24")
	for i, priority := range []int{150, 100} {
		x.daemons[i] = ipvsd.Start(t, x.hosts[i], fmt.Sprintf(`
[vrrp_instance.VI_1]
version = 3
interface = "eth0"
virtual_router_id = 51
priority = %d
advert_int = 0.3
virtual_ipaddress = ["192.168.1.200/24"]
release_to_lo = true
`, priority))
	}
	on := func(when string, n int) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, when, func() error {
			for i, h := range x.hosts {
				dev, addr := "lo", "192.168.1.200/32"
				if i == n {
					dev, addr = "eth0", "192.168.1.200/24"
				}
				all, err := h.Output("ip", "-o", "-4", "address", "show", "to", "192.168.1.200")
				if err != nil || strings.Count(all, "\n") != 1 || !strings.Contains(all, " "+dev+" ") || !strings.Contains(all, addr) {
					return cmp.Or(err, fmt.Errorf("%s has\n%s", h.Name, all))
				}
			}
			return nil
		})
	}
	on("the election", 0)
	x.daemons[0].Stop()
	on("a stopped daemon", 1)
	// Who asks hears of one host only.
	observer.Run("ip", "neighbour", "flush", "all")
	lab.WaitFor(t, ipvsd.Patience, "an answer", func() error {
		observer.Run("bash", "-c", "echo > /dev/udp/192.168.1.200/9")
		if n := observer.Run("ip", "neighbour", "show", "to", "192.168.1.200"); !strings.Contains(n, x.hosts[1].MAC("eth0")) {
			return fmt.Errorf("the neighbour is %q", n)
		}
		return nil
	})
	x.daemons[0].Start()
	on("its return", 0)
}

// TestKernelStopHandsOver: clients miss nothing when the active director's daemon is stopped, nor when it comes back. On a busy
// machine some requests may be lost; with priority 0 alone it would be those of half a second.
func TestKernelStopHandsOver(t *testing.T) {
	x := newDirectors(t)
	client := lab.NewHost(t, "client")
	client.Connect(x.external, "eth0", "192.168.1.10/24")
	const vip = "192.168.1.200"
	for i, priority := range []int{150, 100} {
		h := x.hosts[i]
		h.Sysctl("net.ipv4.ip_nonlocal_bind", "1")
		conn, err := h.ListenPacket("udp", vip+":7")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() {
			for b := make([]byte, 1); ; {
				_, from, err := conn.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo([]byte(h.Name), from)
			}
		}()
		x.daemons[i] = ipvsd.Start(t, h, fmt.Sprintf(`
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = %d
virtual_ipaddress = ["192.168.1.200/24"]
`, priority))
	}
	ask := func() (string, error) {
		conn, err := client.DialContext(t.Context(), "udp", vip+":7")
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return "", err
		}
		if _, err := conn.Write([]byte("?")); err != nil {
			return "", err
		}
		b := make([]byte, 64)
		n, err := conn.Read(b)
		return string(b[:n]), err
	}
	by := func(when string, n int) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, when, func() error {
			if name, err := ask(); err != nil || name != x.hosts[n].Name {
				return cmp.Or(err, fmt.Errorf("%q answers", name))
			}
			return nil
		})
	}
	by("the election", 0)
	load := lab.StartLoad(ask)
	x.daemons[0].Stop()
	by("a clean stop", 1)
	x.daemons[0].Start()
	by("the return", 0)
	seen := load.Stop()
	t.Logf("a stop and a return: %+v", seen)
	if seen.Failed > 10 {
		t.Errorf("%d of %d requests failed", seen.Failed, seen.Sent)
	}
}
