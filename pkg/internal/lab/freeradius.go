package lab

import (
	"net/netip"
	"strings"
)

// RADIUSSecret is what the RADIUS server of the lab shares with its clients.
const RADIUSSecret = "Shared-456"

const radiusConf = `
prefix = /usr
raddbdir = DIR
logdir = DIR
run_dir = DIR
libdir = /usr/lib/freeradius
security {
	allow_core_dumps = no
	reject_delay = 0
	status_server = yes
}
thread pool {
	start_servers = 1
	max_servers = 2
	min_spare_servers = 1
	max_spare_servers = 2
}
client all {
	ipaddr = 0.0.0.0/0
	secret = {secret}
}
client all6 {
	ipv6addr = ::/0
	secret = {secret}
}
modules {
	pap {
	}
	always reject {
		rcode = reject
	}
}
server default {
	listen {
		type = auth
		ipaddr = *
		port = 1812
	}
	authorize {
		if (&User-Name == "{login}") {
			update control {
				Cleartext-Password := "{password}"
			}
			pap
		}
		else {
			reject
		}
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
	}
}
`

// NewFreeRADIUS prepares a RADIUS server on UDP port 1812 of a host, at the host's address, that accepts Login by PAP.
func NewFreeRADIUS(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	dir := h.files("", map[string]string{
		"radiusd.conf": strings.ReplaceAll(withLogin(radiusConf), "{secret}", RADIUSSecret),
		"dictionary":   "$INCLUDE /usr/share/freeradius/dictionary\n",
	})
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 1812),
		args: []string{"freeradius", "-f", "-l", "stdout", "-d", dir, "-n", "radiusd"},
	}
	s.ready = func() error { return s.logged("Ready to process requests") }
	return s
}
