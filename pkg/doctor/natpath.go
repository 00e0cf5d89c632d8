package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// silent is from how many connections on a server's silence is no accident.
const silent = 3

// returnPath asks whether the answers of servers under NAT come back through this director. The counters tell once there were clients;
// before that it can't be seen from here.
func returnPath(f *Facts, r *Report) {
	var untold []string
	for _, s := range f.services() {
		for i := range s.Servers {
			server := &s.Servers[i]
			if !forwards(server, ipvs.NAT) {
				continue
			}
			addr := server.Addr.Addr()
			switch {
			case server.Stats.OutPackets > 0:
			case s.Key.Protocol == ipvs.TCP && server.Stats.Connections >= silent && !f.Table.Frozen:
				r.found(f.noAnswer(&s, server))
			case f.route(addr) == nil || !f.route(addr).Local:
				name := addr.String()
				if way := f.route(addr); way != nil && way.Gateway.IsValid() {
					name += fmt.Sprintf(" (behind the router %s)", way.Gateway)
				}
				if !slices.Contains(untold, name) {
					untold = append(untold, name)
				}
			}
		}
	}
	if len(untold) > 0 {
		r.unseen("nat-return", "whether %s send their answers back through this director shows only once they had clients. On each of them, "+
			"\"ip route get CLIENT\" should name an address of this director", some(untold))
	}
}

func (f *Facts) noAnswer(s *status.KernelService, server *status.KernelServer) Finding {
	found := Finding{
		ID: "nat-return", Severity: Problem, Where: fmt.Sprintf("%s, server %s", s.Key, server.Addr),
		What: fmt.Sprintf("%s and %s went to the server, and not one packet came back through this director.",
			count(server.Stats.Connections, "connection"), count(server.Stats.InPackets, "packet")),
		Why: "Under NAT only this director can give the answers the service's address. A server that answers by another way, or not at all, " +
			"leaves its clients waiting.",
		Then: "If the server's route is right, look whether it is up, what its firewall drops, and whether the client is on the server's own network.",
	}
	way := f.route(server.Addr.Addr())
	if way != nil && way.Local {
		found.Then = "The server is this machine: look whether the program there runs and listens on that address, and what the firewall drops."
		return found
	}
	if way == nil || way.Gateway.IsValid() || !way.Source.IsValid() {
		found.Then = "The server is behind a router: its route to the clients has to lead back through this director. " + found.Then
		return found
	}
	found.On = server.Addr.Addr().String()
	found.Mend = []string{"ip route replace default via " + way.Source.String()}
	if way.Source.Is6() {
		found.Mend[0] = "ip -6 route replace default via " + way.Source.String()
	}
	found.Then = "With several directors: via the address that moves between them. " + found.Then
	return found
}

// oneNetwork asks whether clients can be on the servers' network under NAT: those get the answers past the director.
func oneNetwork(f *Facts, r *Report) {
	seen := map[netip.Prefix]bool{}
	for _, s := range f.services() {
		vip := s.Key.Addr.Addr()
		holder := f.holder(vip)
		if holder == nil || len(f.SNAT) > 0 || f.blind("vs-conntrack") { // or it may be mended already
			continue
		}
		for i := range s.Servers {
			server := s.Servers[i].Addr.Addr()
			way := f.route(server)
			if !forwards(&s.Servers[i], ipvs.NAT) || way == nil || way.Local || way.Gateway.IsValid() || way.Link != holder.Name {
				continue
			}
			network := f.network(way.Link, server)
			if !network.IsValid() || !network.Contains(vip) || seen[network] {
				continue
			}
			seen[network] = true
			program := "iptables"
			if vip.Is6() {
				program = "ip6tables"
			}
			r.found(Finding{
				ID: "nat-one-network", Severity: Warning, Where: fmt.Sprintf("%s on %s", network, way.Link),
				What: fmt.Sprintf("The address of %s and its server %s are on one network, under NAT.", s.Key, server),
				Why: "A client on that network gets the answer from the server itself, which it never asked, and resets the connection. Clients from " +
					"elsewhere are served as long as the servers' route leads back here.",
				Mend: []string{
					set("net/ipv4/vs/conntrack", 1),
					fmt.Sprintf("%s -t nat -A POSTROUTING -s %s -d %s -j MASQUERADE", program, network, network),
				},
				Then: "The servers then see this director's address instead of such a client's. If there are no clients on that network, nothing is to be done.",
			})
		}
	}
}
