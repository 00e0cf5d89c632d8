// Package connection reads, filters and counts the kernel's IPVS connection table, /proc/net/ip_vs_conn. It opens no file:
// package daemon does. It starts no goroutines.
//
// Words: a client connects to a virtual address and is sent to a server. A template is an entry that isn't a connection: it
// keeps a client of a persistent service with its server, and has 0 for the client's port.
//
// The list is a sample when the table changes. The kernel writes one page a read(2), whatever the buffer, and finds its place
// for the next by counting entries from the start of the table: an entry that goes makes it miss another one, one that comes
// makes it tell another one twice. On Linux 6.1 in the lab, with 50,000 entries that stayed while some 9,000 a second came and
// went, a list had 79 to 88 % of those that stayed, and 12 to 16 % of them twice; with nothing coming or going it was exact.
// For exact numbers of connections there are the kernel's counters, which ipvsctl list and stats show.
//
// That counting also makes the time grow with the square of the table, or worse: 0.05 s for 10,000 entries in the lab, 4.6 s
// for 100,000, 25 s for 200,000, in which one CPU does nothing else. Reading by less than a page makes it start over more
// often: ipvsadm -Lnc, which asks for 1 KiB at a time, took 100 s for these 200,000.
package connection

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Connection is an entry of the connection table.
type Connection struct {
	// Protocol is "tcp", "udp" or "sctp", or else the kernel's word in lower case: "ip" is a template of a firewall mark,
	// which stands in Virtual's address.
	Protocol string         `json:"protocol"`
	Client   netip.AddrPort `json:"client"`
	Virtual  netip.AddrPort `json:"virtual"`
	Server   netip.AddrPort `json:"server"` // may be of another family than the rest
	// State is the kernel's word: "ESTABLISHED". Templates have "ASSURED" once a connection with them was established,
	// "NONE" before. UDP has no other state than "UDP".
	State   string        `json:"state"`
	Expires time.Duration `json:"expires"` // how long the entry stays without a packet; whole seconds
	// Engine is the persistence engine ("sip") of a template, and EngineData what it tells clients apart by (the Call-ID):
	// something that the client sent.
	Engine     string `json:"engine,omitempty"`
	EngineData string `json:"engine_data,omitempty"`
}

// markProtocol is the protocol of firewall marks' templates: number 0.
const markProtocol = "ip"

// Service says what the client connected to: "tcp 192.0.2.1:80", or "fwmark 7" for the template of a firewall mark. It is no
// service's key if the service has port 0 or a firewall mark: the kernel doesn't note on a connection which it came through.
func (c *Connection) Service() string { return serviceName(c.Protocol, c.Virtual) }

func serviceName(protocol string, virtual netip.AddrPort) string {
	if protocol == markProtocol {
		mark := binary.BigEndian.Uint32(virtual.Addr().AsSlice())
		return ipvs.FWMarkKey(mark, ipvs.FamilyOf(virtual.Addr())).String()
	}
	return protocol + " " + virtual.String()
}

// markAddr is where the kernel puts a firewall mark in a template: in the first 32 bits of the virtual address.
func markAddr(k ipvs.ServiceKey) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:], k.FWMark)
	if k.Family == ipvs.IPv6 {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}
