package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long a measured thing may take before it counts as stuck.
const patience = 30 * time.Minute

// contender is a program that brings a table into the kernel.
type contender struct {
	name  string
	start []string
	write func(b *bench, weight int) // the configuration, with this weight for the last server
	once  bool                       // it ends when the table is there, and knows no reload
	dies  bool                       // at the stop, of a large table with checks: then its table stays, which is told
}

// result is what was measured of a contender.
type result struct {
	start  series // from the start of the program to the last server
	fill   series // of that, from the first service in the table to the last server
	reload series // from the signal to the new weight
	stop   series // from the signal to an empty table
	memory bytes  // that its processes use with the full table
}

func (c contender) measure(b *bench, z size, r *result) {
	host := lab.NewHost(b, "director")
	if z.checked {
		answer(b, host)
	}
	c.write(b, 1)
	began := time.Now()
	p := host.Start(c.start...)
	first, last := c.watch(b, host, z, 1)
	r.start = append(r.start, last.Sub(began))
	r.fill = append(r.fill, last.Sub(first))
	if c.once {
		b.Must(p.Err())
		return
	}
	c.write(b, 7)
	began = time.Now()
	p.Signal(syscall.SIGHUP)
	_, last = c.watch(b, host, z, 7)
	r.reload = append(r.reload, last.Sub(began))
	r.memory = append(r.memory, memory(b, host))
	began = time.Now()
	b.Must(p.Stop())
	r.stop = append(r.stop, time.Since(began))
	switch n := len(host.Table()); {
	case n > 0 && c.dies:
		b.Logf("%s left a table of %d lines when it was stopped", c.name, n)
	case n > 0:
		b.Fatalf("%s left a table of %d lines", c.name, n)
	}
}

// watch waits until the last server of the table, which every contender makes last, is there with its weight. It returns
// when there was a first service, and when that was. It looks at these two services alone, and with moby/ipvs, so that the
// observer is not the observed and takes no more than a few parts in a hundred of the one processor; that the whole table
// is there is seen afterwards.
func (c contender) watch(b *bench, host *lab.Host, z size, weight int) (first, last time.Time) {
	var table *moby.Handle
	b.Must(host.Do(func() (err error) {
		table, err = moby.New("")
		return err
	}))
	defer table.Close()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last.IsZero() {
		now := <-tick.C
		if first.IsZero() && table.IsServicePresent(service(0)) {
			first = now
		}
		servers, err := table.GetDestinations(service(z.services - 1))
		b.Must(err)
		for _, d := range servers {
			if d.Weight == weight && d.Address.Equal(net.ParseIP(z.rip(z.services-1, z.servers-1))) {
				last = now
			}
		}
		if now.After(deadline) {
			b.Fatalf("%s has %d servers in its last service after %v", c.name, len(servers), patience)
		}
	}
	if n := len(host.Table()); n != z.services+z.destinations() {
		b.Fatalf("%s made a table of %d lines", c.name, n)
	}
	return first, last
}

// service is the n-th service in moby/ipvs's terms.
func service(n int) *moby.Service {
	return &moby.Service{AddressFamily: unix.AF_INET, Protocol: unix.IPPROTO_TCP, Address: net.ParseIP(vip(n)).To4(), Port: 80}
}

func vip(n int) string { return fmt.Sprintf("10.1.%d.%d", n/250, n%250+1) }
func rip(n int) string { return fmt.Sprintf("10.2.%d.%d", n/250, n%250+1) }

func (z size) last(n, m int) bool { return n == z.services-1 && m == z.servers-1 }

// ipvsd has its configuration in the short form: a line with all servers of a service.
func ipvsd(bin, dir string, z size) contender {
	file := filepath.Join(dir, "ipvsd.toml")
	return contender{
		name: "ipvsd",
		start: []string{filepath.Join(bin, "ipvsd"), "-f", file, "--socket", filepath.Join(dir, "socket"),
			"--state-dir", dir, "--log-level", "error"},
		write: func(b *bench, weight int) {
			_ = os.Remove(filepath.Join(dir, "owned.json")) // each start is the first
			lines := []string{"[global_defs]", "lvs_flush_on_stop = true"}
			for n := range z.services {
				var list []string
				for m := range z.servers {
					if !z.last(n, m) {
						list = append(list, fmt.Sprintf("%q", rip(m)+":80"))
					}
				}
				lines = append(lines, "[[virtual_server]]", fmt.Sprintf("address = %q", vip(n)+":80"), `protocol = "TCP"`, `lb_algo = "wrr"`,
					"TCP_CHECK = false", "real_servers = ["+strings.Join(list, ", ")+"]")
			}
			lines = append(lines, "[[virtual_server.real_server]]", fmt.Sprintf("address = %q", rip(z.servers-1)+":80"), fmt.Sprintf("weight = %d", weight))
			b.write(file, lines)
		},
	}
}

func keepalived(dir string, z size) contender {
	file := filepath.Join(dir, "keepalived.conf")
	pid := func(name string) string { return filepath.Join(dir, name+".pid") }
	write := writeKeepalived(file, z)
	return contender{
		name: "keepalived",
		start: []string{"keepalived", "--dont-fork", "--check", "--log-console", "--use-file", file,
			"--pid", pid("keepalived"), "--checkers_pid", pid("checkers")},
		write: func(b *bench, weight int) {
			_, _ = os.Remove(pid("keepalived")), os.Remove(pid("checkers"))
			write(b, weight)
		},
	}
}

// writeKeepalived writes a keepalived.conf.
func writeKeepalived(file string, z size) func(b *bench, weight int) {
	return func(b *bench, weight int) {
		lines := []string{"global_defs {", "lvs_flush_on_stop VS", "}"}
		for n := range z.services {
			lines = append(lines, fmt.Sprintf("virtual_server %s 80 {", vip(n)), "protocol TCP", "lb_algo wrr", "lb_kind NAT")
			for m := range z.servers {
				w := 1
				if z.last(n, m) {
					w = weight
				}
				lines = append(lines, fmt.Sprintf("real_server %s 80 {", z.rip(n, m)), fmt.Sprintf("weight %d", w))
				if z.checked {
					lines = append(lines, "TCP_CHECK {", "connect_timeout 30", "}")
				}
				lines = append(lines, "}")
			}
			lines = append(lines, "}")
		}
		b.write(file, lines)
	}
}

func restore(dir string, z size) contender {
	file := filepath.Join(dir, "ipvsadm.rules")
	return contender{
		name:  "ipvsadm -R",
		start: []string{"sh", "-c", `exec ipvsadm -R < "$0"`, file},
		write: func(b *bench, _ int) {
			var lines []string
			for n := range z.services {
				lines = append(lines, fmt.Sprintf("-A -t %s:80 -s wrr", vip(n)))
				for m := range z.servers {
					lines = append(lines, fmt.Sprintf("-a -t %s:80 -r %s:80 -m -w 1", vip(n), rip(m)))
				}
			}
			b.write(file, lines)
		},
		once: true,
	}
}
