package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// The load of a soak: so many services with so many servers, each checked once a second, and what happens besides.
const (
	soakServices, soakServers = 10, 100
	soakSample                = 10 * time.Second
	soakReload                = 20 * time.Second
	soakOrder                 = 5 * time.Second
	soakDeath                 = 2 * time.Second // a server dies, and the one before returns
)

func measureSoak(r *run) {
	length := time.Hour
	if r.quick {
		length = time.Minute
	}
	r.turns(func(int) { r.soak(length) })
}

// soak has ipvsd check a thousand servers a second for so long, while servers die and return, the configuration is reloaded, servers
// are drained and the status is read.
func (r *run) soak(length time.Duration) {
	dir := r.tempDir()
	server, _ := serve(r.bench)
	director := lab.NewHost(r, "director")
	link(r.bench, director, server)
	file, socket := filepath.Join(dir, "soak.toml"), filepath.Join(dir, "socket")
	writeSoak(r.bench, file, 1)
	p := director.Start(filepath.Join(r.bin, "ipvsd"), "-f", file, "--socket", socket, "--state-dir", dir, "--log-level", "error")
	ctl := func(args ...string) {
		if out, err := director.Output(append([]string{filepath.Join(r.bin, "ipvsctl"), "--socket", socket}, args...)...); err != nil {
			r.Fatalf("ipvsctl %s: %v\n%s", args[0], err, out)
		}
	}
	lab.WaitFor(r, patience, "servers", func() error {
		if n := len(director.Table()); n != soakServices*(1+soakServers) {
			return fmt.Errorf("the table has %d lines", n)
		}
		return nil
	})

	began := time.Now()
	before := soaked{at: began}
	sample, reload, order, death := time.NewTicker(soakSample), time.NewTicker(soakReload), time.NewTicker(soakOrder), time.NewTicker(soakDeath)
	end := time.After(length)
	var dead string
	for n := 1; ; n++ {
		select {
		case <-end:
			r.Must(p.Stop())
			return
		case <-sample.C:
			now := soak(r.bench, director, socket)
			if before.checks > 0 {
				r.addSoaked(now, before, began)
				r.save()
			}
			before = now
		case <-reload.C:
			writeSoak(r.bench, file, 1+n%9)
			p.Signal(syscall.SIGHUP)
		case <-order.C:
			at := target(n % (soakServices * soakServers))
			ctl("drain", at, "--expires", "1m", "--reason", "soak")
			ctl("list")
			ctl("undrain", at)
		case <-death.C:
			if dead != "" {
				server.Run("ip", "route", "del", "unreachable", dead)
			}
			dead = rip(n % (soakServices * soakServers))
			server.Run("ip", "route", "add", "unreachable", dead)
		}
	}
}

func writeSoak(b *bench, file string, weight int) {
	var lines []string
	for n := range soakServices {
		lines = append(lines, "[[virtual_server]]", fmt.Sprintf("address = %q", vip(n)+":80"), `protocol = "TCP"`, `lb_algo = "wrr"`, "delay_loop = 1",
			"TCP_CHECK = { connect_timeout = 1 }", "real_servers = [")
		for m := range soakServers - 1 {
			lines = append(lines, fmt.Sprintf("%q,", target(n*soakServers+m)))
		}
		lines = append(lines, "]", "[[virtual_server.real_server]]", fmt.Sprintf("address = %q", target((n+1)*soakServers-1)), fmt.Sprintf("weight = %d", weight))
	}
	b.write(file, lines)
}

// soaked is what the daemon was at one moment.
type soaked struct {
	at                       time.Time
	memory                   int64   // Pss
	checks                   float64 // since the start
	goroutines, heap, opened float64 // opened are descriptors
}

// soak looks at the daemon: by its metrics, and at its memory.
func soak(b *bench, director *lab.Host, socket string) soaked {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	s := soaked{at: time.Now(), memory: memory(b, director)}
	answer, err := client.Get("http://ipvsd/metrics")
	b.Must(err)
	defer func() { _ = answer.Body.Close() }()
	sums := map[string]*float64{
		"ipvsd_check_probes_total": &s.checks, "go_goroutines": &s.goroutines, "go_memstats_heap_alloc_bytes": &s.heap, "process_open_fds": &s.opened,
	}
	for lines := bufio.NewScanner(io.LimitReader(answer.Body, 64<<20)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if sum := sums[name]; sum != nil {
			number, err := strconv.ParseFloat(value[strings.LastIndex(value, " ")+1:], 64)
			b.Must(err)
			*sum += number
		}
	}
	return s
}

// addSoaked adds what was seen to the minute in which it was.
func (r *run) addSoaked(now, before soaked, began time.Time) {
	minute := float64(int(now.at.Sub(began).Minutes())) + 1
	for _, of := range []struct {
		name, title string
		unit        book.Unit
		value       float64
	}{
		{"memory", "Memory (Pss)", book.Bytes, float64(now.memory)},
		{"heap", "Heap, garbage included", book.Bytes, now.heap},
		{"goroutines", "Goroutines", book.Count, now.goroutines},
		{"descriptors", "Open descriptors", book.Count, now.opened},
		{"rate", "Checks", book.Rate, (now.checks - before.checks) / now.at.Sub(before.at).Seconds()},
	} {
		r.table(book.Table{Name: of.name, Title: of.title, Unit: of.unit, Contenders: []string{"ipvsd"}, X: "minute"}).At(minute, "ipvsd").Add(of.value)
	}
}
