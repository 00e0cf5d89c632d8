package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

// virtual are the addresses of the services, and of the real servers' router.
var virtual = []string{"192.168.1.200", "192.168.1.201", "192.168.1.202", "10.0.100.200"}

// addresses are those of the real servers.
var addresses = func() map[string]netip.Addr {
	all, next := map[string]netip.Addr{}, netip.MustParseAddr("10.0.100.2")
	for _, service := range chaos.Services {
		for _, server := range chaos.Servers[service] {
			all[server], next = next, next.Next()
		}
	}
	return all
}()

// service is how IPVS and ipvsd call a service.
type service struct {
	address, protocol, flag, check string
	port                           int
}

var services = map[string]service{
	"web": {"192.168.1.202:80", "TCP", "-t", `HTTP_GET = { url = { path = "/", status_code = 200 } }`, 80},
	"dns": {"192.168.1.200:53", "UDP", "-u", `DNS_CHECK = { type = "A", name = "www.lab.local" }`, 53},
}

// of returns the service of a server.
func of(server string) service { return services[strings.TrimRight(server, "123")] }

func at(server string) string {
	return netip.AddrPortFrom(addresses[server], uint16(of(server).port)).String() //nolint:gosec // two constants
}

// configuration is what a director is told.
func configuration(w chaos.World, director int, v chaos.Variant) string {
	instance := func(name, dev string, vrid int, list ...string) pair.Instance {
		i := pair.Instance{
			Name: name, Interface: dev, VRID: vrid, Priority: 150 - 25*director, State: "BACKUP",
			Interval: fmt.Sprint(w.Interval.Seconds()), Version: w.Version, Addresses: list,
		}
		if w.NoPreempt {
			i.Words = []string{"nopreempt"}
		}
		return i
	}
	setup := pair.Setup{
		Instances: []pair.Instance{
			instance("VI_E", "eth0", 51, "192.168.1.200/24", "192.168.1.201/24", "192.168.1.202/24"),
			instance("VI_I", "eth1", 52, "10.0.100.200/24"),
		},
		Group: true, Sync: "VI_E",
		Global: []string{fmt.Sprintf("vrrp_wait_for_checks %v", chaos.FirstChecks.Seconds())},
	}
	var b strings.Builder
	b.WriteString(setup.IPVSD())
	for _, name := range chaos.Services {
		s := services[name]
		fmt.Fprintf(&b, "[[virtual_server]]\naddress = %q\nprotocol = %q\nlb_algo = \"wrr\"\nlb_kind = \"NAT\"\ndelay_loop = %v\nretry = 1\n"+
			"delay_before_retry = %v\nconnect_timeout = %v\n%s\n",
			s.address, s.protocol, chaos.CheckEvery.Seconds(), chaos.RetryAfter.Seconds(), chaos.CheckLimit.Seconds(), s.check)
		for _, server := range chaos.Servers[name] {
			if weight, there := v[server]; there {
				fmt.Fprintf(&b, "[[virtual_server.real_server]]\naddress = %q\nweight = %d\n", at(server), weight)
			}
		}
	}
	return b.String()
}
