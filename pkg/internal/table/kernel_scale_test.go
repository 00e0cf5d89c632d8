//go:build kernel

package table

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

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
	writes, reads := ipvsd.NewWatch(t, director, ipvsd.WriteRequests), ipvsd.NewWatch(t, director, ipvsd.TableReads)
	d := ipvsd.Start(t, director, many(services, servers))
	if n := writes.Count(); n == 0 {
		t.Fatal("the table was written without a message")
	}
	d.Snapshot() // the last of the rounds that follow a change

	programming := d.CPU()
	director.Run("ipvsadm", "-C")
	lab.WaitFor(t, ipvsd.Patience, "the repair", func() error {
		if done := fmt.Sprintf("steps=%d", services*(1+servers)); strings.Count(d.Process.Log(), done) != 2 {
			return fmt.Errorf("no second %s in the log", done)
		}
		return nil
	})
	programming = d.CPU() - programming

	written, read, idle := writes.Count(), reads.Count(), d.CPU()
	lab.WaitFor(t, ipvsd.Patience, "some rounds", func() error {
		if n := reads.Count() - read; n < rounds {
			return fmt.Errorf("there were %d", n)
		}
		return nil
	})
	idle = (d.CPU() - idle) / rounds
	if n := writes.Count() - written; n > 0 {
		t.Errorf("%d writes in %d rounds", n, rounds)
	}
	director.Run("ipvsadm", "-e", "-t", "10.0.7.1:80", "-r", "172.16.7.3:80", "-m", "-w", "5")
	lab.WaitFor(t, ipvsd.Patience, "ipvsadm's own write and the repair", func() error {
		if n := writes.Count() - written; n != 2 {
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
	d := ipvsd.Start(t, director, config(10))
	started := time.Since(start)
	before := director.SavedTable()
	if want := services*(1+servers) + 1; len(before) != want {
		t.Fatalf("ipvsadm -Sn prints %d lines, want %d", len(before), want)
	}

	d.Stop()
	writes := ipvsd.NewWatch(t, director, ipvsd.WriteRequests)
	d.Start()
	if n := writes.Count(); n != 0 {
		t.Errorf("a start over the same table sent %d messages that write", n)
	}
	a := d.Load(config(11))
	want := "edit server 192.0.2.1:80 of tcp " + service + ": weight 10 -> weight 11"
	if len(a.Changes) != 1 || a.Changes[0] != want {
		t.Errorf("the reload changed %q, want %q", a.Changes, want)
	}
	if n := writes.Count(); n != 1 {
		t.Errorf("it sent %d messages that write, want 1", n)
	}
	after := director.SavedTable()
	gone, come := ipvsd.Missing(before, after), ipvsd.Missing(after, before)
	if want := "-a -t " + service + " -r 192.0.2.1:80 -m -w 11"; len(gone) != 1 || len(come) != 1 || come[0] != want {
		t.Errorf("ipvsadm -Sn shows %q instead of %q, want %q", come, gone, want)
	}

	director.Run("ip", "link", "delete", "nlmon0") // it takes its time
	start = time.Now()
	d.Load(config(12))
	t.Logf("%d services of %d servers: from the start to the first answer %v, a reload that changes one weight %v",
		services, servers, started, time.Since(start))
}
