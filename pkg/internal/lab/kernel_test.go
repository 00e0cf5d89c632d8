//go:build kernel

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKernelLabHasIPVS(t *testing.T) {
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil {
		t.Error(err)
	}
	if at := os.Getenv("IPVSD_LAB"); at != "uml" && at != "host" {
		t.Errorf("IPVSD_LAB=%q, want uml or host", at)
	}
	if os.Geteuid() != 0 {
		t.Error("not root")
	}
}

func TestKernelLabTablesAreSeparate(t *testing.T) {
	a, b := NewHost(t, "a"), NewHost(t, "b")
	a.Run("ipvsadm", "-A", "-t", "192.0.2.1:80", "-s", "rr")
	a.Run("ipvsadm", "-a", "-t", "192.0.2.1:80", "-r", "192.0.2.10:80", "-m", "-w", "7")
	b.Run("ipvsadm", "-A", "-f", "3", "-6", "-s", "wlc")

	if got, want := fmt.Sprint(a.Table()), "[TCP 192.0.2.1:80 rr -> 192.0.2.10:80 Masq 7 0 0]"; got != want {
		t.Errorf("table of a: %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(b.Table()), "[FWM 3 IPv6 wlc]"; got != want {
		t.Errorf("table of b: %s, want %s", got, want)
	}
	if got, want := strings.Join(a.SavedTable(), "; "), "-A -t 192.0.2.1:80 -s rr; -a -t 192.0.2.1:80 -r 192.0.2.10:80 -m -w 7"; got != want {
		t.Errorf("saved table of a: %s, want %s", got, want)
	}
}

func TestKernelLabLoadsSchedulers(t *testing.T) {
	h := NewHost(t, "table")
	schedulers := strings.Fields("rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh")
	if err := exec.Command("modinfo", "ip_vs_twos").Run(); err == nil { // not built by everybody
		schedulers = append(schedulers, "twos")
	}
	for i, s := range schedulers {
		h.Run("ipvsadm", "-A", "-f", strconv.Itoa(i+1), "-s", s)
	}
	for i, r := range h.Table() {
		if want := fmt.Sprintf("FWM %d %s", i+1, schedulers[i]); r.String() != want {
			t.Errorf("row %d is %q, want %q", i, r, want)
		}
	}
}

func TestKernelLabNATCluster(t *testing.T) {
	const requests = 30
	c := NewNATCluster(t)
	c.balance()

	web, dns := map[string]int{}, map[string]int{}
	for range requests {
		answer, err := c.Get()
		if err != nil {
			t.Fatal(err)
		}
		if answer.Client.Addr() != ClientAddr {
			t.Fatalf("%s saw a request from %s, want %s", answer.Server, answer.Client, ClientAddr)
		}
		web[answer.Server]++
		name, err := c.Query()
		if err != nil {
			t.Fatal(err)
		}
		dns[name]++
	}
	if got, want := fmt.Sprint(web, dns), "map[web1:10 web2:10 web3:10] map[dns1:10 dns2:10 dns3:10]"; got != want {
		t.Errorf("shares: %s, want %s", got, want)
	}
	WaitFor(t, time.Minute, "the counters", func() error {
		rows, err := c.Director.ReadTable("--stats", "--exact")
		if err != nil {
			return err
		}
		for _, r := range rows {
			want := int64(requests)
			if r.Server != "" {
				want /= 3
			}
			if r.Int(0) != want {
				return fmt.Errorf("%s: %d connections, want %d", r, r.Int(0), want)
			}
		}
		return nil
	})

	c.Web[2].Stop()
	if _, err := c.Director.Get(c.Web[2].Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("request to the stopped %s: %v, want it refused", c.Web[2].Host.Name, err)
	}
	c.Web[2].Start()
	if _, err := c.Director.Get(c.Web[2].Addr); err != nil {
		t.Errorf("request to the server started again: %v", err)
	}
}

// balance does by ipvsadm alone what scenario 1 asks for.
func (c *NATCluster) balance() {
	for _, s := range []struct {
		flag, vip string
		servers   []*Server
	}{
		{"-t", WebVIP.String(), c.Web},
		{"-u", DNSVIP.String(), c.DNS},
	} {
		c.Director.Run("ipvsadm", "-A", s.flag, s.vip, "-s", "rr")
		for _, server := range s.servers {
			c.Director.Run("ipvsadm", "-a", s.flag, s.vip, "-r", server.Addr.String(), "-m")
		}
	}
}

func TestKernelLabCaptureSeesPackets(t *testing.T) {
	b := NewBridge(t, "net", 1500)
	client, server := NewHost(t, "client"), NewHost(t, "server")
	client.Connect(b, "eth0", "192.0.2.1/24", "2001:db8::1/64")
	server.Connect(b, "eth0", "192.0.2.2/24", "2001:db8::2/64")
	listener, err := server.ListenPacket("udp", "[::]:5000")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	capture := NewCapture(server, "eth0", "udp and dst port 5000")
	other := NewCapture(server, "eth0", "udp and dst port 5001")

	const each = 50
	to := []string{"192.0.2.2:5000", "[2001:db8::2]:5000"}
	for _, address := range to {
		conn, err := client.DialContext(t.Context(), "udp", address)
		if err != nil {
			t.Fatal(err)
		}
		for range each {
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	packets := strings.Join(capture.Stop(), "\n")
	for _, destination := range []string{"> 192.0.2.2.5000:", "> 2001:db8::2.5000:"} {
		if n := strings.Count(packets, destination); n != each {
			t.Errorf("%d packets %s captured, want %d; all:\n%s", n, destination, each, packets)
		}
	}
	if packets := other.Stop(); len(packets) != 0 {
		t.Errorf("captured what was not sent: %q", packets)
	}
}

func TestKernelLabLinkDownAndUp(t *testing.T) {
	b := NewBridge(t, "net", 1500)
	client, server := NewHost(t, "client"), NewHost(t, "server")
	client.Connect(b, "eth0", "192.0.2.1/24")
	server.Connect(b, "eth0", "192.0.2.2/24")
	web := NewNginx(server, netip.MustParseAddr("192.0.2.2"))
	web.Start()
	get := func() error {
		_, err := client.Get(web.Addr)
		return err
	}
	if err := get(); err != nil {
		t.Error(err)
	}
	client.LinkDown("eth0")
	if err := get(); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("with the link down: %v, want the network unreachable", err)
	}
	client.LinkUp("eth0")
	WaitFor(t, time.Minute, "the link to carry requests again", get)
}

func TestKernelLabProcess(t *testing.T) {
	h := NewHost(t, "host")
	p := h.Start("tail", "-f", "/proc/version")
	p.WaitLog(time.Minute, "Linux version")
	if err := p.Stop(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("stopped with %v, want signal: terminated", err)
	}
	if _, err := h.Output("ls", "/nowhere"); err == nil || !strings.Contains(err.Error(), "exit status 2: ls: cannot access") {
		t.Errorf("Output of a command that ends with 2 and a message: %v", err)
	}
}

// Here the machine's own kernel has IPVS, so scripts/lab uses that: what is tested of it in User Mode Linux holds there.
func TestKernelLabInPlace(t *testing.T) {
	if got := which(t); got != "host\n" {
		t.Fatalf("scripts/lab --which says %q inside a lab, want host", got)
	}
	t.Run("PassesEverything", TestScriptPassesEverything)
	t.Run("OutputIsExact", TestScriptOutputIsExact)
	t.Run("TwoAtOnceAndSignals", TestScriptTwoAtOnceAndSignals)
	t.Run("EndsWithTheCommand", TestScriptEndsWithTheCommand)
	t.Run("TimeLimit", TestScriptTimeLimit)
	t.Run("Refusals", TestScriptRefusals)
	t.Run("HostWithoutIPVS", TestScriptHostWithoutIPVS)
}

// Everything that a test leaves running, also frozen and in the background, is gone after it, and so are its files.
func TestKernelLabLeavesNothingBehind(t *testing.T) {
	before := leftovers(t)
	var frozen, background *Process
	t.Run("test", func(t *testing.T) {
		h := NewHost(t, "messy")
		web := NewNginx(h, WebVIP.Addr())
		web.Start()
		web.Freeze()
		frozen = web.process
		// A daemon in a session of its own, out of reach of its parent's process group.
		background = h.Start("setsid", "-f", "sleep", "1000")
		if err := background.Err(); err != nil {
			t.Fatal(err)
		}
	})
	if after := leftovers(t); after != before {
		t.Errorf("before the test:\n%s\nafter:\n%s", before, after)
	}
	if err := syscall.Kill(frozen.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the frozen server: %v, want it gone", err)
	}
}

// leftovers lists the processes, namespaces and files that there are.
func leftovers(t *testing.T) string {
	t.Helper()
	var list strings.Builder
	// The kernel has threads of its own, and a killed process is a zombie until its parent looks.
	commands, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		if exe, err := os.Readlink(c); err == nil {
			fmt.Fprintln(&list, c, exe)
		}
	}
	for _, pattern := range []string{"/run/netns/*", os.TempDir() + "/lab-*", "/var/cache/bind/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&list, strings.Join(files, "\n"))
	}
	return list.String()
}
