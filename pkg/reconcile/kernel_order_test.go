//go:build kernel

package reconcile_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

const (
	clients = 10000 // addresses from 10.64.0.0 on
	fleet   = 10    // servers
)

var dnsVIP = netip.MustParseAddrPort("192.0.2.1:53")

// director is a host whose clients are addresses of its own: what they send to the VIP passes IPVS on its way out.
type director struct {
	*lab.Host
	client *ipvsnl.Client
	*reconcile.Reconciler
	port uint16 // of the clients: a new one for each question makes new connections of them
}

func newDirector(t *testing.T, name string) *director {
	t.Helper()
	d := &director{Host: lab.NewHost(t, name), port: 1000}
	if err := d.Do(func() (err error) {
		d.client, err = ipvsnl.Open()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.client.Close() })
	d.Reconciler = reconcile.New(d.client)
	d.Run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
	d.Run("ip", "route", "add", "local", "10.64.0.0/16", "dev", "lo")
	d.Run("ip", "link", "add", "dummy0", "type", "dummy") // where the servers would be: nobody answers
	d.LinkUp("dummy0")
	d.Run("ip", "route", "add", "198.51.100.0/24", "dev", "dummy0")
	return d
}

// serve makes the director's servers those with the given numbers and weights.
func (d *director) serve(t *testing.T, service ipvs.Service, weights map[int]int32) {
	t.Helper()
	state := desired.State{{Service: service}}
	for n := range fleet {
		w, up := weights[n]
		want := desired.Destination{Destination: ipvs.Destination{Addr: netip.AddrPortFrom(server(n).Addr(), 53), Forward: ipvs.DR, Weight: w}}
		if !up {
			want.Want = desired.Absent
		}
		state[0].Destinations = append(state[0].Destinations, want)
	}
	round(t, d.Reconciler, state)
	holds(t, snapshot(t, d.client), state)
}

// ask has every client send a datagram from a new port, and returns the server of each.
func (d *director) ask(t *testing.T) (servers [clients]netip.AddrPort) {
	t.Helper()
	d.port++
	if err := d.Do(func() error { return sendFromAll(d.port) }); err != nil {
		t.Fatal(err)
	}
	n := 0
	for c, err := range connection.Read(strings.NewReader(d.Run("cat", "/proc/net/ip_vs_conn"))) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Client.Port() == d.port {
			a := c.Client.Addr().As4()
			servers[int(a[2])<<8|int(a[3])] = c.Server
			n++
		}
	}
	if n != clients {
		t.Fatalf("%s: %d of %d clients have a server", d.Name, n, clients)
	}
	return servers
}

// sendFromAll sends a datagram from each client's address.
func sendFromAll(port uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was promised
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)}); err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Addr: dnsVIP.Addr().As4(), Port: int(dnsVIP.Port())}
	for n := range clients {
		from := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: [4]byte{10, 64, byte(n >> 8), byte(n)}})
		err := unix.Sendmsg(fd, []byte("?"), from, to, 0)
		if err != nil && err != unix.EPERM { // the kernel dropped it: its server has gone
			return fmt.Errorf("client %d: %w", n, err)
		}
	}
	return nil
}

// moved counts the clients that have another server, and those of them whose server it was not about.
func moved(before, after [clients]netip.AddrPort, about netip.Addr) (all, others int) {
	for n := range before {
		if before[n] != after[n] {
			all++
			if before[n].Addr() != about {
				others++
			}
		}
	}
	return all, others
}

func everyone() map[int]int32 {
	weights := make(map[int]int32)
	for n := range fleet {
		weights[n] = 1
	}
	return weights
}

// Scenario 13 of peers.md: two directors got their servers in different orders, and one of the servers flapped. They send each
// of 10,000 clients to the same server. Without order, as any other way to program them leaves it, they don't.
func TestKernelTwoDirectorsAgree(t *testing.T) {
	for _, service := range []ipvs.Service{
		{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "mh", Granularity: 32},
		{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "mh", Granularity: 32, Flags: ipvs.MHFallback},
		{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "sh", Granularity: 32},
	} {
		t.Run(strings.Join(service.Options(), " "), func(t *testing.T) {
			a, b, careless := newDirector(t, "a"), newDirector(t, "b"), newDirector(t, "careless")
			for n := range fleet { // as their checks pass
				some := make(map[int]int32)
				for i := range n + 1 {
					some[i] = 1
				}
				a.serve(t, service, some)
				other := make(map[int]int32)
				for i := range n + 1 {
					other[(i*7+3)%fleet] = 1
				}
				b.serve(t, service, other)
			}
			without := everyone()
			delete(without, 4)
			b.serve(t, service, without)
			b.serve(t, service, everyone())
			apply(t, careless.client, ipvs.Command{Op: ipvs.NewService, Service: service})
			for n := range fleet {
				d := ipvs.Destination{Addr: netip.AddrPortFrom(server((n*7+3)%fleet).Addr(), 53), Forward: ipvs.DR, Weight: 1}
				apply(t, careless.client, ipvs.Command{Op: ipvs.NewDestination, Service: service, Destination: d})
			}

			first := a.ask(t)
			if all, _ := moved(first, b.ask(t), netip.Addr{}); all != 0 {
				t.Errorf("%d of %d clients get another server from the other director", all, clients)
			}
			all, _ := moved(first, careless.ask(t), netip.Addr{})
			t.Logf("%d of %d clients get another server from a director without order", all, clients)
			if all == 0 {
				t.Error("the order means nothing: this test shows nothing")
			}
		})
	}
}

// What a flap of one of ten servers does to the others' clients under mh. At weight 0, with fallback, its own clients move and
// no others; a removal moves a few others, too. When it is back everything is as before.
func TestKernelFlapMovesFewClients(t *testing.T) {
	const flapping = 4
	for _, tt := range []struct {
		name   string
		flags  ipvs.ServiceFlags
		down   func(map[int]int32)
		others int // that may move
	}{
		{"weight 0 with fallback", ipvs.MHFallback, func(w map[int]int32) { w[flapping] = 0 }, 0},
		{"removal", 0, func(w map[int]int32) { delete(w, flapping) }, clients / 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDirector(t, "director")
			service := ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "mh", Granularity: 32, Flags: tt.flags}
			d.serve(t, service, everyone())
			before := d.ask(t)
			weights := everyone()
			tt.down(weights)
			d.serve(t, service, weights)
			during := d.ask(t)
			all, others := moved(before, during, server(flapping).Addr())
			t.Logf("%d of %d clients moved, %d of them from servers that were up all the time", all, clients, others)
			if all == 0 || others > tt.others {
				t.Errorf("others: want at most %d", tt.others)
			}
			d.serve(t, service, everyone())
			if all, _ := moved(before, d.ask(t), netip.Addr{}); all != 0 {
				t.Errorf("%d clients have another server than before", all)
			}
		})
	}
}

// A director that was started while a server is at weight 0 has never known its weight, and fills mh's table without it. Until
// the server is back, the two agree on the clients of all others but a few, not on its own.
func TestKernelNewDirectorDuringFlap(t *testing.T) {
	const flapping = 4
	service := ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "mh", Granularity: 32, Flags: ipvs.MHFallback}
	a, b := newDirector(t, "a"), newDirector(t, "b")
	a.serve(t, service, everyone())
	before := a.ask(t)
	weights := everyone()
	weights[flapping] = 0
	a.serve(t, service, weights)
	b.serve(t, service, weights)
	old, fresh := a.ask(t), b.ask(t)
	all, _ := moved(old, fresh, netip.Addr{})
	_, others := moved(before, fresh, server(flapping).Addr())
	t.Logf("%d of %d clients have another server, %d of them not the flapping one's", all, clients, others)
	if others > clients/20 {
		t.Error("that is more than a few")
	}
	a.serve(t, service, everyone())
	b.serve(t, service, everyone())
	if all, _ := moved(a.ask(t), b.ask(t), netip.Addr{}); all != 0 {
		t.Errorf("%d clients have another server when it is back", all)
	}
}

// Servers that change their places keep their connections, even where those of a removed one are to end at once.
func TestKernelReorderKeepsConnections(t *testing.T) {
	for _, nodest := range []string{"0", "1"} {
		t.Run("expire_nodest_conn "+nodest, func(t *testing.T) {
			d := newDirector(t, "director")
			d.Sysctl("net/ipv4/vs/expire_nodest_conn", nodest)
			service := ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.UDP, dnsVIP), Scheduler: "mh", Granularity: 32}
			last := everyone()
			delete(last, 0)
			d.serve(t, service, last)
			before := d.ask(t)
			total := d.connections(t, nil)
			d.serve(t, service, everyone()) // the lowest of all comes: the other nine are deleted and added again
			// A last one goes for good: when its connections have ended the kernel has looked at all of them.
			gone := everyone()
			delete(gone, fleet-1)
			d.serve(t, service, gone)
			leaver := netip.AddrPortFrom(server(fleet-1).Addr(), 53)
			leavers := 0
			for _, s := range before {
				if s == leaver {
					leavers++
				}
			}
			if nodest == "1" {
				lab.WaitFor(t, time.Minute, "the connections of the removed server to end", func() error {
					if n := d.connections(t, func(a netip.AddrPort) bool { return a == leaver }); n > 0 {
						return fmt.Errorf("%d are left", n)
					}
					return nil
				})
			}
			stay := d.connections(t, func(a netip.AddrPort) bool { return a != leaver })
			t.Logf("%d of %d connections of the servers that moved are there", stay, total-leavers)
			if stay != total-leavers {
				t.Errorf("%d are lost", total-leavers-stay)
			}
			// And they still work: a packet of an old connection goes where it went.
			d.port--
			if after := d.ask(t); !slices.EqualFunc(before[:], after[:], func(a, b netip.AddrPort) bool { return a == b || a == leaver }) {
				t.Error("old connections have other servers")
			}
		})
	}
}

// connections counts those to the servers that f holds for true; all if f is nil.
func (d *director) connections(t *testing.T, f func(netip.AddrPort) bool) int {
	t.Helper()
	n := 0
	for c, err := range connection.Read(strings.NewReader(d.Run("cat", "/proc/net/ip_vs_conn"))) {
		if err != nil {
			t.Fatal(err)
		}
		if f == nil || f(c.Server) {
			n++
		}
	}
	return n
}
