//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// hashes are services that hash, by port, whose servers are to stay in the table with weight 0 when they are dead.
var hashes = []struct {
	port         uint16
	options      string
	whole, short string // how ipvsadm shows the service; and web1 when it is dead, empty: not at all
}{
	{8001, "lb_algo = 'mh'\n", "mh (mh-fallback)", "Masq 0"},
	{8002, "lb_algo = 'mh'\nmh-port = true\n", "mh (mh-fallback,mh-port)", "Masq 0"},
	{8003, "lb_algo = 'mh'\nmh-fallback = false\n", "mh", ""},
	{8004, "lb_algo = 'sh'\n", "sh (sh-fallback)", "Masq 0"},
	{8005, "lb_algo = 'sh'\nsh-port = true\n", "sh (sh-fallback,sh-port)", "Masq 0"},
	{8006, "lb_algo = 'sh'\nsh-fallback = false\n", "sh", ""},
	{8007, "lb_algo = 'dh'\n", "dh", ""},
}

// TestKernelTrafficHashed: schedulers that hash a client to a server drop it if that one has weight 0, dead or not, unless
// they fall back. We see to it that no client is lost: by the flag, or, where there is none, by removal. Under mh the others'
// clients stay where they are, and those of the dead server come back to it.
func TestKernelTrafficHashed(t *testing.T) {
	c := lab.NewWebCluster(t)
	// Dh looks at the service's address, the others at the client's.
	const ways = 12
	var config strings.Builder
	fmt.Fprintf(&config, "[virtual_server_group]\n")
	for _, h := range hashes {
		fmt.Fprintf(&config, "P%d = { address = [\"192.168.1.220-%d:%d\"] }\n", h.port, 220+ways-1, h.port)
	}
	for _, h := range hashes {
		fmt.Fprintf(&config, "[[virtual_server]]\ngroup = \"P%d\"\nprotocol = \"TCP\"\n%sinhibit_on_failure = true\n"+
			"delay_loop = 0.5\nretry = 0\nTCP_CHECK = true\nreal_servers = [%q, %q]\n"+
			"[[virtual_server.real_server]]\naddress = %q\nweight = 1\n", h.port, h.options, c.Web[1].Addr, c.Web[2].Addr, c.Web[0].Addr)
	}
	var from []netip.Addr
	for i := range ways {
		c.Director.AddAddress("eth0", fmt.Sprintf("192.168.1.%d/32", 220+i))
		c.Client.AddAddress("eth0", fmt.Sprintf("192.168.1.%d/24", 120+i))
		from = append(from, netip.MustParseAddr(fmt.Sprintf("192.168.1.%d", 120+i)))
	}
	d := ipvsd.Start(t, c.Director, config.String())
	table := func(when string, dead bool) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, "the table "+when, func() error {
			rows, err := c.Director.ReadTable()
			if err != nil {
				return err
			}
			all := fmt.Sprint(rows)
			for _, h := range hashes {
				for i := range ways {
					service := fmt.Sprintf("TCP 192.168.1.%d:%d %s -> ", 220+i, h.port, h.whole)
					_, servers, found := strings.Cut(all, service)
					servers, _, _ = strings.Cut("-> "+servers, "TCP")
					_, of, there := strings.Cut(servers, "-> 10.0.100.2:80 ")
					switch {
					case !found:
						return fmt.Errorf("there is no %q in %s", service, all)
					case dead && (there != (h.short != "") || !strings.HasPrefix(of, h.short)), !dead && !strings.HasPrefix(of, "Masq 1"):
						return fmt.Errorf("%s has the servers %q", service, servers)
					}
				}
			}
			return nil
		})
	}
	// served is who serves each client, at an address of each service that is its own.
	served := func(when string) map[string]string {
		t.Helper()
		by := map[string]string{}
		for _, h := range hashes {
			for i, client := range from {
				vip := netip.MustParseAddrPort(fmt.Sprintf("192.168.1.%d:%d", 220+i, h.port))
				answer, err := c.Client.From(client).Get(vip)
				if err != nil {
					t.Errorf("%s, %s: no answer from %s for %s: %v", when, h.whole, vip, client, err)
				}
				by[fmt.Sprintf("%d %s", h.port, client)] = answer.Server
			}
		}
		return by
	}
	table("when all are up", false)
	before := served("when all are up")
	c.Web[0].Stop()
	table("when one is dead", true)
	meanwhile := served("when one is dead")
	c.Web[0].Start()
	table("when it is back", false)
	after := served("when it is back")
	d.Load(strings.ReplaceAll(config.String(), "weight = 1", "weight = 0"))
	table("when one has no weight", true)
	for key, name := range served("when one has no weight") {
		if name == "web1" {
			t.Errorf("%s: the server without weight answered", key)
		}
	}

	moved := map[uint16]int{}
	for _, h := range hashes {
		for _, client := range from {
			key := fmt.Sprintf("%d %s", h.port, client)
			was, then, is := before[key], meanwhile[key], after[key]
			if was == "web1" {
				moved[h.port]++
			}
			if then == "web1" {
				t.Errorf("%s: the dead server answered", key)
			}
			if h.port != 8001 { // where ports count, each connection has its own server
				continue
			}
			if was != "web1" && then != was || is != was {
				t.Errorf("%s: %s was served by %s, then %s, then %s", h.whole, client, was, then, is)
			}
		}
		if moved[h.port] == 0 && !strings.Contains(h.options, "-port") {
			t.Errorf("%s: no client had the server that died: this test shows nothing", h.whole)
		}
	}
	t.Logf("of %d clients each, by port, so many had the server that died: %v", ways, moved)
}
