package status

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// StatsStyle is what Stats prints, and how.
type StatsStyle struct {
	Human bool // counters as 12.3K, 4.5M; or else every digit
	Wide  bool // thresholds and tunnels, too
}

// Stats prints the table with all its counters: what ipvsadm -Ln prints with --stats, --persistent-conn and, if it is to be
// wide, --thresholds and --tun-info; before it, unless a part was picked, what --timeout and --daemon print.
func (k *Kernel) Stats(w io.Writer, style Style, form StatsStyle) error {
	number := exact
	if form.Human {
		number = human
	}
	c := columns{style: style}
	header := []cell{head("SERVICE / SERVER"), head("FORWARD"), headRight("WEIGHT")}
	if form.Wide {
		header = append(header, headRight("LTHRESHOLD"), headRight("UTHRESHOLD"), head("TUNNEL"))
	}
	for _, h := range []string{
		"ACTIVE", "INACTIVE", "PERSISTENT", "CONNECTIONS", "IN-PACKETS", "OUT-PACKETS", "IN-BYTES", "OUT-BYTES",
	} {
		header = append(header, headRight(h))
	}
	c.row(header...)
	for i := range k.Services {
		s := &k.Services[i]
		var active, inactive, persistent uint64
		for j := range s.Servers {
			r := &s.Servers[j]
			active += uint64(r.ActiveConns)
			inactive += uint64(r.InactiveConns)
			persistent += uint64(r.PersistentConns)
		}
		row := []cell{{text: s.Key.String() + " " + strings.Join(s.Options, " "), sgr: bold}, {}, {}}
		if form.Wide {
			row = append(row, cell{}, cell{}, cell{})
		}
		row = append(row, numbers(number, active, inactive, persistent)...)
		c.row(append(row, counters(number, &s.Stats)...)...)
		for j := range s.Servers {
			c.row(s.Servers[j].stats(number, form.Wide)...)
		}
	}
	return c.write(w, "")
}

func (r *KernelServer) stats(number func(uint64) string, wide bool) []cell {
	row := []cell{
		{text: "  " + r.Addr.String()}, {text: r.Forward},
		{text: strconv.Itoa(int(r.Weight)), right: true},
	}
	if wide {
		row = append(row, numbers(exact, uint64(r.LowerThreshold), uint64(r.UpperThreshold))...)
		row = append(row, cell{text: r.Tunnel.String()})
	}
	row = append(row, numbers(number, uint64(r.ActiveConns), uint64(r.InactiveConns), uint64(r.PersistentConns))...)
	return append(row, counters(number, &r.Stats)...)
}

func counters(number func(uint64) string, s *ipvs.Stats) []cell {
	return numbers(number, s.Connections, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes)
}

func numbers(number func(uint64) string, values ...uint64) []cell {
	cells := make([]cell, len(values))
	for i, n := range values {
		cells[i] = cell{text: number(n), right: true}
	}
	return cells
}

func exact(n uint64) string { return strconv.FormatUint(n, 10) }

// human returns a number with three digits or four and the prefix of its power of 1000.
func human(n uint64) string {
	f, prefix := float64(n), ""
	for _, p := range []string{"K", "M", "G", "T", "P", "E"} {
		if f < 999.5 {
			break
		}
		f, prefix = f/1000, p
	}
	switch {
	case prefix == "":
		return exact(n)
	case f < 9.995:
		return fmt.Sprintf("%.2f%s", f, prefix)
	case f < 99.95:
		return fmt.Sprintf("%.1f%s", f, prefix)
	}
	return fmt.Sprintf("%.0f%s", f, prefix)
}

// Settings prints what the kernel is set to besides its services: what ipvsadm -L prints with --timeout and --daemon.
func (k *Kernel) Settings(w io.Writer, style Style) error {
	var b strings.Builder
	line := func(label, text string) {
		fmt.Fprintf(&b, "%s %s\n", style.paint(dim, fmt.Sprintf("%-12s", label)), text)
	}
	line("kernel", fmt.Sprintf("IPVS %s, %d buckets for connections", k.Version, k.ConnBuckets))
	line("timeouts", fmt.Sprintf("tcp %v, tcpfin %v, udp %v", k.Timeouts.TCP, k.Timeouts.TCPFin, k.Timeouts.UDP))
	_, s := k.Table()
	line("sync master", s.Master.String())
	line("sync backup", s.Backup.String())
	if k.Frozen {
		line("counters", style.paint(yellow, frozen))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const frozen = "not counting: net.ipv4.vs.run_estimation is 0, so the kernel adds nothing to the counters of services and servers"
