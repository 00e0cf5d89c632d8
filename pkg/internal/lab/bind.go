package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// namedConf is authoritative for one zone and talks to nobody. TCP is on, as TCP_CHECK wants it.
const namedConf = `
options {
	directory "DIR";
	pid-file none;
	session-keyfile none;
	lock-file none;
	recursion no;
	dnssec-validation no;
	notify no;
	empty-zones-enable no;
	minimal-responses yes;
	listen-on { any; };
	listen-on-v6 { any; };
};
controls { };
zone "lab.local" { type primary; file "DIR/lab.local"; };
`

// The TXT record of whoami says which server answers.
const zone = `$TTL 60
@      IN SOA ns hostmaster 1 3600 600 86400 60
@      IN NS  ns
ns     IN A   192.168.1.200
www    IN A   192.168.1.202
whoami IN TXT "HOST"
`

// NewBind prepares a name server on port 53, UDP and TCP, of a host, at the host's address. It knows the zone lab.local,
// where the TXT record of whoami is the host's name.
func NewBind(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	// AppArmor, where it is on, lets named work here and hardly anywhere else.
	dir := h.files("/var/cache/bind", map[string]string{
		"named.conf": namedConf,
		"lab.local":  strings.ReplaceAll(zone, "HOST", h.Name),
	})
	return &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 53),
		args: []string{"named", "-g", "-n", "1", "-U", "1", "-c", dir + "/named.conf"},
		ready: func() error {
			_, err := h.Query(loopback(53))
			return err
		},
	}
}

// Query asks a bind9 of the lab for its host's name, over UDP from a new port.
func (h *Host) Query(server netip.AddrPort) (name string, err error) {
	err = short(func(ctx context.Context) error {
		texts, err := h.Resolver(server).LookupTXT(ctx, "whoami.lab.local.")
		if err != nil {
			return err
		}
		if len(texts) != 1 {
			return fmt.Errorf("dns %s: whoami.lab.local has %d TXT records", server, len(texts))
		}
		name = texts[0]
		return nil
	})
	return name, err
}
