package main

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
)

// What is measured of a contender, which is also the names of rows.
const (
	toFull    = "from exec to a full table"
	filling   = "filling: first service to last server"
	toWeight  = "from SIGHUP to one changed weight"
	toEmpty   = "from SIGTERM to an empty table"
	fullTable = "memory with the full table"
	reading   = "reading all of the table"
)

// tell is told of one measurement: seconds, but bytes of fullTable.
type tell func(what, contender string, value float64)

// tables makes tables of times and of memory for a size, and returns who writes there.
func (r *run) tables(z size, contenders ...string) tell {
	times := r.table(book.Table{Name: "time-" + z.file(), Title: z.String() + ": times", Unit: book.Time, Contenders: contenders})
	memory := r.table(book.Table{Name: "memory-" + z.file(), Title: z.String() + ": memory", Unit: book.Bytes, Contenders: contenders})
	return func(what, contender string, value float64) {
		if what == fullTable {
			memory.Cell(what, contender).Add(value)
			return
		}
		times.Cell(what, contender).Add(value)
	}
}

func measureProgramming(r *run) {
	dir := r.tempDir()
	r.turns(func(n int) {
		for _, z := range r.sizes(size{services: 50, servers: 10}, size{services: 500, servers: 20}, size{services: 1000, servers: 100}) {
			t := r.tables(z, "ipvsd", "keepalived", "ipvsadm")
			for _, c := range inTurn(n, []contender{ipvsd(r.bin, dir, z), keepalived(dir, z), restore(dir, z)}) {
				r.Within(func() { c.measure(r.bench, z, t) })
			}
			r.Within(func() { r.rounds(z, t) })
		}
	})
}

// rounds measures rounds of the reconciler, without the program around it.
func (r *run) rounds(z size, t tell) {
	in := measureInside(r.bench, z)
	t(reading, "ipvsd", in.snapshot.Seconds())
	t(reading, "ipvsadm", in.ipvsadm.Seconds())
	times := r.table(book.Table{Name: "rounds-" + z.file(), Title: z.String() + ": rounds of the reconciler alone", Unit: book.Time, Contenders: []string{"ipvsd"}})
	shares := r.table(book.Table{Name: "share-" + z.file(), Title: z.String() + ": what a round costs, of filling the table", Unit: book.Count, Contenders: []string{"ipvsd"}})
	row := func(label string, took time.Duration) {
		times.Cell(label, "ipvsd").Add(took.Seconds())
		shares.Cell(label, "ipvsd").Add(float64(took) / float64(in.program))
	}
	times.Cell("filling the table", "ipvsd").Add(in.program.Seconds())
	for _, took := range in.quiet {
		row(quietRound, took)
	}
	row("the same, over the whole table", in.whole)
	sent := r.table(book.Table{Name: "sent-" + z.file(), Title: z.String() + ": commands sent by rounds when nothing changed", Unit: book.Count, Contenders: []string{"ipvsd"}})
	sent.Cell("all rounds", "ipvsd").Add(float64(in.sent))
}

const quietRound = "a round when nothing changed"

// measureGrowth fills ever larger tables. The shapes are those of configurations: one service with few servers, then more services, then more servers.
func measureGrowth(r *run) {
	dir := r.tempDir()
	sizes := []size{{services: 1, servers: 10}, {services: 10, servers: 10}, {services: 50, servers: 20}, {services: 500, servers: 20}, {services: 1000, servers: 100}}
	if r.quick {
		sizes = sizes[:3]
	}
	r.turns(func(n int) {
		for _, z := range sizes {
			for _, c := range inTurn(n, []contender{ipvsd(r.bin, dir, z), keepalived(dir, z), restore(dir, z), ldirectord(dir, z)}) {
				if c.most > 0 && z.destinations() > c.most {
					r.grown(toFull).At(float64(z.destinations()), c.name).Note = "left out: takes minutes"
					continue
				}
				if c.most > 0 && z.destinations() > c.most/10 && r.spares(n) {
					continue
				}
				r.Within(func() {
					c.measure(r.bench, z, func(what, contender string, value float64) {
						r.grown(what).At(float64(z.destinations()), contender).Add(value)
					})
				})
			}
		}
	})
}

// grown returns the table of growth for one thing.
func (r *run) grown(what string) *book.Table {
	t := book.Table{Title: what, Unit: book.Time, X: "servers", Contenders: []string{"ipvsd", "keepalived", "ipvsadm", "ldirectord"}}
	t.Name = map[string]string{toFull: "start", filling: "fill", toWeight: "reload", toEmpty: "stop", fullTable: "memory"}[what]
	if what == fullTable {
		t.Unit = book.Bytes
	}
	return r.table(t)
}
