package bfd

import (
	"net/netip"
	"time"
)

// Config is one bfd_instance: checked, defaults filled in.
type Config struct {
	Name       string
	Neighbor   netip.Addr
	Source     netip.Addr    // zero: the kernel's choice
	MinRx      time.Duration // Required Min RX Interval
	MinTx      time.Duration // Desired Min TX Interval
	IdleTx     time.Duration // the same while the session is not up: a second at least
	Multiplier uint8         // Detect Mult
	Passive    bool          // wait for the neighbor to begin
	TTL        uint8         // of packets sent; 0: 255, IPv6 64 as keepalived's
	MaxHops    int           // hops that received packets may have taken; -1: any
	Multihop   bool          // port 4784 instead of 3784
}

// Continues says whether a session can go on under another configuration. If not, it is a new one with that.
func (c *Config) Continues(next *Config) bool {
	return c.Neighbor == next.Neighbor && c.Source == next.Source && c.Multihop == next.Multihop && c.TTL == next.TTL
}
