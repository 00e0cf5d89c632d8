//go:build kernel

package track_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
)

// Routes are seen when they come and go, also untold with an interface or its carrier.
func TestKernelRoutes(t *testing.T) {
	here := lab.Here(t)
	for _, dev := range []string{"r0", "r1"} {
		here.Run("ip", "link", "add", dev, "type", "veth", "peer", "name", dev+"p")
		t.Cleanup(func() { _, _ = here.Output("ip", "link", "del", dev) })
		here.LinkUp(dev)
		here.LinkUp(dev + "p")
	}
	here.AddAddress("r0", "192.0.2.1/24")
	here.AddAddress("r1", "2001:db8::1/64")
	k, seen := start(t)
	c := tracking("route default", "route by r0", "route by r1", "route six", "route odd")
	c.Routes = map[string]config.TrackRoute{
		"default": {Route: "default"}, "by r0": {Route: "198.51.100.0/24", Dev: "r0"}, "by r1": {Route: "198.51.100.0/24", Dev: "r1"},
		"six": {Route: "::/0"}, "odd": {Route: "198.51.100.0/33"},
	}
	k.Change(c)
	const none = "there is no route to "
	waitFor(t, seen, "route default down: "+none+"0.0.0.0/0", "route by r0 down: "+none+"198.51.100.0/24 by r0",
		"route by r1 down: "+none+"198.51.100.0/24 by r1", "route six down: "+none+"::/0",
		`route odd down: netip.ParsePrefix("198.51.100.0/33"): prefix length out of range`)
	here.Run("ip", "route", "add", "default", "via", "192.0.2.9")
	here.Run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.9")
	waitFor(t, seen, "route default up", "route by r0 up")
	here.Run("ip", "-6", "route", "add", "default", "via", "2001:db8::9")
	waitFor(t, seen, "route six up")
	here.Run("ip", "route", "replace", "blackhole", "198.51.100.0/24")
	const nowhere = "the route to 198.51.100.0/24 leads nowhere: it is of type blackhole"
	waitFor(t, seen, "route by r0 down: "+nowhere, "route by r1 down: "+nowhere)
	here.Run("ip", "route", "replace", "198.51.100.0/24", "nexthop", "via", "192.0.2.9", "dev", "r0", "nexthop", "dev", "r1")
	waitFor(t, seen, "route by r0 up", "route by r1 up")
	here.LinkDown("r0p")
	k.Interfaces([]vip.Interface{})
	waitFor(t, seen, "route default down: the route to 0.0.0.0/0 is dead: its interface has no carrier",
		"route by r0 down: the route to 198.51.100.0/24 by r0 is dead: its interface has no carrier")
	here.LinkDown("r0")
	k.Interfaces([]vip.Interface{})
	waitFor(t, seen, "route default down: "+none+"0.0.0.0/0") // a hop of several is dead as before
}

// A gateway is there as long as it answers, whatever its MAC address is.
func TestKernelGateway(t *testing.T) {
	here, gate := lab.Here(t), lab.NewHost(t, "gate")
	net := lab.NewBridge(t, "lan", 1500)
	here.Connect(net, "g0", "192.0.2.1/24", "2001:db8::1/64")
	gate.Connect(net, "g0", "192.0.2.9/24", "2001:db8::9/64")
	k, seen := start(t)
	c := tracking("route four", "route six", "route far", "route nobody", "route us", "route no")
	c.Routes = map[string]config.TrackRoute{
		"four": {Gateway: "192.0.2.9"}, "six": {Gateway: "2001:db8::9", Dev: "g0"}, "far": {Gateway: "203.0.113.1"}, "nobody": {Gateway: "192.0.2.77", Dev: "g0"},
		"us": {Gateway: "192.0.2.1"}, "no": {Gateway: "192.0.2.9", Dev: "g7"},
	}
	k.Change(c)
	waitForLast(t, seen, "route four up", "route six up", "route us up", "route nobody down: 192.0.2.77 does not answer by g0",
		"route far down: there is no way to 203.0.113.1: network is unreachable", "route no down: there is no way to 192.0.2.9 by g7: Link not found")
	gate.LinkDown("g0")
	begin := time.Now()
	waitForLast(t, seen, "route four down: 192.0.2.9 does not answer", "route six down: 2001:db8::9 does not answer by g0")
	t.Logf("a gateway that is gone was noticed after %v", time.Since(begin))
	gate.LinkUp("g0")
	gate.AddAddress("g0", "2001:db8::9/64")
	begin = time.Now()
	waitForLast(t, seen, "route four up", "route six up")
	t.Logf("its return after %v", time.Since(begin))
	here.Run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.9")
	waitForLast(t, seen, "route far down: 203.0.113.1 is no neighbour: the way there leads over 192.0.2.9")
	here.Run("ip", "neigh", "replace", "192.0.2.77", "lladdr", "02:00:00:00:00:77", "nud", "permanent", "dev", "g0")
	waitForLast(t, seen, "route nobody up")
}

// waitForLast waits until these are the latest reports of their objects.
func waitForLast(t *testing.T, seen *told, want ...string) {
	t.Helper()
	lab.WaitFor(t, time.Minute, "reports", func() (err error) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for _, line := range want {
			words := strings.Fields(line)
			about := words[0] + " " + words[1] + " "
			last := ""
			for _, l := range seen.lines {
				if strings.HasPrefix(l, about) {
					last = l
				}
			}
			if last != line {
				err = errors.Join(err, fmt.Errorf("%s: %q, want %q", about, last, line))
			}
		}
		return err
	})
}

// linkbeat_interfaces: the driver is asked, whatever the kernel told.
func TestKernelLinkbeat(t *testing.T) {
	here := lab.Here(t)
	here.Run("ip", "link", "add", "l0", "type", "veth", "peer", "name", "l0p")
	t.Cleanup(func() { _, _ = here.Output("ip", "link", "del", "l0") })
	here.LinkUp("l0")
	here.LinkUp("l0p")
	k, seen := start(t)
	c := tracking("interface l0", "interface l0p")
	c.Linkbeat = map[string]string{"l0": "ETHTOOL", "l0p": "MII"} // which a veth does not have
	k.Change(c)
	k.Interfaces([]vip.Interface{link("l0", true), link("l0p", true)})
	waitForLast(t, seen, "interface l0 up", "interface l0p up")
	here.LinkDown("l0p")
	waitForLast(t, seen, "interface l0 down: interface l0 says that it has no link", "interface l0p up")
	here.LinkUp("l0p")
	waitForLast(t, seen, "interface l0 up")
	without := tracking("interface l0")
	here.LinkDown("l0p")
	waitForLast(t, seen, "interface l0 down: interface l0 says that it has no link")
	k.Change(without)
	waitForLast(t, seen, "interface l0 up")
}
