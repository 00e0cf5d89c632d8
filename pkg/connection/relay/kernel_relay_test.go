//go:build kernel

package relay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/connection/relay"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

const patience = 2 * time.Minute

// table is that of a director whose servers are the director itself.
var table = []string{
	"-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m",
	"-A -t [2001:db8::1]:80 -s rr", "-a -t [2001:db8::1]:80 -r [2001:db8:1::2]:80 -m",
	"-A -u 192.0.2.1:53 -s rr", "-a -u 192.0.2.1:53 -r 10.0.0.2:53 -m",
	"-A -t 192.0.2.1:81 -s rr -p 300", "-a -t 192.0.2.1:81 -r 10.0.0.2:81 -m",
}

// open opens the table of the calling thread's network namespace.
func open() (io.ReadCloser, error) { return os.Open("/proc/thread-self/net/ip_vs_conn") }

// entries returns a host's connections.
func entries(h *lab.Host) (list []connection.Connection, err error) {
	err = h.Do(func() error {
		f, err := open()
		if err != nil {
			return err
		}
		defer f.Close()
		for c, err := range connection.Read(f) {
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	})
	return list, err
}

// newDirectors makes a director that has connections of every kind, and one that is to hear of them.
func newDirectors(t *testing.T) (from, to *lab.Host) {
	t.Helper()
	outside, inside := lab.NewBridge(t, "outside", 1500), lab.NewBridge(t, "inside", 1500)
	client := lab.NewHost(t, "client")
	client.Connect(outside, "eth0", "198.51.100.2/24", "2001:db8:9::2/64")
	from, to = lab.NewHost(t, "from"), lab.NewHost(t, "to")
	from.Connect(outside, "eth0", "198.51.100.1/24", "2001:db8:9::1/64")
	from.Connect(inside, "eth1", "10.0.100.1/24")
	to.Connect(inside, "eth1", "10.0.100.2/24")
	client.DefaultRoute(netip.MustParseAddr("198.51.100.1"))
	client.DefaultRoute(netip.MustParseAddr("2001:db8:9::1"))
	for _, prefix := range []string{"192.0.2.1/32", "10.0.0.2/32", "2001:db8::1/128", "2001:db8:1::2/128"} {
		from.AddAddress("lo", prefix)
	}
	for _, line := range table {
		from.Run(append([]string{"ipvsadm"}, strings.Fields(line)...)...)
		to.Run(append([]string{"ipvsadm"}, strings.Fields(strings.Replace(line, " -m", " -g", 1))...)...) // its own method counts
	}
	// Everything is told with the first packet.
	from.Sysctl("net.ipv4.vs.sync_threshold", "0 1")
	from.Run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "eth1", "--syncid", "7")
	for _, at := range []string{"10.0.0.2:80", "10.0.0.2:81", "[2001:db8:1::2]:80"} {
		l, err := from.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
			}
		}()
	}
	for _, at := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1:81", "192.0.2.1:80"} {
		conn, err := client.DialContext(t.Context(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := client.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	if _, err := socket.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:53"))); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// hear listens to the group of the sync daemons.
func hear(t *testing.T, h *lab.Host) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() error {
		link, err := net.InterfaceByName("eth1")
		if err == nil {
			conn, err = net.ListenMulticastUDP("udp4", link, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 81), Port: 8848})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ours is a message with one entry.
func ours(c *connection.Connection) []byte {
	m := connection.NewSyncMessage(7, 1472)
	m.Add(c, ipvs.NAT)
	return m.Bytes()
}

// TestKernelSyncMessage: what the kernel tells of its connections is what we would, byte for byte.
func TestKernelSyncMessage(t *testing.T) {
	from, to := newDirectors(t)
	conn := hear(t, to)
	list, err := entries(from)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 6 {
		t.Fatalf("%d connections: %v", len(list), list)
	}
	want := make(map[string]bool)
	for i := range list {
		want[list[i].Client.String()+list[i].Virtual.String()] = true
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for packet := make([]byte, 2000); len(want) > 0; {
		n, err := conn.Read(packet)
		if err != nil {
			t.Fatalf("the kernel does not tell of %v: %v", want, err)
		}
		b := packet[:n]
		for at := 8; at < n; {
			entry := b[at : at+int(binary.BigEndian.Uint16(b[at+2:])&0xfff)]
			at += len(entry)
			for _, c := range list {
				if c.Client.Port() != binary.BigEndian.Uint16(entry[10:]) || c.Virtual.Port() != binary.BigEndian.Uint16(entry[12:]) ||
					c.Client.Addr().Is6() != (entry[0] == 1) {
					continue
				}
				c.Expires = time.Duration(binary.BigEndian.Uint32(entry[20:])-1) * time.Second // it says the whole time
				m := ours(&c)
				if bytes.Equal(m[16:18], entry[8:10]) { // the state of now
					delete(want, c.Client.String()+c.Virtual.String())
				} else {
					continue
				}
				if last := m[len(m)-len(entry):]; !bytes.Equal(last, entry) {
					t.Errorf("%v\nkernel %x\nours   %x", c, entry, last)
				}
				if !bytes.Equal(m[5:8], b[5:8]) || !bytes.Equal(m[:2], b[:2]) || int(binary.BigEndian.Uint16(b[2:])) != n {
					t.Errorf("the kernel begins with %x, we with %x", b[:8], m[:8])
				}
			}
		}
	}
}

// TestKernelRelay: a kernel that hears it has the connections, with its own way to reach their servers.
func TestKernelRelay(t *testing.T) {
	from, to := newDirectors(t)
	from.Run("ipvsadm", "--stop-daemon", "master")
	to.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "eth1", "--syncid", "7")
	r := relay.New(slog.New(slog.DiscardHandler), open)
	r.Change(relay.Setup{
		Daemon: ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}.Started(ipvs.SyncMaster),
		Methods: map[netip.AddrPort]ipvs.Forward{
			netip.MustParseAddrPort("10.0.0.2:0"): ipvs.NAT, netip.MustParseAddrPort("[2001:db8:1::2]:0"): ipvs.NAT,
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = from.Do(func() error { r.Run(ctx); return nil }) })
	defer running.Wait()
	defer cancel()
	lines := func(h *lab.Host) (lines []string, err error) {
		list, err := entries(h)
		for _, c := range list {
			lines = append(lines, fmt.Sprint(c.Protocol, c.Client, c.Virtual, c.Server, c.State))
		}
		slices.Sort(lines)
		return lines, err
	}
	r.Tell(ctx, patience)
	lab.WaitFor(t, patience, "the same connections on both", func() error {
		want, err := lines(from)
		if err != nil {
			return err
		}
		got, err := lines(to)
		if err == nil && (len(want) != 6 || !slices.Equal(got, want)) {
			err = fmt.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return err
	})
	// They are counted for the servers that it has: so they have those's method.
	rows, err := to.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	active := int64(0)
	for _, row := range rows {
		if row.Server != "" {
			active += row.Int(2) + row.Int(3)
		}
	}
	if active != 5 {
		t.Errorf("its servers have %d connections: %v", active, rows)
	}
}

// TestKernelSweeper: a kernel that is a backup forgets connections that have ended, keeps the others, and no other host hears of that.
func TestKernelSweeper(t *testing.T) {
	from, to := newDirectors(t)
	from.Run("ipvsadm", "--stop-daemon", "master")
	to.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "eth1", "--syncid", "7")
	from.Run("ip", "route", "add", "224.0.0.0/4", "dev", "eth1")
	tell := func(client, state string) {
		t.Helper()
		socket, err := from.ListenPacket("udp", "10.0.100.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		_, err = socket.WriteTo(ours(&connection.Connection{
			Protocol: "tcp", Client: netip.MustParseAddrPort(client), Virtual: netip.MustParseAddrPort("192.0.2.1:80"),
			Server: netip.MustParseAddrPort("10.0.0.2:80"), State: state, Expires: 2 * time.Hour,
		}), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("224.0.0.81:8848")))
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(want ...string) {
		t.Helper()
		lab.WaitFor(t, patience, "connections "+strings.Join(want, ", "), func() error {
			list, err := entries(to)
			var got []string
			for i := range list {
				got = append(got, list[i].Client.String()+" "+list[i].State)
			}
			if slices.Sort(got); err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("got %q", got)
			}
			return err
		})
	}
	tell("198.51.100.9:1001", "TIME_WAIT")
	tell("198.51.100.9:1002", "CLOSE")
	tell("198.51.100.9:1003", "ESTABLISHED")
	tell("198.51.100.9:1004", "FIN_WAIT")
	want("198.51.100.9:1001 TIME_WAIT", "198.51.100.9:1002 CLOSE", "198.51.100.9:1003 ESTABLISHED", "198.51.100.9:1004 FIN_WAIT")
	neighbor := hear(t, from)
	s := relay.NewSweeper(slog.New(slog.DiscardHandler), open)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = to.Do(func() error { s.Run(ctx); return nil }) })
	defer running.Wait()
	defer cancel()
	s.Follow(ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}.Started(ipvs.SyncBackup))
	want("198.51.100.9:1003 ESTABLISHED", "198.51.100.9:1004 FIN_WAIT")
	tell("198.51.100.9:1003", "TIME_WAIT")
	want("198.51.100.9:1004 FIN_WAIT")
	if err := neighbor.SetReadDeadline(time.Now().Add(time.Second)); err != nil { // what was sent is there
		t.Fatal(err)
	}
	for packet := make([]byte, 2000); ; {
		n, sender, err := neighbor.ReadFromUDPAddrPort(packet)
		if err != nil {
			break
		}
		if sender.Addr() == netip.MustParseAddr("10.0.100.2") {
			t.Errorf("another host hears %x", packet[:n])
		}
	}
}
