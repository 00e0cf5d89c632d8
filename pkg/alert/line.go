package alert

import (
	"fmt"
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// Labels are the names of the virtual servers in lines and mails, which are keepalived's: [192.0.2.1]:tcp:80, FWM 7, and [GROUP]:0
// for the first one with a group.
func Labels(virtuals []*config.VirtualServer) map[*config.VirtualServer]string {
	labels := make(map[*config.VirtualServer]string, len(virtuals))
	used := make(map[string]int)
	for _, vs := range virtuals {
		switch s := &vs.Services[0]; {
		case vs.Group != "":
			labels[vs] = fmt.Sprintf("[%s]:%d", vs.Group, used[vs.Group])
			used[vs.Group]++
		case s.FWMark != 0:
			labels[vs] = fmt.Sprintf("FWM %d", s.FWMark)
		default:
			labels[vs] = endpoint(s.Addr, s.Protocol.String())
		}
	}
	return labels
}

func endpoint(a netip.AddrPort, protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", a.Addr(), protocol, a.Port())
}

// server is the name of a server.
func (n *News) server() string { return endpoint(n.Server.Destination.Addr, protocol(n.Service)) }

// protocol is that of the addresses of a virtual server; of fwmarks alone keepalived says none.
func protocol(vs *config.VirtualServer) string {
	for i := range vs.Services {
		if vs.Services[i].Protocol != 0 {
			return vs.Services[i].Protocol.String()
		}
	}
	return "none"
}

// Text returns the line for the FIFOs, without its end; empty: there is none.
func (n *News) Text() string {
	switch {
	case !n.Line:
		return ""
	case n.About == AnInstance:
		return fmt.Sprintf("INSTANCE \"%s\" %s %d", n.Name, n.Kind, n.Priority)
	case n.About == AGroup:
		return fmt.Sprintf("GROUP \"%s\" %s %d", n.Name, n.Kind, n.Priority)
	case n.About == AService:
		return fmt.Sprintf("VS %s %s", n.Name, n.Kind)
	case n.About == AServer:
		return fmt.Sprintf("RS %s %s %s", n.server(), n.Name, n.Kind)
	}
	return ""
}
