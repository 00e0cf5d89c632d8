package connection

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A SyncMessage is what the sync daemon of a director's kernel tells those of others: entries of its connection table, in the format
// of version 1 (net/netfilter/ipvs/ip_vs_sync.c). A kernel that takes it makes the entries, or brings those that it has up to date; a
// server that it has itself gives them its own forwarding method.
//
//	0: reserved 0, sync ID, length of all (2 bytes), number of entries, version 1, spare 0 (2)
//	8: entries: type (1 for IPv6), protocol, length (2), flags (4), state (2), ports of client, service and server (2 each),
//	   firewall mark (4), seconds until it expires (4), addresses of client, service and server (4 each, or 16)
type SyncMessage struct {
	text []byte
	most int
}

const (
	syncHeader  = 8
	syncVersion = 1
	syncIPv6    = 1 // type
	mostEntries = 255

	flagInactive = 0x0100 // IP_VS_CONN_F_INACTIVE
	flagTemplate = 0x1000 // IP_VS_CONN_F_TEMPLATE
)

// NewSyncMessage returns an empty message, for daemons with this sync ID, that grows to so many bytes at most.
func NewSyncMessage(id uint8, most int) *SyncMessage {
	m := &SyncMessage{text: make([]byte, syncHeader, max(most, syncHeader)), most: most}
	m.text[1], m.text[5] = id, syncVersion
	return m
}

// Len is how many entries it has.
func (m *SyncMessage) Len() int { return int(m.text[4]) }

// Bytes returns the message, until it changes.
func (m *SyncMessage) Bytes() []byte { return m.text }

// Clear takes all entries out.
func (m *SyncMessage) Clear() {
	m.text = m.text[:syncHeader]
	m.text[4] = 0
	m.measure()
}

func (m *SyncMessage) measure() { binary.BigEndian.PutUint16(m.text[2:], uint16(len(m.text))) }

// Add puts an entry in, if there is room for it. Method is for a kernel that does not have the server. The entry must be Syncable.
func (m *SyncMessage) Add(c *Connection, method ipvs.Forward) bool {
	entries := [][]byte{syncEntry(c, method, inactive(c))}
	if inactive(c) && !c.Ended() && !c.template() {
		// A kernel ignores an inactive connection where it has one of the same client's port with another server: it takes it for the end
		// of an old one. Here the other one is old: a port that is used again.
		entries = slices.Insert(entries, 0, syncEntry(c, method, false))
	}
	all := slices.Concat(entries...)
	if len(m.text)+len(all) > m.most || m.Len()+len(entries) > mostEntries {
		return false
	}
	m.text = append(m.text, all...)
	m.text[4] += uint8(len(entries))
	m.measure()
	return true
}

// Syncable says whether an entry can be told. Neither kernels nor this package tell of servers of another family than the client's, and
// this one of persistence engines' templates.
func (c *Connection) Syncable() bool {
	_, known := syncStates[c.Protocol][c.State]
	return (known || c.template()) && c.Engine == "" && c.Client.Addr().Is4() == c.Server.Addr().Is4()
}

// Ended says whether the connection is over. The kernel keeps its entry for some time.
func (c *Connection) Ended() bool {
	return c.State == "TIME_WAIT" || c.State == "CLOSE" || c.State == "CLOSED"
}

func (c *Connection) template() bool {
	return c.Client.Port() == 0 && (c.State == "NONE" || c.State == "ASSURED")
}

// syncStates are the numbers of states (include/net/ip_vs.h).
var syncStates = map[string]map[string]uint16{
	ipvs.TCP.String(): {
		"NONE": 0, "ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECV": 3, "FIN_WAIT": 4, "TIME_WAIT": 5, "CLOSE": 6, "CLOSE_WAIT": 7,
		"LAST_ACK": 8, "LISTEN": 9, "SYNACK": 10,
	},
	ipvs.UDP.String(): {"UDP": 0},
	ipvs.SCTP.String(): {
		"NONE": 0, "INIT1": 1, "INIT": 2, "COOKIE_SENT": 3, "COOKIE_REPLIED": 4, "COOKIE_WAIT": 5, "COOKIE": 6, "COOKIE_ECHOED": 7,
		"ESTABLISHED": 8, "SHUTDOWN_SENT": 9, "SHUTDOWN_RECEIVED": 10, "SHUTDOWN_ACK_SENT": 11, "REJECTED": 12, "CLOSED": 13,
	},
}

// inactive says whether the kernel does not count an entry among the active connections of its server.
func inactive(c *Connection) bool {
	switch c.Protocol {
	case ipvs.TCP.String():
		return !slices.Contains([]string{"ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"}, c.State)
	case ipvs.SCTP.String():
		return c.State != "ESTABLISHED"
	}
	return true
}

// syncEntry is one entry of a message.
func syncEntry(c *Connection, method ipvs.Forward, inactive bool) []byte {
	flags, state, mark := uint32(method), syncStates[c.Protocol][c.State], uint32(0)
	if inactive {
		flags |= flagInactive
	}
	if c.template() {
		flags, state = flags|flagTemplate, 0
		if c.State == "ASSURED" {
			state = 1
		}
	}
	protocol, _ := ipvs.ParseProtocol(c.Protocol) // 0 for a firewall mark's
	if c.Protocol == markProtocol {
		mark = binary.BigEndian.Uint32(c.Virtual.Addr().AsSlice())
	}
	kind, addrs := byte(0), slices.Concat(c.Client.Addr().AsSlice(), c.Virtual.Addr().AsSlice(), c.Server.Addr().AsSlice())
	if c.Client.Addr().Is6() {
		kind = syncIPv6
	}
	seconds := uint32(c.Expires/time.Second) + 1 // the kernel rounds down
	b := []byte{kind, byte(protocol)}
	b = binary.BigEndian.AppendUint16(b, uint16(4+20+len(addrs)))
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint16(b, state)
	for _, a := range []netip.AddrPort{c.Client, c.Virtual, c.Server} {
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	b = binary.BigEndian.AppendUint32(b, mark)
	b = binary.BigEndian.AppendUint32(b, seconds)
	return append(b, addrs...)
}
