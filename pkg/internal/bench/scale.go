package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// slowPort is where servers answer 100 requests a second.
const slowPort = 8080

// measureScale is scenario 2 with more and more servers.
func measureScale(r *run) {
	c := lab.NewDirectClusterOf(r.bench, 4)
	for _, h := range c.Real {
		h.Sysctl("net.core.somaxconn", "4096")
		send(r.bench, h, slowErrand, fmt.Sprintf(":%d", slowPort))
	}
	names, length, most := []string{"ipvsd", "keepalived", "ldirectord"}, 4*time.Second, 4
	if r.quick {
		length, most = 3*time.Second, 2
	}
	kinds := []struct {
		port uint16
		series
	}{
		{80, r.series("fast", "nginx, as many as one processor can do", "servers", names...)},
		{slowPort, r.series("slow", "Servers that answer 100 a second", "servers", names...)},
	}
	url := func(port uint16) string {
		return fmt.Sprintf("http://%s/", netip.AddrPortFrom(lab.WebVIP.Addr(), port))
	}
	r.Within(func() { // who is first shall not be the one that warms everything up
		keepalivedRoutes(c, most).start(r.bench, c.Director)
		settled(r.bench, c.Director, 2*(1+most))
		for _, kind := range kinds {
			answers(r.bench, c.Client, url(kind.port))
			ab(r.bench, c.Client, url(kind.port), 1000, length)
		}
	})
	c.Director.Run("ipvsadm", "--clear")
	r.turns(func(n int) {
		for servers := 2; servers <= most; servers++ {
			for _, f := range inTurn(n, []forwarder{ipvsdRoutes(r.bin, c, servers), keepalivedRoutes(c, servers), ldirectordRoutes(c, servers)}) {
				r.Within(func() {
					f.start(r.bench, c.Director)
					settled(r.bench, c.Director, 2*(1+servers))
					for _, kind := range kinds {
						answers(r.bench, c.Client, url(kind.port))
						kind.add(servers, f.name, ab(r.bench, c.Client, url(kind.port), 1000, length))
					}
				})
				c.Director.Run("ipvsadm", "--clear")
			}
		}
	})
}

func ipvsdRoutes(bin string, c *lab.DirectCluster, servers int) forwarder {
	return forwarder{"ipvsd", func(b *bench, director *lab.Host) {
		dir := b.tempDir()
		file := filepath.Join(dir, "direct.toml")
		lines := []string{"[global_defs]", "lvs_flush_on_stop = true"}
		for _, port := range []int{80, slowPort} {
			lines = append(lines, "[[virtual_server]]", fmt.Sprintf("address = \"%s:%d\"", lab.WebVIP.Addr(), port), `protocol = "TCP"`, `lb_algo = "rr"`, `lb_kind = "DR"`,
				"delay_loop = 2", "TCP_CHECK = { connect_timeout = 10 }", "real_servers = [")
			for _, s := range c.Web[:servers] {
				lines = append(lines, fmt.Sprintf("\"%s:%d\",", s.Addr.Addr(), port))
			}
			lines = append(lines, "]")
		}
		b.write(file, lines)
		daemon(b, director, ipvsdCommand(bin, dir, file)...)
	}}
}

func keepalivedRoutes(c *lab.DirectCluster, servers int) forwarder {
	return forwarder{"keepalived", func(b *bench, director *lab.Host) {
		dir := b.tempDir()
		file := filepath.Join(dir, "direct.conf")
		lines := []string{"global_defs {", "lvs_flush_on_stop VS", "}"}
		for _, port := range []int{80, slowPort} {
			lines = append(lines, fmt.Sprintf("virtual_server %s %d {", lab.WebVIP.Addr(), port), "protocol TCP", "lb_algo rr", "lb_kind DR", "delay_loop 2")
			for _, s := range c.Web[:servers] {
				lines = append(lines, fmt.Sprintf("real_server %s %d {", s.Addr.Addr(), port), "TCP_CHECK {", "connect_timeout 10", "}", "}")
			}
			lines = append(lines, "}")
		}
		b.write(file, lines)
		daemon(b, director, keepalivedCommand(dir, file)...)
	}}
}

func ldirectordRoutes(c *lab.DirectCluster, servers int) forwarder {
	return forwarder{"ldirectord", func(b *bench, director *lab.Host) {
		file := filepath.Join(b.tempDir(), "direct.cf")
		lines := []string{"supervised = yes", "checktimeout = 10", "checkinterval = 2"}
		for _, port := range []int{80, slowPort} {
			lines = append(lines, fmt.Sprintf("virtual = %s:%d", lab.WebVIP.Addr(), port))
			for _, s := range c.Web[:servers] {
				lines = append(lines, fmt.Sprintf("\treal = %s:%d gate", s.Addr.Addr(), port))
			}
			lines = append(lines, "\tscheduler = rr", "\tprotocol = tcp", "\tchecktype = connect")
		}
		b.write(file, lines)
		daemon(b, director, "ldirectord", file, "start")
	}}
}
