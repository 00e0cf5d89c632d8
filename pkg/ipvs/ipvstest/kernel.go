package ipvstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Kernel is an IPVS table in memory. The zero value is an empty table of a kernel that has the module. It is safe for
// concurrent use.
type Kernel struct {
	mu       sync.Mutex // guards everything below; held while functions given by tests run
	services map[ipvs.ServiceKey]*service
	timeouts ipvs.Timeouts
	settings settings
	missing  bool // the module
	commands []ipvs.Command
	onChange func(ipvs.Table)
	faults   faults
}

// service is a service with its servers, present and deleted.
type service struct {
	ipvs.Service
	stats        ipvs.Stats
	order        []netip.AddrPort // of the servers, the last added one last
	destinations map[netip.AddrPort]ipvs.DestinationStatus
	trash        map[netip.AddrPort]ipvs.DestinationStatus // deleted, with the counters to come back with
}

// engines are the persistence engines of Linux 6.x.
var engines = []string{"", "sip"}

// bootTimeouts are what a kernel starts with.
var bootTimeouts = ipvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}

// Snapshot returns the table, sorted.
func (k *Kernel) Snapshot(ctx context.Context) (ipvs.Table, error) { return k.Read(ctx, nil) }

// Read returns the table, sorted, without the destinations of services that are not in of, unless that is nil.
func (k *Kernel) Read(ctx context.Context, of map[ipvs.ServiceKey]bool) (ipvs.Table, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx); err != nil {
		return nil, err
	}
	if err := k.faults.snapshot(); err != nil {
		return nil, err
	}
	table := k.table()
	for i := range table {
		if of != nil && !of[table[i].ServiceKey] {
			table[i].Destinations, table[i].Unread = nil, true
		}
	}
	return table, nil
}

// ReadServices returns the services with these keys, sorted; those that don't exist are missing.
func (k *Kernel) ReadServices(ctx context.Context, keys []ipvs.ServiceKey) (ipvs.Table, error) {
	table, err := k.Read(ctx, nil)
	return slices.DeleteFunc(table, func(s ipvs.ServiceStatus) bool { return !slices.Contains(keys, s.ServiceKey) }), err
}

// Apply runs the commands in order and returns an error for each that was refused. The error err is not nil when the
// outcome of some commands is unknown; then the caller has to look at a new Snapshot.
func (k *Kernel) Apply(ctx context.Context, commands []ipvs.Command) (refused []*ipvs.Error, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx); err != nil {
		return nil, err
	}
	for i, c := range commands {
		f := k.faults.command(c)
		if f.lost && !f.done {
			return refused, lostReply(i)
		}
		k.commands = append(k.commands, c)
		errno := f.errno
		if errno == 0 {
			errno = k.run(c)
		}
		if errno != 0 {
			refused = append(refused, &ipvs.Error{Command: c, Index: i, Errno: errno})
		} else if k.onChange != nil {
			k.onChange(k.table())
		}
		if f.lost {
			return refused, lostReply(i)
		}
	}
	return refused, nil
}

func lostReply(i int) error {
	return fmt.Errorf("the outcome from command %d on is unknown: %w", i, context.DeadlineExceeded)
}

// Timeouts returns the connection timeouts.
func (k *Kernel) Timeouts(ctx context.Context) (ipvs.Timeouts, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.readSetting(ctx, "read timeouts"); err != nil {
		return ipvs.Timeouts{}, err
	}
	return k.currentTimeouts(), nil
}

// SetTimeouts changes the connection timeouts that are not zero.
func (k *Kernel) SetTimeouts(ctx context.Context, t ipvs.Timeouts) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.changeSetting(ctx, fmt.Sprintf("set timeouts tcp %v tcpfin %v udp %v", t.TCP, t.TCPFin, t.UDP)); err != nil {
		return err
	}
	for _, d := range []time.Duration{t.TCP, t.TCPFin, t.UDP} {
		if d != 0 && (d < time.Second || d > math.MaxInt32/1000*time.Second) { // INT_MAX / HZ, for the highest HZ
			return fmt.Errorf("set timeouts: %v: %w", d, ipvs.EINVAL)
		}
	}
	now := k.currentTimeouts()
	now.TCP = cmp.Or(t.TCP.Truncate(time.Second), now.TCP)
	now.TCPFin = cmp.Or(t.TCPFin.Truncate(time.Second), now.TCPFin)
	now.UDP = cmp.Or(t.UDP.Truncate(time.Second), now.UDP)
	k.timeouts = now
	return nil
}

func (k *Kernel) currentTimeouts() ipvs.Timeouts {
	if k.timeouts == (ipvs.Timeouts{}) {
		return bootTimeouts
	}
	return k.timeouts
}

// Info returns the version of IPVS and the default size of its connection table.
func (k *Kernel) Info(ctx context.Context) (ipvs.Info, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx); err != nil {
		return ipvs.Info{}, err
	}
	return ipvs.Info{Version: 0x010201, ConnTableSize: 4096}, nil
}

func (k *Kernel) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.missing {
		return fmt.Errorf("resolve netlink family IPVS: %w", ipvs.ErrUnavailable)
	}
	return nil
}

func (k *Kernel) table() ipvs.Table {
	t := make(ipvs.Table, 0, len(k.services))
	for _, s := range k.services {
		status := ipvs.ServiceStatus{Service: s.Service, Stats: s.stats}
		for i, a := range slices.Backward(s.order) {
			d := s.destinations[a]
			d.Rank = len(s.order) - 1 - i
			status.Destinations = append(status.Destinations, d)
		}
		t = append(t, status)
	}
	t.Sort()
	return t
}

// Count adds to the counters of a service and of one of its servers, as forwarded packets would, and sets the server's
// connections. It is an error if there is no such server.
func (k *Kernel) Count(key ipvs.ServiceKey, server netip.AddrPort, add ipvs.Stats, active, inactive uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.services[key]
	if s == nil {
		return ipvs.ESRCH
	}
	d, ok := s.destinations[server]
	if !ok {
		return ipvs.ENOENT
	}
	s.stats = sum(s.stats, add)
	d.Stats = sum(d.Stats, add)
	d.ActiveConns, d.InactiveConns = active, inactive
	s.destinations[server] = d
	return nil
}

// sum adds the counters; the rates are the newer ones.
func sum(a, b ipvs.Stats) ipvs.Stats {
	b.Connections += a.Connections
	b.InPackets += a.InPackets
	b.OutPackets += a.OutPackets
	b.InBytes += a.InBytes
	b.OutBytes += a.OutBytes
	return b
}

// Commands returns the commands that reached the kernel since the last call, refused ones too, and forgets them.
func (k *Kernel) Commands() []ipvs.Command {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.commands
	k.commands = nil
	return c
}

// OnChange has f called with the whole table after every single command that the kernel accepts, so that a test can
// check what must hold at every moment. f must not call the Kernel. Nil ends it.
func (k *Kernel) OnChange(f func(ipvs.Table)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.onChange = f
}

// errInterrupted is what a Snapshot ends with that had to begin again too often.
var errInterrupted = errors.New("the table changed while it was read, again and again")
