package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

// rhythm is how often the directors of a pair say that they are alive.
type rhythm struct {
	name     string
	version  int
	interval string
}

var rhythms = []rhythm{{"1 s, version 2", 2, "1"}, {"0.1 s, version 3", 3, "0.1"}, {"0.01 s, version 3", 3, "0.01"}}

// burden is what else goes on.
type burden struct {
	name  string
	begin func(b *bench, p *lab.NATPair) (end func())
}

var burdens = []burden{
	{"idle", func(*bench, *lab.NATPair) func() { return func() {} }},
	{"1000 requests at once", crowd},
	{"disk and CPU stress", stress},
}

// crowd is 1000 clients each of whom always waits for an answer.
func crowd(_ *bench, p *lab.NATPair) func() {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			for ctx.Err() == nil {
				_, _ = p.Get()
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// stress is one process that computes and one that writes to the disk, on the same processor and kernel as the directors.
func stress(b *bench, p *lab.NATPair) func() {
	busy := p.Directors[0].Start("sh", "-c", "while :; do :; done")
	dir := b.tempDir()
	disk := p.Directors[0].Start("sh", "-c", "while :; do dd if=/dev/zero of="+dir+"/file bs=1M count=64 conv=fsync 2>/dev/null; done")
	return func() {
		busy.Kill()
		disk.Kill()
	}
}

// accident is what happens to the first director, which is active, and how it is undone.
type accident struct {
	name     string
	happen   func(*couple)
	undo     func(*couple)
	stays    bool // its addresses stay on the host: nobody is left to remove them
	only     pair.Tool
	returned string // name of the row for what clients see when it is undone; empty: they are not asked
}

var accidents = []accident{
	{name: "links cut", happen: func(c *couple) {
		c.External.Unplug(c.first.Host)
		c.Internal.Unplug(c.first.Host)
	}, undo: func(c *couple) {
		c.External.Plug(c.first.Host)
		c.Internal.Plug(c.first.Host)
	}, returned: "links back"},
	{name: "kill -9", happen: func(c *couple) { c.first.Crash() }, undo: func(c *couple) { c.first.Start() }, stays: true},
	{name: "clean stop", happen: func(c *couple) { c.first.Stop() }, undo: func(c *couple) { c.first.Start() }, returned: "start, return"},
	{name: "switchover", happen: func(c *couple) { c.switchover(c.first) }, undo: func(c *couple) { c.switchover(c.second) }, only: pair.IPVSD,
		returned: "switchover back"},
}

// couple is a pair of directors of one tool.
type couple struct {
	*bench
	*lab.NATPair
	first, second *pair.Director
	setup         pair.Setup
}

func (c *couple) switchover(from *pair.Director) {
	if out, err := from.Ctl("switchover", "VG1"); err != nil {
		c.Fatalf("switchover: %v\n%s", err, out)
	}
}

// suffered is what clients saw of one kind of accident.
type suffered struct {
	web, dns     series
	failed, sent int
}

func measureFailover(b *bench, bin string, runs int, only string) {
	fmt.Printf("longest time without an answer, %d runs, one boot: median (fastest to slowest); HTTP and DNS clients that each ask every 10 ms\n\n", runs)
	fmt.Printf("%-18s %-22s %-16s %-11s %-32s %-32s %s\n", "adverts", "besides", "", "", "HTTP", "DNS", "failed requests")
	for _, besides := range burdens {
		for _, every := range rhythms {
			if only != "" && only != besides.name && only != every.interval && only != besides.name+","+every.interval {
				continue
			}
			seen := make(map[string]map[pair.Tool]*suffered)
			var rows []string
			for _, tool := range []pair.Tool{pair.IPVSD, pair.Keepalived} {
				b.Within(func() {
					c := newCouple(b, bin, tool, every)
					end := besides.begin(b, c.NATPair)
					defer end()
					for range runs {
						for _, a := range accidents {
							if a.only != "" && a.only != tool {
								continue
							}
							for _, row := range []string{a.name, a.returned} {
								if row != "" && seen[row] == nil {
									seen[row] = make(map[pair.Tool]*suffered)
									rows = append(rows, row)
								}
								if row != "" && seen[row][tool] == nil {
									seen[row][tool] = new(suffered)
								}
							}
							c.suffer(a, seen[a.name][tool], seen[a.returned][tool])
						}
					}
				})
			}
			for _, row := range rows {
				for _, tool := range []pair.Tool{pair.IPVSD, pair.Keepalived} {
					if s := seen[row][tool]; s != nil {
						fmt.Printf("%-18s %-22s %-16s %-11s %-32v %-32v %d of %d\n", every.name, besides.name, row, tool, s.web, s.dns, s.failed, s.sent)
					}
				}
			}
		}
	}
}

func newCouple(b *bench, bin string, tool pair.Tool, every rhythm) *couple {
	c := &couple{bench: b, NATPair: lab.NewNATPair(b), setup: pair.Scenario1(true, every.version, every.interval)}
	c.first = pair.NewDirector(b, c.Directors[0], tool, bin)
	c.second = pair.NewDirector(b, c.Directors[1], tool, bin)
	c.first.Write(c.setup)
	c.second.Write(pair.Scenario1(false, every.version, every.interval))
	c.first.Start()
	c.second.Start()
	c.wait(c.first, true)
	c.wait(c.second, false)
	for _, d := range c.Directors {
		lab.WaitFor(b, patience, "all servers in the table", func() error {
			rows, err := d.ReadTable()
			if err == nil && len(rows) != 2+6 {
				err = fmt.Errorf("the table has %d lines", len(rows))
			}
			return err
		})
	}
	return c
}

// suffer measures one accident, and its undoing.
func (c *couple) suffer(a accident, during, after *suffered) {
	c.watch(during, func() {
		a.happen(c)
		c.wait(c.second, true)
		if !a.stays {
			c.wait(c.first, false)
		}
	})
	c.watch(after, func() {
		a.undo(c)
		c.wait(c.first, true)
		c.wait(c.second, false)
	})
}

// watch has clients ask while something happens, and for a while after that.
func (c *couple) watch(s *suffered, f func()) {
	web, dns := lab.StartLoad(func() (string, error) {
		a, err := c.Get()
		return a.Server, err
	}), lab.StartLoad(c.Query)
	for _, l := range []*lab.Load{web, dns} {
		l.Mark()
		lab.WaitFor(c, patience, "requests before", func() error { return l.After(20) })
	}
	f()
	for _, l := range []*lab.Load{web, dns} {
		l.Mark()
		lab.WaitFor(c, patience, "requests after", func() error { return l.After(100) })
	}
	w, d := web.Stop(), dns.Stop()
	if s == nil {
		return
	}
	s.web, s.dns = append(s.web, w.Silence), append(s.dns, d.Silence)
	s.failed += w.Failed + d.Failed
	s.sent += w.Sent + d.Sent
}

// wait waits until a director has all addresses, or none. It looks itself, for a program that looks would need the processor.
func (c *couple) wait(d *pair.Director, all bool) {
	lab.WaitFor(c, patience, fmt.Sprintf("addresses on %s: %v", d.Name, all), func() error {
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
}
