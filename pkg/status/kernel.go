package status

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Kernel is the whole table of a kernel at one moment, whoever made it, with its settings and counters: all that ipvsadm -Ln
// shows with any of its options but connections. It is sorted by service and server.
type Kernel struct {
	At          time.Time `json:"at"`
	Version     string    `json:"version"`            // of the kernel's IPVS
	ConnBuckets uint32    `json:"connection_buckets"` // of its connection table

	Timeouts Timeouts    `json:"timeouts"`
	Master   *SyncDaemon `json:"sync_master,omitempty"` // absent: it doesn't run
	Backup   *SyncDaemon `json:"sync_backup,omitempty"`

	// Frozen says that net.ipv4.vs.run_estimation is 0: the kernel adds nothing to the counters of services and servers
	// until it is 1 again. Connection counts go on.
	Frozen   bool            `json:"counters_frozen,omitempty"`
	Services []KernelService `json:"services"`
}

// Timeouts are those of connections, for all services.
type Timeouts struct {
	TCP    time.Duration `json:"tcp"`
	TCPFin time.Duration `json:"tcpfin"`
	UDP    time.Duration `json:"udp"`
}

// SyncDaemon is a sync daemon of the kernel that runs.
type SyncDaemon struct {
	Interface string     `json:"interface"`
	SyncID    uint8      `json:"syncid"`
	MaxLen    uint16     `json:"maxlen"`
	Group     netip.Addr `json:"group"`
	Port      uint16     `json:"port"`
	TTL       uint8      `json:"ttl"`
}

// KernelService is a service of the kernel's table.
type KernelService struct {
	Key         ipvs.ServiceKey   `json:"service"`
	Ours        bool              `json:"ours"` // ipvsd's; otherwise somebody else put it there
	Scheduler   string            `json:"scheduler"`
	Flags       ipvs.ServiceFlags `json:"flags"` // the kernel's bits, without persistent and hashed
	Persistence time.Duration     `json:"persistence"`
	Granularity uint8             `json:"granularity"` // length of the prefix of a client's address
	Engine      string            `json:"engine,omitempty"`
	Options     []string          `json:"options"` // the above in words, scheduler first
	Stats       ipvs.Stats        `json:"stats"`
	Servers     []KernelServer    `json:"servers"`
}

// KernelServer is a server of a KernelService.
type KernelServer struct {
	Addr            netip.AddrPort `json:"server"`
	Ours            bool           `json:"ours"`
	Forward         string         `json:"forward"` // NAT, DR, TUN, LOCAL or BYPASS
	Tunnel          *Tunnel        `json:"tunnel,omitempty"`
	Weight          int32          `json:"weight"`
	UpperThreshold  uint32         `json:"uthreshold"`
	LowerThreshold  uint32         `json:"lthreshold"`
	Rank            int            `json:"rank"` // its place in the order in which the kernel walks over the servers
	ActiveConns     uint32         `json:"active_connections"`
	InactiveConns   uint32         `json:"inactive_connections"`
	PersistentConns uint32         `json:"persistent_connections"`
	Stats           ipvs.Stats     `json:"stats"`
}

// Tunnel is the encapsulation under TUN.
type Tunnel struct {
	Type    string `json:"type"` // ipip, gue or gre
	Port    uint16 `json:"port,omitempty"`
	Csum    bool   `json:"csum,omitempty"`
	RemCsum bool   `json:"remcsum,omitempty"`
}

// String returns "ipip" or "gue port 6080 csum"; "-" if there is no tunnel.
func (t *Tunnel) String() string {
	if t == nil {
		return "-"
	}
	s := t.Type
	if t.Port != 0 {
		s += " port " + strconv.Itoa(int(t.Port))
	}
	if t.Csum {
		s += " csum"
	}
	if t.RemCsum {
		s += " remcsum"
	}
	return s
}

// KernelOf returns a table as a Kernel. What ours is true of is marked; it is asked for each server, and for each service with
// the zero address.
func KernelOf(t ipvs.Table, s ipvs.Settings, ours func(ipvs.ServiceKey, netip.AddrPort) bool) *Kernel {
	k := &Kernel{
		Timeouts: Timeouts(s.Timeouts), Master: syncDaemon(s.Master), Backup: syncDaemon(s.Backup),
		Services: make([]KernelService, len(t)),
	}
	for i := range t {
		v := &t[i]
		k.Services[i] = KernelService{
			Key: v.ServiceKey, Ours: ours(v.ServiceKey, netip.AddrPort{}), Scheduler: v.Scheduler, Flags: v.Flags,
			Persistence: v.Persistence, Granularity: v.Granularity, Engine: v.Engine, Options: v.Options(), Stats: v.Stats,
			Servers: make([]KernelServer, len(v.Destinations)),
		}
		for j := range v.Destinations {
			d := &v.Destinations[j]
			k.Services[i].Servers[j] = KernelServer{
				Addr: d.Addr, Ours: ours(v.ServiceKey, d.Addr), Forward: d.Forward.String(), Tunnel: tunnel(&d.Destination),
				Weight: d.Weight, UpperThreshold: d.UpperThreshold, LowerThreshold: d.LowerThreshold, Rank: d.Rank,
				ActiveConns: d.ActiveConns, InactiveConns: d.InactiveConns, PersistentConns: d.PersistentConns, Stats: d.Stats,
			}
		}
	}
	return k
}

func syncDaemon(d ipvs.SyncDaemon) *SyncDaemon {
	if d.Interface == "" {
		return nil
	}
	s := SyncDaemon(d)
	return &s
}

func tunnel(d *ipvs.Destination) *Tunnel {
	if d.Forward != ipvs.Tun {
		return nil
	}
	return &Tunnel{
		Type: d.Tunnel.Type.String(), Port: d.Tunnel.Port,
		Csum: d.Tunnel.Flags&ipvs.Csum != 0, RemCsum: d.Tunnel.Flags&ipvs.RemCsum != 0,
	}
}

// Table returns what KernelOf was given.
func (k *Kernel) Table() (ipvs.Table, ipvs.Settings) {
	s := ipvs.Settings{Timeouts: ipvs.Timeouts(k.Timeouts)}
	if k.Master != nil {
		s.Master = ipvs.SyncDaemon(*k.Master)
	}
	if k.Backup != nil {
		s.Backup = ipvs.SyncDaemon(*k.Backup)
	}
	t := make(ipvs.Table, len(k.Services))
	for i := range k.Services {
		v := &k.Services[i]
		t[i].Service = ipvs.Service{
			ServiceKey: v.Key, Scheduler: v.Scheduler, Flags: v.Flags, Persistence: v.Persistence, Granularity: v.Granularity,
			Engine: v.Engine,
		}
		t[i].Stats = v.Stats
		for j := range v.Servers {
			t[i].Destinations = append(t[i].Destinations, v.Servers[j].destination())
		}
	}
	return t, s
}

func (r *KernelServer) destination() ipvs.DestinationStatus {
	d := ipvs.DestinationStatus{
		Destination: ipvs.Destination{
			Addr: r.Addr, Weight: r.Weight, UpperThreshold: r.UpperThreshold, LowerThreshold: r.LowerThreshold,
		},
		Rank: r.Rank, ActiveConns: r.ActiveConns, InactiveConns: r.InactiveConns, PersistentConns: r.PersistentConns,
		Stats: r.Stats,
	}
	for f := ipvs.NAT; f <= ipvs.Bypass; f++ {
		if f.String() == r.Forward {
			d.Forward = f
		}
	}
	if r.Tunnel == nil {
		return d
	}
	d.Tunnel.Port = r.Tunnel.Port
	for typ := ipvs.IPIP; typ <= ipvs.GRE; typ++ {
		if typ.String() == r.Tunnel.Type {
			d.Tunnel.Type = typ
		}
	}
	if r.Tunnel.Csum {
		d.Tunnel.Flags |= ipvs.Csum
	}
	if r.Tunnel.RemCsum {
		d.Tunnel.Flags |= ipvs.RemCsum
	}
	return d
}

// Service returns the service with a key, nil if there is none.
func (k *Kernel) Service(key ipvs.ServiceKey) *KernelService {
	i := slices.IndexFunc(k.Services, func(s KernelService) bool { return s.Key == key })
	if i < 0 {
		return nil
	}
	return &k.Services[i]
}

// WithoutSettings returns the table without timeouts and sync daemons, for a file about some services.
func (k *Kernel) WithoutSettings() *Kernel {
	some := *k
	some.Timeouts, some.Master, some.Backup = Timeouts{}, nil, nil
	return &some
}
