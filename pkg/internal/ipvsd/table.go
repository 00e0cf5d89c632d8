package ipvsd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Without returns a table without a server.
func Without(table, server string) string {
	var kept []string
	for line := range strings.Lines(table) {
		if !strings.Contains(line, "-r "+server+" ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// Unchecked is a configuration without checks, so that nothing but the test changes the table.
const Unchecked = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "wrr"
TCP_CHECK = false
weight = 3
real_servers = ["198.51.100.1:80", "198.51.100.2:80"]

[[virtual_server]]
address = "192.0.2.1:53"
protocol = "UDP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["198.51.100.1:53"]
`

// UncheckedTable is the table of Unchecked.
const UncheckedTable = `
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 3
-A -u 192.0.2.1:53 -s rr
-a -u 192.0.2.1:53 -r 198.51.100.1:53 -m -w 1
`

// Missing returns those lines of a that are not in b.
func Missing(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, line := range b {
		in[line] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return in[line] })
}

// Counters are ipvsadm's, by service and server: connections, packets and bytes in and out.
type Counters map[string][]int64

// CountersOf reads them.
func CountersOf(t *testing.T, h *lab.Host) Counters {
	t.Helper()
	c := Counters{}
	for _, row := range h.Table("--stats", "--exact") {
		for i := range row.Fields {
			key := strings.TrimSpace(row.Service + " " + row.Server)
			c[key] = append(c[key], row.Int(i))
		}
	}
	return c
}

// GrownFrom fails the test if a counter went back.
func (c Counters) GrownFrom(t *testing.T, when string, before Counters) {
	t.Helper()
	for key, were := range before {
		for i, was := range were {
			if is := c[key]; len(is) != len(were) || is[i] < was {
				t.Fatalf("%s the counters of %s are %d after %d", when, key, is, were)
			}
		}
	}
}

// Fill makes a table with ipvsadm.
func Fill(h *lab.Host, table string) {
	for line := range strings.Lines(Trim(table)) {
		h.Run(append([]string{"ipvsadm"}, strings.Fields(line)...)...)
	}
}

// WaitRow waits until ipvsadm shows a server of a service so, or that it is gone.
func (d *Daemon) WaitRow(when, service, server, want string) {
	d.t.Helper()
	lab.WaitFor(d.t, Patience, when+": "+server+" to be "+want, func() error {
		if row := d.Row(service, server); !strings.HasPrefix(row, want) {
			return fmt.Errorf("it is %q\n%s", row, d.Ctl("list"))
		}
		return nil
	})
}

// WaitSaid waits until ipvsctl status says something.
func (d *Daemon) WaitSaid(want string) {
	d.t.Helper()
	lab.WaitFor(d.t, Patience, "ipvsctl status to say "+want, func() error {
		if out := d.Ctl("status"); !strings.Contains(out, want) {
			return fmt.Errorf("it says\n%s", out)
		}
		return nil
	})
}

// Saved is the host's table as ipvsadm -Sn prints it, without blanks at the ends of lines.
func Saved(h *lab.Host) (string, error) {
	out, err := h.Output("ipvsadm", "-Sn")
	return Trim(out), err
}

// Trim takes away blanks at the ends of lines, and empty lines around a text.
func Trim(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// WaitSaved waits until ipvsadm -Sn prints a table.
func WaitSaved(t *testing.T, h *lab.Host, want string) {
	t.Helper()
	lab.WaitFor(t, Patience, "the table of "+h.Name, func() error {
		got, err := Saved(h)
		if err == nil && got != Trim(want) {
			err = fmt.Errorf("ipvsadm -Sn prints\n%s\nwant\n%s", got, Trim(want))
		}
		return err
	})
}

// Served is how many connections a server of a service has had, by the kernel's counters.
func (d *Daemon) Served(service, server string) string {
	d.t.Helper()
	for _, r := range d.host.Table("--stats", "--exact") {
		if r.Service == service && r.Server == server {
			return r.Fields[0]
		}
	}
	return "gone"
}

// Row is a server of a service as ipvsadm shows it: "Masq 0 1 3", "gone".
func (d *Daemon) Row(service, server string) string {
	d.t.Helper()
	for _, r := range d.host.Table() {
		if r.Service == service && r.Server == server {
			return strings.Join(r.Fields, " ")
		}
	}
	return "gone"
}
