package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

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

// crowd is ab, which has 1000 requests under way all the time. It ends when too many fail at once, and begins again.
func crowd(_ *bench, p *lab.NATPair) func() {
	ab := p.Client.Start("sh", "-c", fmt.Sprintf(
		"ulimit -n 4096; while :; do ab -q -r -s 10 -t 3600 -n 5000000 -c 1000 http://%s/ >/dev/null 2>&1; sleep 0.1; done", lab.WebVIP.Addr()))
	return ab.Kill
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

// suffered is what clients saw of one kind of accident.
type suffered struct {
	mu           sync.Mutex
	web, dns     series
	failed, sent int
	missed       int   // so often it did not come to the end that it should have
	why          error // the last time
}

func (s *suffered) String() string {
	if len(s.web) == 0 {
		return fmt.Sprintf("never as it should be (%d runs): %v", s.missed, s.why)
	}
	text := fmt.Sprintf("%-32v %-32v %d of %d", s.web, s.dns, s.failed, s.sent)
	if s.missed > 0 {
		text += fmt.Sprintf("; %d runs of %d not as they should be: %v", s.missed, s.missed+len(s.web), s.why)
	}
	return text
}

// contest is one burden with one rhythm: the tools take turns, on the same hosts.
type contest struct {
	besides burden
	every   rhythm
	seen    map[string]map[pair.Tool]*suffered
	rows    []string
}

func measureFailover(b *bench, bin string, runs int, only string) {
	fmt.Printf("longest time without an answer, %d runs, one boot, tools in turns: median (fastest to slowest); HTTP and DNS clients that each ask every 10 ms\n\n", runs)
	fmt.Printf("%-18s %-22s %-16s %-11s %-32s %-32s %s\n", "adverts", "besides", "", "", "HTTP", "DNS", "failed requests")
	for _, besides := range burdens {
		for _, every := range rhythms {
			if only != "" && only != besides.name && only != every.interval && only != besides.name+","+every.interval {
				continue
			}
			c := &contest{besides: besides, every: every, seen: make(map[string]map[pair.Tool]*suffered)}
			b.Within(func() { c.measure(b, bin, runs) })
			c.print()
		}
	}
}

// enough is how many runs of a tool may end badly before it has no more.
const enough = 3

func (c *contest) measure(b *bench, bin string, runs int) {
	p := lab.NewNATPair(b)
	var couples []*couple
	for _, tool := range []pair.Tool{pair.IPVSD, pair.Keepalived} {
		couples = append(couples, newCouple(b, p, bin, tool, c.every))
	}
	end := c.besides.begin(b, p)
	defer end()
	for n := range runs {
		for _, couple := range couples {
			if couple.bad < enough {
				began := time.Now()
				c.run(couple)
				fmt.Fprintf(os.Stderr, "%s, %s: run %d of %d, %s: %v\n", c.every.name, c.besides.name, n+1, runs, couple.tool, time.Since(began).Round(time.Second))
			}
		}
		slices.Reverse(couples) // who was first is second
	}
}

// run has all accidents happen to a couple, which it starts and stops.
func (c *contest) run(p *couple) {
	bad := p.start()
	if bad != nil {
		p.Logf("%s does not start: %v", p.tool, bad)
	}
	for _, a := range accidents {
		if a.only != "" && a.only != p.tool {
			continue
		}
		during, after := c.row(a.name, p.tool), c.row(a.returned, p.tool)
		if bad == nil {
			bad = p.suffer(a, during, after)
		} else {
			during.miss(bad)
			after.miss(bad)
		}
	}
	if bad != nil {
		p.bad++
	}
	p.stop()
	for _, row := range c.rows {
		if s := c.seen[row][p.tool]; s != nil && len(s.web) > 0 {
			p.Logf("  %-16s %v, %v", row, round(s.web[len(s.web)-1]), round(s.dns[len(s.dns)-1]))
		}
	}
}

// row is where a tool's measurements of a kind are written. No name: nowhere.
func (c *contest) row(name string, tool pair.Tool) *suffered {
	if name == "" {
		return new(suffered)
	}
	if c.seen[name] == nil {
		c.seen[name] = make(map[pair.Tool]*suffered)
		c.rows = append(c.rows, name)
	}
	if c.seen[name][tool] == nil {
		c.seen[name][tool] = new(suffered)
	}
	return c.seen[name][tool]
}

func (c *contest) print() {
	for _, row := range c.rows {
		for _, tool := range []pair.Tool{pair.IPVSD, pair.Keepalived} {
			if s := c.seen[row][tool]; s != nil {
				fmt.Printf("%-18s %-22s %-16s %-11s %v\n", c.every.name, c.besides.name, row, tool, s)
			}
		}
	}
}

func (s *suffered) add(web, dns lab.Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.web, s.dns = append(s.web, web.Silence), append(s.dns, dns.Silence)
	s.failed += web.Failed + dns.Failed
	s.sent += web.Sent + dns.Sent
}

func (s *suffered) miss(why error) { s.missed, s.why = s.missed+1, why }
