// Command demo shows, on a kernel with IPVS, what ipvsd is for: a director in front of three web servers and three name
// servers, load from a client, servers that die and return, and a reload. scripts/demo runs it.
//
// The servers, the client and the observers (nginx, bind9, ipvsadm) are real and are those of package lab; what ipvsd
// claims is held against what they see. It exits with 0 only if all of it was seen.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long anything that must happen may take on a slow machine. What it really took is measured.
const patience = 30 * time.Second

func main() {
	bin := flag.String("bin", "bin", "`DIR` of ipvsd and ipvsctl")
	file := flag.String("file", "examples/web-and-dns.toml", "configuration `FILE`")
	color := flag.String("color", "auto", "`WHEN` to use colours: auto, always or never")
	flag.Parse()

	s := &stage{color: *color == "always" || *color == "auto" && terminal()}
	failed := s.Run(func() { story(s, *bin, *file) })
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
func story(s *stage, bin, file string) {
	s.title("1. A client, a director, three web servers (nginx) and three name servers (bind9): a namespace each")
	cluster := lab.NewNATCluster(s)
	d := newDirector(s, cluster, bin, file)
	s.say("clients 192.168.1.0/24 -> director 192.168.1.101 with the virtual addresses .200 and .202 -> servers 10.0.100.0/24")

	s.title("2. ipvsd -f " + file)
	s.quote(d.config())
	began := time.Now()
	d.start()
	s.wait("all six servers in the kernel's table", func() error { return d.inTable(3, 3) })
	s.say("All six are checked and in the table after %v.", rounded(time.Since(began)))
	d.ctl("list")

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
	d.reweigh()
	d.expect(2, "plan")
	s.mustBe("edit server 10.0.100.2:80 of tcp 192.168.1.202:80: weight 1 -> weight 3", d.last)
	d.expect(0, "reload")
	d.expect(0, "plan")
	s.say("A second plan is empty.")
	d.show("ipvsadm", "-Ln")
	s.mustBe("10.0.100.2:80                Masq    3", d.last)
	s.requests(cluster, 180, 60, 60)

	s.title("7. A mistake in the file changes nothing")
	d.mistake()
	d.expect(3, "reload")
	s.mustBe("did you mean", d.last)
	d.restore()
	d.expect(0, "reload")

	s.title("8. Requests a second as servers are added (one virtual CPU for client, director and servers)")
	rates := d.rates(cluster)

	s.title("The five indicators")
	s.table([][2]string{
		{"a failed server is detected and out of the table", fmt.Sprintf("web %v, DNS %v", rounded(web.detected), rounded(dns.detected))},
		{"it serves again after its return", fmt.Sprintf("web %v, DNS %v", rounded(web.recovered), rounded(dns.recovered))},
		{"the service is lost: longest time without an answer", fmt.Sprintf("web %v (%d of %d requests failed), DNS %v (%d of %d)",
			rounded(web.Silence), web.Failed, web.Sent, rounded(dns.Silence), dns.Failed, dns.Sent)},
		{"the other director takes over", "there is only one: VRRP is not in this version"},
		{"requests a second with 1, 2, 3 web servers", rates},
	})
	s.say("The configuration probes every 3 s and allows one retry 0.3 s later: detection takes up to 3.4 s.")
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
