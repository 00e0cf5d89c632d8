// Command demo shows, on a kernel with IPVS, what ipvsd is for: two directors in front of three web servers and three name
// servers, load from a client, servers and a director that die and return, and a reload. scripts/demo runs it.
//
// The servers, the client and the observers (nginx, bind9, ipvsadm) are real and are those of package lab; what ipvsd
// claims is held against what they see. It exits with 0 only if all of it was seen.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long anything that must happen may take on a slow machine. What it really took is measured.
const patience = 30 * time.Second

func main() {
	bin := flag.String("bin", "bin", "`DIR` of ipvsd and ipvsctl")
	first := flag.String("first", "examples/two-directors-master.toml", "configuration `FILE` of the first director")
	second := flag.String("second", "examples/two-directors-backup.toml", "configuration `FILE` of the second director")
	color := flag.String("color", "auto", "`WHEN` to use colours: auto, always or never")
	flag.Parse()

	s := &stage{color: *color == "always" || *color == "auto" && terminal()}
	failed := s.Run(func() { story(s, *bin, *first, *second) })
	if failed != nil {
		s.fail(failed)
		os.Exit(1)
	}
}

func terminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("NO_COLOR") == ""
}

// story is the whole demonstration. Whatever is not as it should be ends it through the stage.
func story(s *stage, bin, first, second string) {
	s.title("1. A client, two directors, three web servers (nginx) and three name servers (bind9): a namespace each")
	p := &duo{NATPair: lab.NewNATPair(s), stage: s}
	p.first, p.second = newDirector(s, p.Directors[0], bin, first), newDirector(s, p.Directors[1], bin, second)
	cluster, d := &p.NATCluster, p.first
	s.say("clients 192.168.1.0/24 -> directors 192.168.1.101 and .102 -> servers 10.0.100.0/24")
	s.say("The virtual addresses 192.168.1.200-202, and 10.0.100.200, which is the servers' router, are on one of the two.")

	s.title("2. director1: ipvsd -f " + first + ", director2: ipvsd -f " + second)
	s.quote(d.config())
	s.say("What director2 has otherwise:")
	s.quote(difference(p.first.config(), p.second.config()))
	began := time.Now()
	p.both((*director).start)
	p.active(d)
	s.wait("all six servers in both tables", func() error { return cmp.Or(p.first.inTable(3, 3), p.second.inTable(3, 3)) })
	s.say("All six are checked and in the tables of both, and the addresses on director1, after %v.", rounded(time.Since(began)))
	d.ctl("list")
	d.ctl("vrrp")

	s.title("3. 300 HTTP requests and 300 DNS queries from the client 192.168.1.10")
	s.requests(cluster, 100, 100, 100)
	s.queries(cluster, 100, 100, 100)
	d.show("ipvsadm", "-Ln")

	s.title("4. web3 is stopped, under load")
	web := s.outage("web3", cluster.Web[2], httpLoad(cluster), func() error { return d.inTable(2, 3) }, func() error { return d.inTable(3, 3) }, func() {
		d.ctl("list")
	})

	s.title("5. dns1 is stopped, under load")
	dns := s.outage("dns1", cluster.DNS[0], dnsLoad(cluster), func() error { return d.inTable(3, 2) }, func() error { return d.inTable(3, 3) }, func() {
		d.ctl("list")
	})

	s.title("6. A change of configuration: web1 gets three times its weight")
	p.both((*director).reweigh)
	d.expect(2, "plan")
	s.mustBe("edit server 10.0.100.2:80 of tcp 192.168.1.202:80: weight 1 -> weight 3", d.last)
	d.expect(0, "reload")
	d.expect(0, "plan")
	s.say("A second plan is empty.")
	s.Must(p.second.quietReload())
	d.show("ipvsadm", "-Ln")
	s.mustBe("10.0.100.2:80                Masq    3", d.last)
	s.requests(cluster, 180, 60, 60)

	s.title("7. A mistake in the file changes nothing")
	d.mistake()
	d.expect(3, "reload")
	s.mustBe("did you mean", d.last)
	p.both((*director).restore)
	d.expect(0, "reload")
	s.Must(p.second.quietReload())

	s.title("8. director1 loses its power, under load")
	lost := p.move(p.second, p.first, func() { p.powerOff(p.first) })
	p.second.show("ip", "-brief", "address", "show", "up")
	p.second.ctl("vrrp")

	s.title("9. director1 is back, and takes its addresses")
	back := p.move(p.first, p.second, func() { p.powerOn(p.first) })
	s.wait("all six servers in its table", func() error { return d.inTable(3, 3) })

	s.title("10. Planned work: director1 hands over, and gets it all back")
	there := p.move(p.second, p.first, func() { p.first.ctl("switchover", "VG1") })
	here := p.move(p.first, p.second, func() { p.second.ctl("switchover", "VG1") })
	for _, m := range []moved{back, there, here} {
		if n := m.web.Failed + m.dns.Failed; n > 0 {
			s.Fatalf("%d requests failed while addresses went from a director that was alive", n)
		}
	}

	s.title("11. Requests a second as servers are added (one virtual CPU for client, directors and servers)")
	rates := d.rates(cluster)

	s.title("The five indicators")
	s.table([][2]string{
		{"a failed server is detected and out of the table", fmt.Sprintf("web %v, DNS %v", rounded(web.detected), rounded(dns.detected))},
		{"it serves again after its return", fmt.Sprintf("web %v, DNS %v", rounded(web.recovered), rounded(dns.recovered))},
		{"the service is lost: longest time without an answer", fmt.Sprintf("web %v (%d of %d requests failed), DNS %v (%d of %d)",
			rounded(web.Silence), web.Failed, web.Sent, rounded(dns.Silence), dns.Failed, dns.Sent)},
		{"the other director takes over", fmt.Sprintf("power lost: %v, without an answer %v; return: %v; planned: %v and %v, nothing failed",
			rounded(lost.took), rounded(lost.web.Silence), rounded(back.web.Silence), rounded(there.web.Silence), rounded(here.web.Silence))},
		{"requests a second with 1, 2, 3 web servers", rates},
	})
	s.say("The configuration probes every 3 s and allows one retry 0.3 s later: detection takes up to 3.4 s.")
	s.say("Adverts are sent every second, and three must be missed: the other director takes over after 3.6 s.")
}

// difference returns the lines of a text that another one does not have.
func difference(from, to string) string {
	known := make(map[string]bool)
	for line := range strings.Lines(from) {
		known[line] = true
	}
	var b strings.Builder
	for line := range strings.Lines(to) {
		if !known[line] {
			b.WriteString(line)
		}
	}
	return b.String()
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
