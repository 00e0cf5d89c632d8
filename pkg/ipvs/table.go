package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Table is the content of a kernel's IPVS table at one moment, sorted by Sort.
type Table []ServiceStatus

// ServiceStatus is a service as the kernel reports it.
type ServiceStatus struct {
	Service
	Stats        Stats
	Destinations []DestinationStatus
	Unread       bool // nobody asked for the destinations: that there are none here means nothing
}

// DestinationStatus is a destination as the kernel reports it.
type DestinationStatus struct {
	Destination
	// Rank is the destination's place, from 0 on, in the order in which the kernel walks over the service's destinations:
	// the last added one is the first, be it new or added again; an edit changes nothing. The tables of mh, sh and dh
	// depend on it.
	Rank            int
	ActiveConns     uint32
	InactiveConns   uint32
	PersistentConns uint32
	Stats           Stats
}

// Stats are counters since the service or destination was made, and the kernel's rates over the last seconds.
type Stats struct {
	Connections         uint64 `json:"connections"`
	InPackets           uint64 `json:"in_packets"`
	OutPackets          uint64 `json:"out_packets"` // 0 under DR and TUN: replies don't pass the director
	InBytes             uint64 `json:"in_bytes"`
	OutBytes            uint64 `json:"out_bytes"`
	ConnectionsPerSec   uint64 `json:"connections_per_second"`
	InPacketsPerSecond  uint64 `json:"in_packets_per_second"`
	OutPacketsPerSecond uint64 `json:"out_packets_per_second"`
	InBytesPerSecond    uint64 `json:"in_bytes_per_second"`
	OutBytesPerSecond   uint64 `json:"out_bytes_per_second"`
}

// Sort puts services and their destinations into the order of their keys, the order that Find and plans rely on.
func (t Table) Sort() {
	slices.SortFunc(t, func(a, b ServiceStatus) int { return a.ServiceKey.Compare(b.ServiceKey) })
	for i := range t {
		slices.SortFunc(t[i].Destinations, func(a, b DestinationStatus) int { return a.Addr.Compare(b.Addr) })
	}
}

// Find returns the service with a key, nil if there is none. The table must be sorted.
func (t Table) Find(k ServiceKey) *ServiceStatus {
	i, ok := slices.BinarySearchFunc(t, k, func(s ServiceStatus, k ServiceKey) int { return s.ServiceKey.Compare(k) })
	if !ok {
		return nil
	}
	return &t[i]
}

// Destination returns the destination at an address, nil if there is none. The table must be sorted.
func (s *ServiceStatus) Destination(a netip.AddrPort) *DestinationStatus {
	i, ok := slices.BinarySearchFunc(s.Destinations, a, func(d DestinationStatus, a netip.AddrPort) int { return d.Addr.Compare(a) })
	if !ok {
		return nil
	}
	return &s.Destinations[i]
}

// Len returns the number of services and of destinations.
func (t Table) Len() (services, destinations int) {
	for i := range t {
		destinations += len(t[i].Destinations)
	}
	return len(t), destinations
}

// Info is what the kernel says of itself.
type Info struct {
	Version       Version
	ConnTableSize uint32 // buckets of the connection table, fixed when ip_vs was loaded
}

// Version is the version of the kernel's IPVS, as in "IP Virtual Server version 1.2.1".
type Version uint32

// String returns "1.2.1".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", uint8(v>>16), uint8(v>>8), uint8(v)) }

// Compare orders versions.
func (v Version) Compare(o Version) int { return cmp.Compare(v, o) }
