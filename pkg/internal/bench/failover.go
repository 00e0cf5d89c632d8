package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
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

// contest is one burden with one rhythm: the tools take turns, on the same hosts.
type contest struct {
	run           *run
	besides       burden
	every         rhythm
	times, failed *book.Table
}

func measureFailover(r *run) {
	only := r.only
	if r.quick && only == "" {
		only = "idle,0.1"
	}
	for _, besides := range burdens {
		for _, every := range rhythms {
			usual := besides.name == "idle" || besides.name == burdens[1].name && every.interval == "0.1"
			if only == "" && !usual || only != "" && only != besides.name && only != every.interval && only != besides.name+","+every.interval {
				continue
			}
			r.Within(func() { newContest(r, besides, every).measure() })
		}
	}
}

func newContest(r *run, besides burden, every rhythm) *contest {
	c := &contest{run: r, besides: besides, every: every}
	names := []string{string(pair.IPVSD), string(pair.Keepalived)}
	file := strings.ReplaceAll(besides.name, " ", "-") + "-" + every.interval
	title := fmt.Sprintf("Adverts every %s, %s", every.name, besides.name)
	c.times = r.table(book.Table{Name: file, Title: title + ": longest time without an answer", Unit: book.Time, Contenders: names})
	c.failed = r.table(book.Table{Name: file + "-failed", Title: title + ": failed requests", Unit: book.Count, Contenders: names})
	return c
}

// enough is how many runs of a tool may end badly before it has no more.
const enough = 3

func (c *contest) measure() {
	b := c.run.bench
	p := lab.NewNATPair(b)
	var couples []*couple
	for _, tool := range []pair.Tool{pair.IPVSD, pair.Keepalived} {
		couples = append(couples, newCouple(b, p, c.run.bin, tool, c.every))
	}
	end := c.besides.begin(b, p)
	defer end()
	for n := range c.run.runs {
		for _, couple := range inTurn(c.run.boot+n, couples) {
			if couple.bad < enough {
				began := time.Now()
				c.once(couple)
				c.run.save()
				b.Logf("%s, %s: run %d of %d, %s: %v", c.every.name, c.besides.name, n+1, c.run.runs, couple.tool, time.Since(began).Round(time.Second))
			}
		}
	}
}

// once has all accidents happen to a couple, which it starts and stops.
func (c *contest) once(p *couple) {
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
}

// row is where a tool's measurements of a kind are written. No name: nowhere.
func (c *contest) row(name string, tool pair.Tool) *suffered {
	if name == "" {
		return new(suffered)
	}
	return &suffered{
		web: c.times.Cell(name+", HTTP", string(tool)), dns: c.times.Cell(name+", DNS", string(tool)), failed: c.failed.Cell(name, string(tool)),
	}
}

// suffered is where it is written what clients saw of one kind of accident.
type suffered struct{ web, dns, failed *book.Cell }

// writing: one client may still be waited for when another one is done.
var writing sync.Mutex

func (s *suffered) add(web, dns lab.Seen) {
	writing.Lock()
	defer writing.Unlock()
	if s.web == nil {
		return
	}
	s.web.Add(web.Silence.Seconds())
	s.dns.Add(dns.Silence.Seconds())
	s.failed.AddOf(float64(web.Failed+dns.Failed), float64(web.Sent+dns.Sent))
}

// miss tells that a run did not come to the end that it should have.
func (s *suffered) miss(why error) {
	writing.Lock()
	defer writing.Unlock()
	if s.web == nil {
		return
	}
	for _, cell := range []*book.Cell{s.web, s.dns, s.failed} {
		cell.Miss(why)
	}
}
