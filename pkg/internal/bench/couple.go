package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

// couple is a pair of directors of one tool.
type couple struct {
	*bench
	*lab.NATPair
	tool          pair.Tool
	first, second *pair.Director
	setup         pair.Setup
	asking        sync.WaitGroup // clients
	bad           int            // runs that did not come to their end
}

func newCouple(b *bench, p *lab.NATPair, bin string, tool pair.Tool, every rhythm) *couple {
	c := &couple{bench: b, NATPair: p, tool: tool, setup: pair.Scenario1(true, every.version, every.interval)}
	c.first = pair.NewDirector(b, c.Directors[0], tool, bin)
	c.second = pair.NewDirector(b, c.Directors[1], tool, bin)
	c.first.Write(c.setup)
	c.second.Write(pair.Scenario1(false, every.version, every.interval))
	return c
}

// settles is how long a change of roles may take that should take 5 s at most. Two that are too busy to hear each other never get there.
const settles = 20 * time.Second

// start starts both. In the end the first one is active, with all servers.
func (c *couple) start() error {
	c.first.Start()
	c.second.Start()
	err := errors.Join(c.wait(c.first, true), c.wait(c.second, false))
	for _, d := range c.Directors {
		err = errors.Join(err, lab.Poll(settles, func() error {
			rows, err := d.ReadTable()
			if err == nil && len(rows) != 2+6 {
				err = fmt.Errorf("the table has %d lines", len(rows))
			}
			return err
		}))
	}
	return err
}

// stop leaves the hosts as they were before start, whatever has happened.
func (c *couple) stop() {
	c.asking.Wait()
	for _, d := range []*pair.Director{c.second, c.first} {
		c.External.Plug(d.Host)
		c.Internal.Plug(d.Host)
		d.Stop()
		for _, i := range c.setup.Instances {
			for _, address := range i.Addresses {
				_, _ = d.Output("ip", "address", "del", address, "dev", i.Interface)
			}
		}
		d.Run("ipvsadm", "--clear")
	}
}

func (c *couple) switchover(from *pair.Director) {
	if out, err := from.Ctl("switchover", "VG1"); err != nil {
		c.Logf("switchover: %v\n%s", err, out)
	}
}

// suffer measures one accident, and its undoing.
func (c *couple) suffer(a accident, during, after *suffered) error {
	err := c.watch(during, func() error {
		a.happen(c)
		err := c.wait(c.second, true)
		if err == nil && !a.stays {
			err = c.wait(c.first, false)
		}
		return err
	})
	if err != nil {
		after.miss(err)
		return err
	}
	return c.watch(after, func() error {
		a.undo(c)
		return errors.Join(c.wait(c.first, true), c.wait(c.second, false))
	})
}

// Requests before something happens, and after it.
const (
	before    = 20
	afterward = 60
)

// watch has clients ask while something happens, and for a while after that.
func (c *couple) watch(s *suffered, f func() error) error {
	web, dns := lab.StartLoad(impatient(func() (string, error) {
		a, err := c.Get()
		return a.Server, err
	})), lab.StartLoad(impatient(c.Query))
	enough := func(n int) {
		for _, l := range []*lab.Load{web, dns} {
			l.Mark()
			lab.WaitFor(c, patience, "requests", func() error { return l.After(n) })
		}
	}
	enough(before)
	err := f()
	if err == nil {
		enough(afterward)
	}
	if err != nil {
		s.miss(err)
	}
	c.asking.Go(func() { // those that were lost are waited for meanwhile
		w, d := web.Stop(), dns.Stop()
		if err == nil {
			s.add(w, d)
		}
	})
	return err
}

// impatient makes a request that has no answer within a time an error. Nobody waits for it any longer.
func impatient(send lab.Request) lab.Request {
	const limit = 2 * time.Second
	type answer struct {
		server string
		err    error
	}
	return func() (string, error) {
		answers := make(chan answer, 1)
		go func() {
			server, err := send()
			answers <- answer{server, err}
		}()
		select {
		case a := <-answers:
			return a.server, a.err
		case <-time.After(limit):
			return "", fmt.Errorf("no answer within %v", limit)
		}
	}
}

// wait waits until a director has all addresses, or none. It looks itself, for a program that looks would need the processor.
func (c *couple) wait(d *pair.Director, all bool) error {
	err := lab.Poll(settles, func() error {
		return d.Do(func() error {
			var found []string
			list, err := net.InterfaceAddrs()
			for _, a := range list {
				found = append(found, a.String())
			}
			for _, i := range c.setup.Instances {
				for _, address := range i.Addresses {
					if err == nil && slices.Contains(found, address) != all {
						err = fmt.Errorf("it has %v", found)
					}
				}
			}
			return err
		})
	})
	if err != nil {
		err = fmt.Errorf("addresses on %s should be there: %v: %w", d.Name, all, err)
	}
	return err
}
