//go:build kernel

package ipvsnl

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

func TestKernelConformance(t *testing.T) {
	ipvstest.Conformance(t, func(t *testing.T) ipvstest.Subject {
		c := client(t)
		return ipvstest.Subject{Client: c, Interface: syncInterface(t), Traffic: func(t *testing.T, service ipvs.ServiceKey, server netip.AddrPort) {
			traffic(t, c, service, server)
		}}
	})
}

// traffic sends datagrams to a service from its own host, which IPVS balances too, until the kernel has counted some.
func traffic(t *testing.T, c *Client, service ipvs.ServiceKey, server netip.AddrPort) {
	t.Helper()
	l, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(service.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	// The kernel adds up its counters every two seconds.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		table, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := table.Find(service); s != nil && s.Stats.InPackets > 0 && s.Destinations[0].Stats.InPackets > 0 {
			return
		}
		<-tick.C
	}
	t.Fatal("no packet was counted within 20 s")
}

// ipvsadm, which shares no code with us, sees what was written.
func TestKernelIpvsadmAgrees(t *testing.T) {
	c := client(t)
	apply(t, c, ipvstest.Fill(ipvstest.EveryField()))
	var seen bytes.Buffer
	for _, args := range []string{"-Sn", "-Ln --thresholds", "-Ln --tun-info"} {
		out, err := exec.Command("ipvsadm", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ipvsadm %s: %v\n%s", args, err, out)
		}
		fmt.Fprintf(&seen, "$ ipvsadm %s\n%s\n", args, out)
	}
	golden.Check(t, "testdata/ipvsadm.golden", seen.Bytes())
}

// And we see what ipvsadm wrote.
func TestKernelReadsWhatIpvsadmWrote(t *testing.T) {
	c := client(t)
	restore := exec.Command("ipvsadm", "-R")
	restore.Stdin = strings.NewReader(`
-A -t 192.0.2.1:80 -s wlc
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 70000 -x 80000 -y 70000
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 0
-a -t 192.0.2.1:80 -r 198.51.100.3:80 -i --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.1:80 -r [2001:db8::1]:80 -i --tun-type gre
-A -t 192.0.2.1:0 -s wrr -p 3600 -M 255.255.255.0
-A -u 192.0.2.1:53 -s rr -o
-A -u 192.0.2.1:5060 -s rr -p 90 --pe sip
-A --sctp-service 192.0.2.1:80 -s sh -b sh-fallback,sh-port
-A -t [2001:db8::80]:80 -s mh -b flag-3,mh-fallback -p 360 -M 64
-A -f 7 -s rr
-A -f 7 -6 -s rr
`)
	if out, err := restore.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("ipvsadm -R: %v\n%s", err, out)
	}
	got, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	service := func(key, scheduler string, f ipvs.ServiceFlags, p time.Duration, granularity uint8) ipvs.ServiceStatus {
		s := ipvstest.Service(key, scheduler)
		s.Flags, s.Persistence, s.Granularity = f, p, granularity
		return ipvs.ServiceStatus{Service: s}
	}
	destination := func(addr string, f ipvs.Forward, weight int32, l, u uint32, t ipvs.Tunnel) ipvs.DestinationStatus {
		return ipvs.DestinationStatus{Destination: ipvs.Destination{
			Addr: netip.MustParseAddrPort(addr), Forward: f, Weight: weight, LowerThreshold: l, UpperThreshold: u, Tunnel: t,
		}}
	}
	web := service("tcp 192.0.2.1:80", "wlc", 0, 0, 32)
	web.Destinations = []ipvs.DestinationStatus{
		destination("198.51.100.1:8080", ipvs.NAT, 70000, 70000, 80000, ipvs.Tunnel{}),
		destination("198.51.100.2:80", ipvs.DR, 0, 0, 0, ipvs.Tunnel{}),
		destination("198.51.100.3:80", ipvs.Tun, 1, 0, 0, ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.Csum}),
		destination("[2001:db8::1]:80", ipvs.Tun, 1, 0, 0, ipvs.Tunnel{Type: ipvs.GRE}),
	}
	sip := service("udp 192.0.2.1:5060", "rr", 0, 90*time.Second, 32)
	sip.Engine = "sip"
	want := ipvs.Table{
		web, sip,
		service("tcp 192.0.2.1:0", "wrr", 0, time.Hour, 24),
		service("udp 192.0.2.1:53", "rr", ipvs.OnePacket, 0, 32),
		service("sctp 192.0.2.1:80", "sh", ipvs.SHFallback|ipvs.SHPort, 0, 32),
		service("tcp [2001:db8::80]:80", "mh", ipvs.Scheduler3|ipvs.MHFallback, 6*time.Minute, 64),
		service("fwmark 7", "rr", 0, 0, 32),
		service("fwmark 7 inet6", "rr", 0, 0, 128),
	}
	want.Sort()
	if d := ipvstest.Diff(got, want); d != "" {
		t.Error(d)
	}
}

// The timeouts as github.com/moby/ipvs reads them.
func TestKernelTimeoutsAgreeWithMoby(t *testing.T) {
	c := client(t)
	if _, err := c.Info(t.Context()); err != nil { // has the module loaded, which moby expects
		t.Fatal(err)
	}
	other, err := moby.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.SetConfig(&moby.Config{TimeoutTCP: time.Hour, TimeoutTCPFin: 7 * time.Second}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Timeouts(t.Context())
	if want := (ipvs.Timeouts{TCP: time.Hour, TCPFin: 7 * time.Second, UDP: 5 * time.Minute}); err != nil || got != want {
		t.Errorf("timeouts %+v, %v; want %+v", got, err, want)
	}
	if err := c.SetTimeouts(t.Context(), ipvs.Timeouts{UDP: 11 * time.Second}); err != nil {
		t.Fatal(err)
	}
	config, err := other.GetConfig()
	want := moby.Config{TimeoutTCP: time.Hour, TimeoutTCPFin: 7 * time.Second, TimeoutUDP: 11 * time.Second}
	if err != nil || *config != want {
		t.Errorf("moby reads %+v, %v; want %+v", config, err, want)
	}
}

// A client stays in the namespace in which it was opened, wherever it is used.
func TestKernelNamespaceIsThatOfOpen(t *testing.T) {
	first := client(t)
	apply(t, first, ipvstest.Fill(ipvs.Table{{Service: ipvstest.Service("tcp 192.0.2.1:80", "rr")}}))
	second := client(t) // moves this thread elsewhere
	for _, c := range []struct {
		name   string
		client *Client
		want   int
	}{{"first", first, 1}, {"second", second, 0}} {
		if got, err := c.client.Snapshot(t.Context()); err != nil || len(got) != c.want {
			t.Errorf("%s client sees %v, %v; want %d services", c.name, got, err, c.want)
		}
	}
}

func TestKernelConcurrentUse(t *testing.T) {
	c := client(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var commands, undo []ipvs.Command
			for j := range 100 {
				s := ipvstest.Service(fmt.Sprintf("tcp 192.0.2.%d:%d", 1+i, 1+j), "rr")
				commands = append(commands, ipvs.Command{Op: ipvs.NewService, Service: s})
				undo = append(undo, ipvs.Command{Op: ipvs.DelService, Service: s})
			}
			for _, batch := range [][]ipvs.Command{commands, undo} {
				refused, err := c.Apply(t.Context(), batch)
				if err != nil || len(refused) > 0 {
					t.Errorf("apply: %v, refused %v", err, refused)
				}
				if _, err := c.Snapshot(t.Context()); err != nil {
					t.Errorf("snapshot: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := c.Snapshot(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("in the end: %v, %v", got, err)
	}
}

// Without CAP_NET_ADMIN a client can be opened, with smaller buffers, and everything is refused.
func TestKernelUnprivileged(t *testing.T) {
	if _, err := client(t).Info(t.Context()); err != nil { // has the module loaded
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // on a thread that ends with it
		defer close(done)
		runtime.LockOSThread()
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			t.Error(err)
			return
		}
		c, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		commands := services(2 * maxBatch)
		refused, err := c.Apply(t.Context(), commands)
		if err != nil || len(refused) != len(commands) || !errors.Is(refused[0], fs.ErrPermission) {
			t.Errorf("apply: %v, %d of %d refused", err, len(refused), len(commands))
		}
		_, err = c.Snapshot(t.Context())
		wantErr(t, err, "read table: "+ipvs.EPERM.Error(), fs.ErrPermission)
	}()
	<-done
}

// A socket whose answers were dropped is of use again, and says which outcome isn't known.
func TestKernelOverrun(t *testing.T) {
	c := client(t)
	add := ipvstest.Fill(ipvs.Table{{Service: ipvstest.Service("tcp 192.0.2.1:80", "rr")}})
	apply(t, c, add)
	if err := c.socket.(*rawSocket).conn.SetReadBuffer(2048); err != nil {
		t.Fatal(err)
	}
	again := slices.Repeat(add, 2*c.batch)
	refused, err := c.Apply(t.Context(), again)
	wantErr(t, err, "change table: the outcome from command 0 on is unknown: the kernel had no room for its answers", errLost)
	if len(refused) > 0 {
		t.Errorf("refused %d commands although the answers were dropped", len(refused))
	}
	if err := c.socket.(*rawSocket).conn.SetReadBuffer(receiveBuffer); err != nil {
		t.Fatal(err)
	}
	if refused, err := c.Apply(t.Context(), again); err != nil || len(refused) != len(again) {
		t.Errorf("afterwards: %v, %d of %d commands refused", err, len(refused), len(again))
	}
}

// Without the module each call says so; as soon as it is there they work, also if it comes back under another number.
// Taking the module away concerns the whole kernel: nothing may run beside this test, so it isn't parallel, and it is
// not done to the machine's own kernel.
func TestKernelModule(t *testing.T) {
	if os.Getenv("IPVSD_LAB") == "host" {
		out, err := exec.Command("../../../scripts/lab", "--uml", os.Args[0], "-test.run=^TestKernelModule$").CombinedOutput()
		if err != nil {
			t.Fatalf("in User Mode Linux: %v\n%s", err, out)
		}
		return
	}
	c := client(t)
	web := ipvstest.Fill(ipvs.Table{{Service: ipvstest.Service("tcp 192.0.2.1:80", "rr")}})
	apply(t, c, web)
	apply(t, c, []ipvs.Command{{Op: ipvs.DelService, Service: web[0].Service}})

	helper := readFile(t, "/proc/sys/kernel/modprobe")
	writeFile(t, "/proc/sys/kernel/modprobe", "/bin/false") // no loading on demand
	defer writeFile(t, "/proc/sys/kernel/modprobe", helper)
	unloadIPVS(t)
	for range 2 {
		if _, err := c.Snapshot(t.Context()); !errors.Is(err, ipvs.ErrUnavailable) {
			t.Errorf("snapshot without the module: %v", err)
		}
		if _, err := c.Apply(t.Context(), web); !errors.Is(err, ipvs.ErrUnavailable) {
			t.Errorf("apply without the module: %v", err)
		}
		if _, err := c.Timeouts(t.Context()); !errors.Is(err, ipvs.ErrUnavailable) {
			t.Errorf("timeouts without the module: %v", err)
		}
	}
	if fresh, err := Open(); err != nil {
		t.Errorf("open without the module: %v", err)
	} else if err := fresh.Close(); err != nil {
		t.Error(err)
	}

	writeFile(t, "/proc/sys/kernel/modprobe", helper)
	apply(t, c, web)
	if got, err := c.Snapshot(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("with the module back: %v, %v", got, err)
	}
}

// unloadIPVS waits until no namespace uses the module, which takes a moment after a test, and removes it.
func unloadIPVS(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		modules, err := filepath.Glob("/sys/module/ip_vs*")
		if err != nil {
			t.Fatal(err)
		}
		if len(modules) == 0 {
			return
		}
		for i := range modules {
			modules[i] = filepath.Base(modules[i])
		}
		slices.Reverse(modules) // ip_vs itself is last
		// It is an error only if the limit is reached.
		_ = exec.Command("modprobe", append([]string{"-r"}, modules...)...).Run()
		<-tick.C
	}
	out, _ := exec.Command("lsmod").Output()
	t.Fatalf("the module ip_vs can't be removed within 20 s:\n%s", out)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// busySocket has something happen whenever a client is about to read an answer.
type busySocket struct {
	socket
	meanwhile func()
}

func (s busySocket) receive(wait bool) ([][]byte, error) {
	s.meanwhile()
	return s.socket.receive(wait)
}

// While somebody else makes and deletes services, some steps in each snapshot, snapshots have all that stays as it is,
// whole, although the answers take several datagrams; or they say that they gave up.
func TestKernelSnapshotWhileChanging(t *testing.T) {
	c := client(t)
	stable := tableOf(20, 150)
	apply(t, c, stable)
	other, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	var flap []ipvs.Command
	for i := range 20 {
		s := ipvstest.Service(fmt.Sprintf("tcp 192.0.2.%d:80", 1+i), "rr")
		flap = append(flap,
			ipvs.Command{Op: ipvs.NewService, Service: s},
			ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: ipvstest.NAT("198.51.100.1:80")},
			ipvs.Command{Op: ipvs.DelService, Service: s})
	}
	answers, steps := 0, 0
	quiet := c.socket
	c.socket = busySocket{quiet, func() {
		if answers++; answers%17 == 0 {
			apply(t, other, flap[steps%len(flap):][:1])
			steps++
		}
	}}
	whole := 0
	for range 50 {
		table, err := c.Snapshot(t.Context())
		if errors.Is(err, errInterrupted) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		whole++
		for _, command := range stable {
			if command.Op == ipvs.NewService {
				if s := table.Find(command.Service.ServiceKey); s == nil || len(s.Destinations) != 150 {
					t.Fatalf("of %v the snapshot has %v", command.Service, s)
				}
			}
		}
	}
	c.socket = quiet
	t.Logf("%d of 50 snapshots were whole, the table changed %d times", whole, steps)
	if whole == 0 {
		t.Error("not one snapshot was whole")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
