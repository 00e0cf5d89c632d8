//go:build kernel

package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// watch counts messages to the kernel's IPVS on a host, as a monitor of netlink (drivers/net/nlmon.c) sees them.
type watch struct {
	t       *testing.T
	tcpdump *lab.Process
}

// Filters for requests to IPVS. Where tcpdump sees a netlink message, link[16] begins its struct nlmsghdr (type at 20, flags
// at 22) and link[32] its struct genlmsghdr (command at 32). Type 16 is the controller of generic netlink, flag 1 marks
// requests, and commands 4, 8, 11, 13 and 15 only read (uapi/linux/ip_vs.h): 4 is where reading a table begins.
const (
	requests      = "link[14:2] == 16 and link[20] != 16 and link[22] & 1 != 0"
	tableReads    = requests + " and link[32] == 4"
	writeRequests = requests + " and not (link[32] == 4 or link[32] == 8 or link[32] == 11 or link[32] == 13 or link[32] == 15)"
)

// newWatch starts to count the messages that match a filter. The host has to be quiet meanwhile.
func newWatch(t *testing.T, h *lab.Host, filter string) *watch {
	t.Helper()
	if _, err := h.Output("ip", "link", "show", "nlmon0"); err != nil {
		h.Run("ip", "link", "add", "nlmon0", "type", "nlmon")
		h.LinkUp("nlmon0")
	}
	w := &watch{t: t, tcpdump: h.Start("tcpdump", "-Z", "root", "--immediate-mode", "-B", "16384", "-s", "64", "-i", "nlmon0",
		"-w", "/dev/null", filter)}
	w.tcpdump.WaitLog(patience, "listening on")
	w.count()
	return w
}

// count returns how many there were until now.
func (w *watch) count() (n int) {
	w.t.Helper()
	lab.WaitFor(w.t, patience, "tcpdump to catch up", func() error {
		captured, received := w.ask()
		if captured != received {
			return fmt.Errorf("it has seen %d of %d messages", captured, received)
		}
		n = captured
		return nil
	})
	return n
}

// What tcpdump says on SIGUSR1.
var tally = regexp.MustCompile(`tcpdump: (\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped`)

func (w *watch) ask() (captured, received int) {
	w.t.Helper()
	answers := func() [][]string { return tally.FindAllStringSubmatch(w.tcpdump.Log(), -1) }
	before := len(answers())
	w.tcpdump.Signal(syscall.SIGUSR1)
	lab.WaitFor(w.t, patience, "tcpdump's answer to SIGUSR1", func() error {
		all := answers()
		if len(all) == before {
			return errors.New("there is none")
		}
		last := all[len(all)-1]
		if last[3] != "0" {
			w.t.Fatalf("tcpdump lost messages: %s", last[0])
		}
		captured, _ = strconv.Atoi(last[1])
		received, _ = strconv.Atoi(last[2])
		return nil
	})
	return captured, received
}

// cpu returns the processor time that ipvsd has used up.
func (d *ipvsd) cpu() time.Duration {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.process.PID()))
	if err != nil {
		d.t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	var ticks int64
	for _, f := range strings.Fields(fields)[11:13] { // utime and stime of proc(5), in USER_HZ
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			d.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// many is a configuration of services with as many servers each.
func many(services, servers int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "[[virtual_server]]\naddress = \"10.%d.%d.1:80\"\nprotocol = \"TCP\"\n", i/256, i%256)
		b.WriteString("TCP_CHECK = false\nweight = 1\n")
		b.WriteString("real_servers = [")
		for j := range servers {
			fmt.Fprintf(&b, "\"172.16.%d.%d:80\", ", i%256, j+1)
		}
		b.WriteString("]\n")
	}
	return b.String()
}

// Once all is as it should be, nothing is written to the kernel.
func TestKernelNothingIsWrittenWhenNothingChanges(t *testing.T) {
	const services, servers, rounds = 500, 20, 5
	director := lab.NewHost(t, "director")
	writes, reads := newWatch(t, director, writeRequests), newWatch(t, director, tableReads)
	d := startIPVSD(t, director, many(services, servers))
	if n := writes.count(); n == 0 {
		t.Fatal("the table was written without a message")
	}
	d.status() // the last of the rounds that follow a change

	programming := d.cpu()
	director.Run("ipvsadm", "-C")
	lab.WaitFor(t, patience, "the repair", func() error {
		if done := fmt.Sprintf("steps=%d", services*(1+servers)); strings.Count(d.process.Log(), done) != 2 {
			return fmt.Errorf("no second %s in the log", done)
		}
		return nil
	})
	programming = d.cpu() - programming

	written, read, idle := writes.count(), reads.count(), d.cpu()
	lab.WaitFor(t, patience, "some rounds", func() error {
		if n := reads.count() - read; n < rounds {
			return fmt.Errorf("there were %d", n)
		}
		return nil
	})
	idle = (d.cpu() - idle) / rounds
	if n := writes.count() - written; n > 0 {
		t.Errorf("%d writes in %d rounds", n, rounds)
	}
	director.Run("ipvsadm", "-e", "-t", "10.0.7.1:80", "-r", "172.16.7.3:80", "-m", "-w", "5")
	lab.WaitFor(t, patience, "ipvsadm's own write and the repair", func() error {
		if n := writes.count() - written; n != 2 {
			return fmt.Errorf("%d writes", n)
		}
		return nil
	})
	t.Logf("%d servers: programming them takes %v of processor time, a round that finds them unchanged %v",
		services*servers, programming, idle)
}

// Scenario 25 of the peers, and the same of few services with many servers.
func TestKernelOneChangeAmongMany(t *testing.T) {
	for _, size := range []struct{ services, servers int }{{10_000, 5}, {1000, 100}} {
		t.Run(fmt.Sprintf("%dx%d", size.services, size.servers), func(t *testing.T) { oneChange(t, size.services, size.servers) })
	}
}

func oneChange(t *testing.T, services, servers int) {
	director := lab.NewHost(t, "director")
	config := func(weight int) string {
		last := "[[virtual_server.real_server]]\naddress = \"192.0.2.1:80\"\nweight = %d\n"
		return many(services, servers) + fmt.Sprintf(last, weight)
	}
	service := fmt.Sprintf("10.%d.%d.1:80", (services-1)/256, (services-1)%256)
	start := time.Now()
	d := startIPVSD(t, director, config(10))
	started := time.Since(start)
	before := director.SavedTable()
	if want := services*(1+servers) + 1; len(before) != want {
		t.Fatalf("ipvsadm -Sn prints %d lines, want %d", len(before), want)
	}

	d.stop()
	writes := newWatch(t, director, writeRequests)
	d.start()
	if n := writes.count(); n != 0 {
		t.Errorf("a start over the same table sent %d messages that write", n)
	}
	a := d.reload(config(11))
	want := "edit server 192.0.2.1:80 of tcp " + service + ": weight 10 -> weight 11"
	if len(a.Changes) != 1 || a.Changes[0] != want {
		t.Errorf("the reload changed %q, want %q", a.Changes, want)
	}
	if n := writes.count(); n != 1 {
		t.Errorf("it sent %d messages that write, want 1", n)
	}
	after := director.SavedTable()
	gone, come := missing(before, after), missing(after, before)
	if want := "-a -t " + service + " -r 192.0.2.1:80 -m -w 11"; len(gone) != 1 || len(come) != 1 || come[0] != want {
		t.Errorf("ipvsadm -Sn shows %q instead of %q, want %q", come, gone, want)
	}

	director.Run("ip", "link", "delete", "nlmon0") // it takes its time
	start = time.Now()
	d.reload(config(12))
	t.Logf("%d services of %d servers: from the start to the first answer %v, a reload that changes one weight %v",
		services, servers, started, time.Since(start))
}
