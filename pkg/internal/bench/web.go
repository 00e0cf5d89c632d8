package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// page is what is asked for.
type page struct {
	name, title, scheme string
	port                int
}

var pages = []page{
	{"http", "Small page, HTTP", "http", 80},
	{"https", "Small page, HTTPS", "https", 443},
	{"pi", "1,000 digits of pi, HTTP", "http", 8080},
}

func (p page) url() string { return fmt.Sprintf("%s://%s:%d/", p.scheme, lab.WebVIP.Addr(), p.port) }

// crowds are how many requests are under way, as scenario 1 had them.
var crowds = []int{1, 2, 3, 6, 12, 24, 48}

// forwarder is a program that brings what clients ask for to servers.
type forwarder struct {
	name  string
	start func(b *bench, director *lab.Host) // until the end of the run
}

func measureWeb(r *run) {
	c := newWebCluster(r.bench)
	crowds, length, pages := crowds, time.Second, pages
	if r.quick {
		crowds, length = []int{1, 12}, time.Second
	}
	forwarders := []forwarder{ipvsdForwards(r.bin, pages), keepalivedForwards(pages), haproxyForwards(pages), penForwards(pages)}
	names := make([]string, len(forwarders))
	for i, f := range forwarders {
		names[i] = f.name
	}
	r.Within(func() { // who is first shall not be the one that warms everything up
		forwarders[1].start(r.bench, c.Director)
		for _, p := range pages {
			answers(r.bench, c.Client, p.url())
			ab(r.bench, c.Client, p.url(), crowds[0], length)
		}
	})
	c.Director.Run("ipvsadm", "--clear")
	r.turns(func(n int) {
		for _, f := range inTurn(n, forwarders) {
			r.Within(func() {
				f.start(r.bench, c.Director)
				for _, p := range pages {
					answers(r.bench, c.Client, p.url())
					s := r.series(p.name, p.title, "requests at once", names...)
					for _, clients := range crowds {
						s.add(clients, f.name, ab(r.bench, c.Client, p.url(), clients, length))
					}
				}
			})
			c.Director.Run("ipvsadm", "--clear")
		}
	})
}

// newWebCluster is scenario 1 with pages over TLS, and ones that cost time.
func newWebCluster(b *bench) *lab.NATCluster {
	c := lab.NewNATCluster(b)
	for _, s := range c.Web {
		s.Stop()
		site := lab.NewSite(s.Host, s.Addr.Addr())
		site.Put("index.html", s.Host.Name)
		site.Start()
		send(b, s.Host, piErrand, fmt.Sprintf("%s:8080", s.Addr.Addr()))
	}
	return c
}

// answers waits until a page is there.
func answers(b *bench, client *lab.Host, url string) {
	lab.WaitFor(b, time.Minute, url, func() error {
		_, err := client.Output("curl", "-sSfk", "-o", "/dev/null", "--max-time", "5", url)
		return err
	})
}

// daemon starts a program until the end of the run.
func daemon(b *bench, director *lab.Host, args ...string) {
	p := director.Start(args...)
	b.Cleanup(func() { _ = p.Stop() })
}

func ipvsdForwards(bin string, pages []page) forwarder {
	return forwarder{"ipvsd", func(b *bench, director *lab.Host) {
		dir := b.tempDir()
		file := filepath.Join(dir, "web.toml")
		lines := []string{"[global_defs]", "lvs_flush_on_stop = true"}
		for _, p := range pages {
			lines = append(lines, "[[virtual_server]]", fmt.Sprintf("address = \"%s:%d\"", lab.WebVIP.Addr(), p.port), `protocol = "TCP"`, `lb_algo = "rr"`,
				`lb_kind = "NAT"`, "delay_loop = 3", "TCP_CHECK = { connect_timeout = 3 }", fmt.Sprintf(`real_servers = ["10.0.100.2:%[1]d", "10.0.100.3:%[1]d", "10.0.100.4:%[1]d"]`, p.port))
		}
		b.write(file, lines)
		daemon(b, director, ipvsdCommand(bin, dir, file)...)
		settled(b, director, 4*len(pages))
	}}
}

func keepalivedForwards(pages []page) forwarder {
	return forwarder{"keepalived", func(b *bench, director *lab.Host) {
		dir := b.tempDir()
		file := filepath.Join(dir, "web.conf")
		lines := []string{"global_defs {", "lvs_flush_on_stop VS", "}"}
		for _, p := range pages {
			lines = append(lines, fmt.Sprintf("virtual_server %s %d {", lab.WebVIP.Addr(), p.port), "protocol TCP", "lb_algo rr", "lb_kind NAT", "delay_loop 3")
			for n := range 3 {
				lines = append(lines, fmt.Sprintf("real_server 10.0.100.%d %d {", 2+n, p.port), "TCP_CHECK {", "connect_timeout 3", "}", "}")
			}
			lines = append(lines, "}")
		}
		b.write(file, lines)
		daemon(b, director, keepalivedCommand(dir, file)...)
		settled(b, director, 4*len(pages))
	}}
}

// settled waits until the table has so many lines.
func settled(b *bench, director *lab.Host, lines int) {
	lab.WaitFor(b, time.Minute, "the table of "+director.Name, func() error {
		if n := len(director.Table()); n != lines {
			return fmt.Errorf("%d lines", n)
		}
		return nil
	})
}

// haproxyForwards is what scenario 1 had besides.
func haproxyForwards(pages []page) forwarder {
	return forwarder{"HAProxy", func(b *bench, director *lab.Host) {
		file := filepath.Join(b.tempDir(), "haproxy.cfg")
		lines := []string{"defaults", "mode tcp", "balance roundrobin", "timeout connect 5s", "timeout client 60s", "timeout server 60s"}
		for _, p := range pages {
			lines = append(lines, "listen "+p.name, fmt.Sprintf("bind %s:%d", lab.WebVIP.Addr(), p.port))
			for n := range 3 {
				lines = append(lines, fmt.Sprintf("server web%d 10.0.100.%d:%d check inter 3s", n+1, 2+n, p.port))
			}
		}
		b.write(file, lines)
		daemon(b, director, "/usr/sbin/haproxy", "-db", "-f", file)
	}}
}

// penForwards is scenario 3: round robin, blacklisted for 30 s, 5 s to connect. One Pen has one port.
func penForwards(pages []page) forwarder {
	return forwarder{"Pen", func(b *bench, director *lab.Host) {
		for _, p := range pages {
			servers := strings.Fields(fmt.Sprintf("10.0.100.2:%[1]d 10.0.100.3:%[1]d 10.0.100.4:%[1]d", p.port))
			daemon(b, director, append([]string{"pen", "-f", "-r", "-b", "30", "-t", "5", fmt.Sprintf("%s:%d", lab.WebVIP.Addr(), p.port)}, servers...)...)
		}
	}}
}

// read returns what is in a file.
func (b *bench) read(file string) string {
	text, err := os.ReadFile(file)
	b.Must(err)
	return string(text)
}
