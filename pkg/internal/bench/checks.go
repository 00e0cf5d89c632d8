package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// load is so many servers that are checked so often.
type load struct {
	servers  int
	interval time.Duration
}

func (l load) String() string {
	return fmt.Sprintf("%d servers, each every %v", l.servers, l.interval)
}

// window is how long a load is watched.
const window = 6 * time.Second

// The director's address and the next hop to all servers, which are one host's.
const (
	directorPrefix = "10.8.0.1/24"
	serverPrefix   = "10.8.0.2/24"
	serverNet      = "10.2.0.0/16"
)

// checker is a program that checks servers over TCP.
type checker struct {
	name  string
	start []string
	write func(b *bench, l load)
	most  int // servers that it can be expected to watch; 0: any number
}

// measure writes what it found to the cells of these names.
func (c checker) measure(b *bench, l load, cell func(what string) *book.Cell) {
	server, count := serve(b)
	director := lab.NewHost(b, "director")
	link(b, director, server)
	c.write(b, l)
	spare := newSpare(b)
	defer spare.end()
	before := spare.rate(window / 2)
	p := director.Start(c.start...)
	await := func(checks int) {
		lab.WaitFor(b, patience, c.name, func() error {
			if n := count(); n < checks {
				return fmt.Errorf("%d of %d checks", n, checks)
			}
			return nil
		})
	}
	await(2 * l.servers) // all servers are up
	cell(memoryUsed).Add(float64(memory(b, director)))

	began, checks := time.Now(), count()
	during := spare.rate(window)
	rate := float64(count()-checks) / time.Since(began).Seconds()
	spare.pause()
	cell(checkRate).Add(rate)

	list := filepath.Join(b.tempDir(), "calls")
	args := []string{"strace", "-f", "-c", "-o", list}
	for _, pid := range pids(director) {
		args = append(args, "-p", pid)
	}
	tracer := lab.Here(b).Start(args...)
	tracer.WaitLog(patience, "attached")
	checks = count()
	<-time.After(window)
	checks = count() - checks
	tracer.Signal(syscall.SIGINT)
	<-tracer.Done()
	cell(callsOfCheck).Add(float64(calls(b, list)) / float64(max(checks, 1)))
	b.Must(p.Stop())

	spare.resume()
	part, err := taken(during, before, spare.rate(window/2))
	if err != nil || rate == 0 {
		cell(cpuOfCheck).Miss(cmp.Or(err, errors.New("there were no checks")))
		return
	}
	cell(cpuOfCheck).Add(part / rate)
}

// serve makes a host that has all servers' addresses and accepts what comes. Count tells of how many connections so far.
func serve(b *bench) (host *lab.Host, count func() int) {
	host = lab.NewHost(b, "server")
	host.Run("ip", "route", "add", "local", serverNet, "dev", "lo")
	host.Sysctl("net.core.somaxconn", "65535")
	var l net.Listener
	b.Must(host.Do(func() (err error) {
		l, err = net.Listen("tcp", ":80")
		return err
	}))
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return host, func() int { return opens(b, host) }
}

// link connects a director to the host of the servers.
func link(b *bench, director, server *lab.Host) {
	bridge := lab.NewBridge(b, "net", 1500)
	director.Connect(bridge, "eth0", directorPrefix)
	server.Connect(bridge, "eth0", serverPrefix)
	gateway := netip.MustParsePrefix(serverPrefix).Addr()
	director.Run("ip", "route", "add", serverNet, "via", gateway.String())
}

// opens returns how many connections the host has been asked for.
func opens(b *bench, host *lab.Host) int {
	var names []string
	for line := range strings.Lines(host.Run("cat", "/proc/net/snmp")) {
		words := strings.Fields(line)
		if words[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, name := range names {
			if name == "PassiveOpens" {
				n, err := strconv.Atoi(words[i])
				b.Must(err)
				return n
			}
		}
	}
	b.Fatalf("%s does not count its connections", host.Name)
	return 0
}

func pids(host *lab.Host) []string {
	return strings.Fields(host.Run("ip", "netns", "pids", host.Namespace))
}

// calls reads the sum of a table of strace's.
func calls(b *bench, file string) (n int) {
	text, err := os.ReadFile(file)
	b.Must(err)
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 3 && words[len(words)-1] == "total" {
			n, err = strconv.Atoi(words[3])
			b.Must(err)
			return n
		}
	}
	b.Fatalf("strace says\n%s", text)
	return 0
}

func target(n int) string { return rip(n) + ":80" }

func checkers(bin, dir string) []checker {
	list := []checker{ipvsdChecks(bin, dir), keepalivedChecks(dir)}
	if _, err := exec.LookPath("ldirectord"); err == nil {
		list = append(list, ldirectordChecks(dir))
	}
	return list
}

func ipvsdChecks(bin, dir string) checker {
	file := filepath.Join(dir, "checks.toml")
	return checker{
		name:  "ipvsd",
		start: ipvsdCommand(bin, dir, file),
		write: func(b *bench, l load) {
			_ = os.Remove(filepath.Join(dir, "owned.json"))
			lines := []string{"[[virtual_server]]", fmt.Sprintf("address = %q", vip(0)+":80"), `protocol = "TCP"`, `lb_algo = "rr"`,
				fmt.Sprintf("delay_loop = %q", l.interval), fmt.Sprintf("warmup = %q", l.interval), "real_servers = ["}
			for n := range l.servers {
				lines = append(lines, fmt.Sprintf("%q,", target(n)))
			}
			b.write(file, append(lines, "]", "[virtual_server.TCP_CHECK]", "connect_timeout = 3"))
		},
	}
}

func keepalivedChecks(dir string) checker {
	file := filepath.Join(dir, "checks.conf")
	return checker{
		name:  "keepalived",
		start: keepalivedCommand(dir, file),
		write: func(b *bench, l load) {
			lines := []string{fmt.Sprintf("virtual_server %s 80 {", vip(0)), fmt.Sprintf("delay_loop %g", l.interval.Seconds()),
				fmt.Sprintf("warmup %g", l.interval.Seconds()), "protocol TCP", "lb_algo rr", "lb_kind NAT"}
			for n := range l.servers {
				lines = append(lines, fmt.Sprintf("real_server %s 80 {", rip(n)), "TCP_CHECK {", "connect_timeout 3", "}", "}")
			}
			b.write(file, append(lines, "}"))
		},
	}
}

// ldirectord knows whole seconds between the end of a round and the start of the next.
func ldirectordChecks(dir string) checker {
	file := filepath.Join(dir, "ldirectord.cf")
	return checker{
		name:  "ldirectord",
		start: []string{"ldirectord", file, "start"},
		write: func(b *bench, l load) {
			lines := []string{"supervised = yes", "checktimeout = 3", fmt.Sprintf("checkinterval = %d", max(1, int(l.interval.Seconds()))),
				fmt.Sprintf("virtual = %s:80", vip(0))}
			for n := range l.servers {
				lines = append(lines, fmt.Sprintf("\treal = %s masq", target(n)))
			}
			b.write(file, append(lines, "\tscheduler = rr", "\tprotocol = tcp", "\tchecktype = connect"))
		},
		most: 100, // to start it runs ipvsadm six times for each
	}
}
