//go:build kernel

package traffic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Scenario 12 of the peers: steady clients of a name server that leaves the file with a drain_timeout have its answers as long as
// it drains, then another one's; new ones have another one's at once. It goes when the kernel has forgotten its clients, or when
// its time is up; until then it may come back.
func TestKernelDrainUDP(t *testing.T) {
	c := lab.NewNATCluster(t)
	config := func(udp, drain int, servers ...string) string {
		return fmt.Sprintf("[global_defs]\nlvs_timeouts = \"udp %d\"\n[[virtual_server]]\naddress = %q\nprotocol = \"UDP\"\nlb_algo = \"rr\"\n"+
			"drain_timeout = %d\nTCP_CHECK = false\nreal_servers = [%s]\n", udp, lab.DNSVIP, drain, strings.Join(servers, ", "))
	}
	const stays, leaves = `"10.0.100.6:53"`, `"10.0.100.5:53"`
	const long, short = 3600, 1
	// shown waits until ipvsadm shows the server that leaves so.
	shown := func(when, want string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, when, func() error {
			got := "gone"
			rows, err := c.Director.ReadTable()
			for _, r := range rows {
				if r.Server == strings.Trim(leaves, `"`) {
					got = strings.Join(r.Fields, " ")
				}
			}
			if err == nil && got != want {
				err = fmt.Errorf("the server is %q, want %q", got, want)
			}
			return err
		})
	}
	ask := func(when, want string, f func() (string, error)) {
		t.Helper()
		if got, err := f(); err != nil || got != want {
			t.Errorf("%s %q answers, want %q: %v", when, got, want, err)
		}
	}
	// client returns a socket that the server that leaves has answered.
	client := func() *lab.Resolver {
		t.Helper()
		for range 2 {
			socket, err := c.Client.NewResolver(lab.DNSVIP)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = socket.Close() })
			if name, err := socket.Query(); err != nil {
				t.Fatal(err)
			} else if name == "dns1" {
				return socket
			}
		}
		t.Fatal("it has not answered")
		return nil
	}
	d := ipvsd.Start(t, c.Director, config(long, long, stays, leaves))
	steady := client()
	drains := func(when string) {
		t.Helper()
		shown(when, "Masq 0 0 1")
		for range 3 {
			ask(when+", a steady client:", "dns1", steady.Query)
			ask(when+", a new client:", "dns2", c.Query)
		}
	}
	d.Load(config(long, long, stays))
	drains("while it drains")
	d.Stop()
	d.Start()
	drains("after another start")

	d.Load(config(long, long, stays, leaves))
	shown("the server to be back", "Masq 1 0 1")
	ask("when it is back, the steady client:", "dns1", steady.Query)
	d.Load(config(long, long, stays))
	drains("while it drains again")

	// The kernel forgets the client a second after its next packet.
	d.Load(config(short, long, stays))
	ask("the last time, the steady client:", "dns1", steady.Query)
	shown("the server to go with its last client", "gone")
	ask("then, the steady client:", "dns2", steady.Query)

	d.Load(config(long, long, stays, leaves))
	steady = client()
	d.Load(config(long, short, stays))
	shown("the server to go when its time is up", "gone")
	// What the kernel still knows of the client goes with its next packet at the latest.
	lab.WaitFor(t, ipvsd.Patience, "the other server's answer", func() error {
		name, err := steady.Query()
		if err == nil && name != "dns2" {
			err = fmt.Errorf("%s answers", name)
		}
		return err
	})
}

// Scenario 11 of the peers: under schedulers that send a client to its server again and again, and with persistence, a client of a
// server that drains has its old connection there, and new ones elsewhere.
func TestKernelDrainOfOwnServer(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.New(t, c.Director, "")
	d.Start()
	for i, options := range []string{
		"lb_algo = 'wrr'\npersistence_timeout = 300\n", "lb_algo = 'mh'\n", "lb_algo = 'sh'\n", "lb_algo = 'sh'\npersistence_timeout = 300\n",
	} {
		vip := port(lab.WebVIP, uint16(7000+i))
		servers := map[string]bool{}
		for _, s := range c.Web {
			servers[port(s.Addr, vip.Port()).String()] = true
			ipvsd.Echo(t, s.Host, port(s.Addr, vip.Port()).String())
		}
		config := func() string {
			text := fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\n%sdrain_timeout = 3600\nTCP_CHECK = false\nreal_servers = [",
				vip, options)
			for s := range servers {
				text += fmt.Sprintf("%q, ", s)
			}
			return text + "]\n"
		}
		// serverOf is whom ipvsadm -Lnc shows for a connection.
		serverOf := func(f *ipvsd.Flow) string {
			t.Helper()
			lines, err := c.Director.ReadConnections(vip)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				if word := strings.Fields(l); word[3] == f.LocalAddr().String() {
					return word[5]
				}
			}
			t.Fatalf("%s: %s is not in %q", options, f.LocalAddr(), lines)
			return ""
		}
		d.Load(config())
		old := ipvsd.OpenFlow(t, c.Client, vip)
		own := serverOf(old)
		delete(servers, own)
		d.Load(config())
		weight := func() (n int64) {
			n = -1
			for _, r := range c.Director.Table() {
				if r.Server == own {
					n = r.Int(1)
				}
			}
			return n
		}
		for range 4 {
			young := ipvsd.OpenFlow(t, c.Client, vip)
			if got := serverOf(young); got == own {
				t.Errorf("%s: a new connection goes to %s, which drains", options, got)
			}
			if got := weight(); got != 0 {
				t.Errorf("%s: the weight of %s is %d", options, own, got)
			}
			old.Ping("while its server drains")
			_ = young.Close()
		}
		_ = old.Close()
		lab.WaitFor(t, ipvsd.Patience, "the server to go", func() error {
			if got := weight(); got >= 0 {
				return fmt.Errorf("its weight is %d", got)
			}
			return nil
		})
	}
}
