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
const patience = 8 * time.Minute

// contender is a program that brings a table into the kernel.
type contender struct {
	name   string
	start  []string
	fresh  func()                     // its next start is the first there is; nil: it always is
	write  func(b *bench, weight int) // the configuration, with this weight for the last server
	once   bool                       // it ends when the table is there, and knows no reload
	static bool                       // it knows no reload
	loose  bool                       // the last server need not be the last that it makes
	dies   bool                       // at the stop, of a large table with checks: then its table stays, which is told
	most   int                        // servers that it can be expected to make; 0: any number
}

// launch starts the program on a host.
func (c contender) launch(b *bench, host *lab.Host, weight int) (p *lab.Process, began time.Time) {
	c.write(b, weight)
	began = time.Now()
	return host.Start(c.start...), began
}

func (c contender) forget() {
	if c.fresh != nil {
		c.fresh()
	}
}

func (c contender) measure(b *bench, z size, t tell) {
	host := lab.NewHost(b, "director")
	if z.checked {
		answer(b, host)
	}
	c.forget()
	p, began := c.launch(b, host, 1)
	first, last, err := c.watch(b, host, z, 1, patience)
	b.Must(err)
	t(toFull, c.name, last.Sub(began).Seconds())
	t(filling, c.name, last.Sub(first).Seconds())
	if c.once {
		b.Must(p.Err())
		return
	}
	if !c.static {
		c.write(b, 7)
		began = time.Now()
		p.Signal(syscall.SIGHUP)
		_, last, err = c.watch(b, host, z, 7, patience)
		b.Must(err)
		t(toWeight, c.name, last.Sub(began).Seconds())
	}
	t(fullTable, c.name, float64(memory(b, host)))
	began = time.Now()
	b.Must(p.Stop())
	t(toEmpty, c.name, time.Since(began).Seconds())
	switch n := len(host.Table()); {
	case n > 0 && c.dies:
		b.Logf("%s left a table of %d lines when it was stopped", c.name, n)
	case n > 0:
		b.Fatalf("%s left a table of %d lines", c.name, n)
	}
}

// watch waits until the last server of the table, which nearly every contender makes last, is there with its weight. It returns
// when there was a first service, and when that was. It looks at these two services alone, and with moby/ipvs, so that the
// observer is not the observed and takes no more than a few parts in a hundred of the one processor; that the whole table
// is there is seen afterwards.
func (c contender) watch(b *bench, host *lab.Host, z size, weight int, limit time.Duration) (first, last time.Time, err error) {
	var table *moby.Handle
	b.Must(host.Do(func() (err error) {
		table, err = moby.New("")
		return err
	}))
	defer table.Close()
	deadline := time.Now().Add(limit)
	every := 5 * time.Millisecond
	if z.destinations() <= 1000 {
		every = time.Millisecond
	}
	tick := time.NewTicker(every)
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
			return first, last, fmt.Errorf("%s has %d servers in its last service after %v", c.name, len(servers), limit)
		}
	}
	if first.IsZero() || first.Equal(last) {
		first = last.Add(-every) // both came between two looks
	}
	if c.loose {
		err := lab.Poll(limit, func() error { return full(host, z) })
		return first, time.Now(), err
	}
	return first, last, full(host, z)
}

// full returns nil if a host's table has all services and servers.
func full(host *lab.Host, z size) error {
	if n := len(host.Table()); n != z.services+z.destinations() {
		return fmt.Errorf("a table of %d lines instead of %d", n, z.services+z.destinations())
	}
	return nil
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
		name:  "ipvsd",
		start: ipvsdCommand(bin, dir, file),
		fresh: func() { _ = os.Remove(filepath.Join(dir, "owned.json")) },
		write: func(b *bench, weight int) {
			check := "TCP_CHECK = false"
			if z.checked {
				check = "TCP_CHECK = { connect_timeout = 30 }\ndelay_loop = 60" // keepalived's default
			}
			lines := []string{"[global_defs]", "lvs_flush_on_stop = true"}
			for n := range z.services {
				var list []string
				for m := range z.servers {
					if !z.last(n, m) {
						list = append(list, fmt.Sprintf("%q", z.rip(n, m)+":80"))
					}
				}
				lines = append(lines, "[[virtual_server]]", fmt.Sprintf("address = %q", vip(n)+":80"), `protocol = "TCP"`, `lb_algo = "wrr"`,
					check, "real_servers = ["+strings.Join(list, ", ")+"]")
			}
			last := z.rip(z.services-1, z.servers-1) + ":80"
			b.write(file, append(lines, "[[virtual_server.real_server]]", fmt.Sprintf("address = %q", last), fmt.Sprintf("weight = %d", weight)))
		},
	}
}

// ipvsdCommand is how ipvsd is started, with its state in a directory.
func ipvsdCommand(bin, dir, file string) []string {
	return []string{filepath.Join(bin, "ipvsd"), "-f", file, "--socket", filepath.Join(dir, "socket"), "--state-dir", dir, "--log-level", "error"}
}

func keepalived(dir string, z size) contender {
	file := filepath.Join(dir, "keepalived.conf")
	write := writeKeepalived(file, z)
	return contender{
		name:  "keepalived",
		start: keepalivedCommand(dir, file),
		write: func(b *bench, weight int) {
			forgetKeepalived(dir)
			write(b, weight)
		},
	}
}

// keepalivedCommand is how keepalived is started, with its pid files in a directory.
func keepalivedCommand(dir, file string) []string {
	return []string{"keepalived", "--dont-fork", "--check", "--log-console", "--use-file", file,
		"--pid", filepath.Join(dir, "keepalived.pid"), "--checkers_pid", filepath.Join(dir, "checkers.pid")}
}

// forgetKeepalived removes the pid files of one that was killed: the next one would take itself for the second.
func forgetKeepalived(dir string) {
	_, _ = os.Remove(filepath.Join(dir, "keepalived.pid")), os.Remove(filepath.Join(dir, "checkers.pid"))
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
		name:  "ipvsadm",
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

// ldirectord takes all servers for alive: it checks nothing.
func ldirectord(dir string, z size) contender {
	file := filepath.Join(dir, "ldirectord-table.cf")
	return contender{
		name:  "ldirectord",
		start: []string{"ldirectord", file, "start"},
		write: func(b *bench, weight int) {
			lines := []string{"supervised = yes", "checkinterval = 60"}
			for n := range z.services {
				lines = append(lines, fmt.Sprintf("virtual = %s:80", vip(n)))
				for m := range z.servers {
					w := 1
					if z.last(n, m) {
						w = weight
					}
					lines = append(lines, fmt.Sprintf("\treal = %s:80 masq %d", z.rip(n, m), w))
				}
				lines = append(lines, "\tscheduler = wrr", "\tprotocol = tcp", "\tchecktype = on")
			}
			b.write(file, lines)
		},
		static: true, loose: true, most: 100,
	}
}
