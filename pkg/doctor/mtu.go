package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// ethernetMTU is what packets from anywhere are as long as.
const ethernetMTU = 1500

// tunnelMTU asks whether what clients send still fits on the way to the servers with a tunnel's headers in front.
func tunnelMTU(f *Facts, r *Report) {
	var done []netip.Addr
	for _, s := range f.services() {
		packet := ethernetMTU
		if link := f.holder(s.Key.Addr.Addr()); link != nil && !link.Loopback {
			packet = min(packet, link.MTU)
		}
		for i := range s.Servers {
			server := &s.Servers[i]
			addr := server.Addr.Addr()
			way := f.route(addr)
			if !forwards(server, ipvs.Tun) || way == nil || way.Local || slices.Contains(done, addr) {
				continue
			}
			extra := overhead(addr, server.Tunnel)
			if way.MTU == 0 || packet+extra <= way.MTU {
				continue
			}
			done = append(done, addr)
			found := Finding{
				ID: "tunnel-mtu", Severity: Warning, Where: fmt.Sprintf("%s, server %s", s.Key, server.Addr),
				What: fmt.Sprintf("Packets of %d bytes don't fit through the tunnel (%s): the way to the server by %s takes %d bytes, of which the headers are %d.",
					packet, server.Tunnel, way.Link, way.MTU, extra),
				Why: "Clients' large packets, such as uploads, are answered with ICMP \"fragmentation needed\"; where that gets lost, connections hang " +
					"in the middle. net.ipv4.vs.pmtu_disc = 0 fragments instead, with IPv4 only, which costs servers time.",
				Mend: []string{fmt.Sprintf("ip link set dev %s mtu %d", word(way.Link), packet+extra)},
				Then: fmt.Sprintf("The servers and the switches between need that MTU, too. Where they can't have it: on the servers, "+
					"\"ip route change default via ROUTER advmss %d\" makes clients send less.", way.MTU-extra-headers(s.Key)),
			}
			if link := f.link(way.Link); link != nil && link.MTU > way.MTU {
				found.Mend, found.Then = nil, fmt.Sprintf("The MTU is that of a route: \"ip route get %s\" shows it. ", addr)+found.Then
			}
			r.found(found)
		}
	}
}

// overhead is what a tunnel puts in front of a packet, in bytes (net/netfilter/ipvs/ip_vs_xmit.c).
func overhead(to netip.Addr, t *status.Tunnel) int {
	size := 20
	if to.Is6() {
		size = 40
	}
	if t == nil {
		return size
	}
	const udp, gue, remote, gre, checksum = 8, 4, 8, 4, 4
	switch t.Type {
	case "gue":
		size += udp + gue
		if t.RemCsum {
			size += remote
		}
	case "gre":
		size += gre
		if t.Csum {
			size += checksum
		}
	}
	return size
}

// headers are those of IP and TCP.
func headers(k ipvs.ServiceKey) int {
	if k.Family == ipvs.IPv6 {
		return 60
	}
	return 40
}
