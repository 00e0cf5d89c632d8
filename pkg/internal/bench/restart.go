package main

import (
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// restarts is how long a restarted program may take until the table is right. Who needs longer does not get there at all: keepalived
// 2.2.7 leaves servers alone that it finds in the table of one before it.
const restarts = 10 * time.Second

func measureRestart(r *run) {
	dir := r.tempDir()
	r.turns(func(n int) {
		for _, z := range r.sizes(size{services: 20, servers: 10}, size{services: 1, servers: 1}, size{services: 500, servers: 20}) {
			for _, checked := range []bool{false, true} {
				z.checked = checked
				for _, c := range inTurn(n, []contender{ipvsd(r.bin, dir, z), keepalived(dir, z)}) {
					r.Within(func() { measureRestartOf(r, c, z) })
				}
			}
		}
	})
}

// measureRestartOf kills a program that has a full table, changes its file, and starts it again.
func measureRestartOf(r *run, c contender, z size) {
	b, g := r.bench, newGround(r.bench)
	listen(b, g.crowd, nil)
	checks := "no checks"
	if z.checked {
		checks = "a check each"
	}
	cell := func(t book.Table, label string) *book.Cell {
		t.Contenders = []string{"ipvsd", "keepalived"}
		return r.table(t).Cell(fmt.Sprintf("%s, %s: %s", z, checks, label), c.name)
	}
	times := func(label string) *book.Cell {
		return cell(book.Table{Name: "time", Title: "From exec until the table is as the file says", Unit: book.Time}, label)
	}
	c.loose = z.checked // servers come when their checks pass
	c.forget()
	p, began := c.launch(b, g.director, 1)
	_, last, err := c.watch(b, g.director, z, 1, patience)
	b.Must(err)
	times("first start").Add(last.Sub(began).Seconds())

	h := hammer{}
	stop := h.start(b, g.client)
	defer stop()
	lab.WaitFor(b, patience, "answers through "+c.name, func() error {
		if h.requests.Load() < 20 || h.requests.Load() == h.failed.Load() {
			return fmt.Errorf("%d of %d failed", h.failed.Load(), h.requests.Load())
		}
		return nil
	})
	failed, requests := h.failed.Load(), h.requests.Load()
	p.Kill()
	lab.WaitFor(b, patience, c.name+" to be gone", func() error {
		if left := pids(g.director); len(left) > 1 { // ip itself may be one
			return fmt.Errorf("processes %v", left)
		}
		return nil
	})
	p, began = c.launch(b, g.director, 7)
	_, last, err = c.watch(b, g.director, z, 7, restarts)
	again := times("kill -9, start again")
	lost := cell(book.Table{Name: "failed", Title: "Failed requests from the kill until then", Unit: book.Count}, "kill -9, start again")
	if err != nil {
		again.Miss(fmt.Errorf("not within %v: %w", restarts, err))
	} else {
		again.Add(last.Sub(began).Seconds())
	}
	lost.AddOf(float64(h.failed.Load()-failed), float64(h.requests.Load()-requests))
	p.Kill() // of what it leaves nothing is asked
}
