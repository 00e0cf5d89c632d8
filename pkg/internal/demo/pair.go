package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// duo is the two directors.
type duo struct {
	*lab.NATPair
	stage         *stage
	first, second *director
}

// virtual are the addresses that go from one to the other, of both networks.
var virtual = []string{"192.168.1.200/24", "192.168.1.201/24", "192.168.1.202/24", "10.0.100.200/24"}

// holds returns nil if a director has all virtual addresses, or none of them.
func holds(d *director, all bool) error {
	return d.Do(func() error {
		var found []string
		list, err := net.InterfaceAddrs()
		for _, a := range list {
			found = append(found, a.String())
		}
		for _, v := range virtual {
			if slices.Contains(found, v) != all {
				return fmt.Errorf("%s has %s", d.Name, strings.Join(found, " "))
			}
		}
		return err
	})
}

// active waits until one director has all addresses. The other one has none, unless nobody is left there to remove them.
func (p *duo) active(d *director) {
	p.stage.wait("all virtual addresses on "+d.Name, func() error { return holds(d, true) })
}

// both does the same on both directors, the second one off stage.
func (p *duo) both(f func(d *director)) {
	f(p.first)
	f(p.second)
}

// moved is what clients saw while the addresses went from one director to the other.
type moved struct {
	took     time.Duration // until the other one had the addresses
	web, dns lab.Seen
}

// move has something happen that makes the addresses go to a director, under load, and sees that all is answered afterwards. The DNS
// clients ask a second time if there is no answer, as resolvers do.
func (p *duo) move(to, from *director, happen func()) (m moved) {
	loads := []*lab.Load{lab.StartLoad(httpLoad(&p.NATCluster)), lab.StartLoad(p.Resolve)}
	for _, l := range loads {
		l.Mark()
		p.stage.wait("requests before", func() error { return l.After(20) })
	}
	began := time.Now()
	happen()
	p.active(to)
	m.took = time.Since(began)
	p.stage.wait("no address on "+from.Name, func() error { return holds(from, false) })
	// What was under way may still fail; what starts when an answer has come again may not.
	p.stage.wait("an answer of the web", func() error { _, err := p.Get(); return err })
	p.stage.wait("an answer of the name service", func() error { _, err := p.Query(); return err })
	for _, l := range loads {
		l.Mark()
		p.stage.wait("100 more requests", func() error { return l.After(100) })
		if n, err := l.FailedAfterMark(); n > 0 {
			p.stage.Fatalf("%d requests failed after %s had taken over, the last one: %w", n, to.Name, err)
		}
	}
	m.web, m.dns = loads[0].Stop(), loads[1].Stop()
	p.stage.say("All addresses of both networks are on %s after %v. HTTP: longest time without an answer %v, %d of %d requests failed.",
		to.Name, rounded(m.took), rounded(m.web.Silence), m.web.Failed, m.web.Sent)
	p.stage.say("DNS: %v, %d of %d failed.", rounded(m.dns.Silence), m.dns.Failed, m.dns.Sent)
	return m
}

// powerOff ends a director as its power switch does: nothing of it is heard any more.
func (p *duo) powerOff(d *director) {
	p.External.Silence(d.Host)
	p.Internal.Silence(d.Host)
	d.process.Kill()
	for _, v := range virtual {
		dev := "eth0"
		if strings.HasPrefix(v, "10.") {
			dev = "eth1"
		}
		d.DeleteAddress(dev, v)
	}
	d.Run("ipvsadm", "-C")
}

// powerOn starts it again, with nothing of what it had.
func (p *duo) powerOn(d *director) {
	p.External.Hear(d.Host)
	p.Internal.Hear(d.Host)
	d.start()
}
