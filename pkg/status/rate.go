package status

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Rates is what came to the services of the kernel's table between two moments, a second.
type Rates struct {
	At       time.Time     `json:"at"` // the later moment
	Seconds  float64       `json:"seconds"`
	Frozen   bool          `json:"counters_frozen,omitempty"` // see Kernel: all rates are 0 then
	Services []ServiceRate `json:"services"`
}

// ServiceRate is the rate of a service.
type ServiceRate struct {
	Key ipvs.ServiceKey `json:"service"`
	Rate
	Servers []ServerRate `json:"servers"`
}

// ServerRate is the rate of a server.
type ServerRate struct {
	Addr          netip.AddrPort `json:"server"`
	Weight        int32          `json:"weight"`
	ActiveConns   uint32         `json:"active_connections"` // at the later moment
	InactiveConns uint32         `json:"inactive_connections"`
	Rate
}

// Rate is how fast counters grow.
type Rate struct {
	Connections float64 `json:"connections_per_second"`
	InPackets   float64 `json:"in_packets_per_second"`
	OutPackets  float64 `json:"out_packets_per_second"`
	InBytes     float64 `json:"in_bytes_per_second"`
	OutBytes    float64 `json:"out_bytes_per_second"`
}

// RatesOf returns the rates between two tables, from their counters alone: the kernel's own rates are averages of another
// kind. A service or server that wasn't there before, or whose counters went back because it was made anew or set to zero,
// counts from zero; one that has gone isn't there. There are no rates without time between.
func RatesOf(before, after *Kernel) *Rates {
	r := &Rates{
		At: after.At, Seconds: after.At.Sub(before.At).Seconds(), Frozen: after.Frozen,
		Services: make([]ServiceRate, len(after.Services)),
	}
	was := make(map[ipvs.ServiceKey]*KernelService, len(before.Services))
	for i := range before.Services {
		was[before.Services[i].Key] = &before.Services[i]
	}
	for i := range after.Services {
		is, old := &after.Services[i], was[after.Services[i].Key]
		if old == nil {
			old = &KernelService{}
		}
		servers := make(map[netip.AddrPort]*KernelServer, len(old.Servers))
		for j := range old.Servers {
			servers[old.Servers[j].Addr] = &old.Servers[j]
		}
		v := ServiceRate{Key: is.Key, Rate: rate(&old.Stats, &is.Stats, r.Seconds), Servers: make([]ServerRate, len(is.Servers))}
		for j := range is.Servers {
			now, then := &is.Servers[j], servers[is.Servers[j].Addr]
			if then == nil {
				then = &KernelServer{}
			}
			v.Servers[j] = ServerRate{
				Addr: now.Addr, Weight: now.Weight, ActiveConns: now.ActiveConns, InactiveConns: now.InactiveConns,
				Rate: rate(&then.Stats, &now.Stats, r.Seconds),
			}
		}
		r.Services[i] = v
	}
	return r
}

func rate(was, is *ipvs.Stats, seconds float64) Rate {
	if seconds <= 0 {
		return Rate{}
	}
	if is.Connections < was.Connections || is.InPackets < was.InPackets || is.OutPackets < was.OutPackets ||
		is.InBytes < was.InBytes || is.OutBytes < was.OutBytes {
		was = &ipvs.Stats{}
	}
	return Rate{
		Connections: float64(is.Connections-was.Connections) / seconds,
		InPackets:   float64(is.InPackets-was.InPackets) / seconds,
		OutPackets:  float64(is.OutPackets-was.OutPackets) / seconds,
		InBytes:     float64(is.InBytes-was.InBytes) / seconds,
		OutBytes:    float64(is.OutBytes-was.OutBytes) / seconds,
	}
}

// Text prints the rates, a line for each service and server.
func (r *Rates) Text(w io.Writer, style Style) error {
	if r.Frozen {
		if _, err := fmt.Fprintln(w, style.paint(yellow, frozen)); err != nil {
			return err
		}
	}
	c := columns{style: style}
	c.row(cell{text: r.At.Format(time.TimeOnly), sgr: bold}, headRight("WEIGHT"), headRight("ACTIVE"), headRight("INACTIVE"),
		headRight("CONNECTIONS/S"), headRight("IN-PACKETS/S"), headRight("OUT-PACKETS/S"), headRight("IN-BYTES/S"),
		headRight("OUT-BYTES/S"))
	for i := range r.Services {
		s := &r.Services[i]
		var active, inactive uint64
		for j := range s.Servers {
			active += uint64(s.Servers[j].ActiveConns)
			inactive += uint64(s.Servers[j].InactiveConns)
		}
		row := append([]cell{{text: s.Key.String(), sgr: bold}, {}}, numbers(exact, active, inactive)...)
		c.row(append(row, s.cells()...)...)
		for j := range s.Servers {
			v := &s.Servers[j]
			row := []cell{{text: "  " + v.Addr.String()}, {text: strconv.Itoa(int(v.Weight)), right: true}}
			row = append(row, numbers(exact, uint64(v.ActiveConns), uint64(v.InactiveConns))...)
			c.row(append(row, v.cells()...)...)
		}
	}
	return c.write(w, "")
}

func (r *Rate) cells() []cell {
	cells := make([]cell, 0, 5)
	for _, f := range []float64{r.Connections, r.InPackets, r.OutPackets, r.InBytes, r.OutBytes} {
		decimals := 0
		if f < 9.95 && f != float64(int64(f)) {
			decimals = 1
		}
		cells = append(cells, cell{text: strconv.FormatFloat(f, 'f', decimals, 64), right: true})
	}
	return cells
}
