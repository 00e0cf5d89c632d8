package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// bench is the lab's TB.
type bench struct{ lab.Program }

func (b *bench) tempDir() string {
	dir, err := os.MkdirTemp("", "bench")
	b.Must(err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (b *bench) write(file string, lines []string) {
	b.Must(os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// run is a chapter while it is measured.
type run struct {
	*bench
	options
	runs    int
	chapter *book.Chapter
	faults  []error // of parts that were not measured
}

// spares says whether run n leaves out what takes a minute or more. The first of a boot has it, unless it only has to show that everything works.
func (r *run) spares(n int) bool { return r.quick || n > r.boot }

// tolerated is how many parts may fail before nothing more is expected of a chapter.
const tolerated = 3

// turns has everything measured as often as it should be, and cleans up in between. N counts on from the number of the boot.
func (r *run) turns(f func(n int)) {
	for n := range r.runs {
		began := time.Now()
		r.bench.Within(func() { f(r.boot + n) })
		r.save()
		r.Logf("%s: run %d of %d: %v", r.chapter.Name, n+1, r.runs, time.Since(began).Round(time.Second))
	}
}

// Within is a part after which all that was measured is saved: one that fails, or a kernel that gets stuck in it, costs no more than that part.
func (r *run) Within(f func()) {
	if err := r.Run(f); err != nil {
		r.Logf("%s: a part was not measured: %v", r.chapter.Name, err)
		r.faults = append(r.faults, err)
	}
	r.save()
	if len(r.faults) > tolerated {
		r.Fatalf("%d parts were not measured", len(r.faults))
	}
}

// save replaces what was saved before, whenever it is interrupted.
func (r *run) save() {
	text, err := json.MarshalIndent(r.chapter, "", "\t")
	r.Must(err)
	r.Must(os.WriteFile(r.inside+".new", append(text, '\n'), 0o644))
	r.Must(os.Rename(r.inside+".new", r.inside))
}

func (r *run) table(t book.Table) *book.Table { return r.chapter.Table(t) }

// sizes returns the chapter's sizes of tables, or what was asked for instead.
func (r *run) sizes(quick size, all ...size) []size {
	switch {
	case r.size.services > 0:
		return []size{r.size}
	case r.quick:
		return []size{quick}
	}
	return all
}

// inTurn is the order of a run: everybody is first as often as the others.
func inTurn[T any](n int, list []T) []T {
	first := n % len(list)
	return slices.Concat(list[first:], list[:first])
}

// size is that of a table.
type size struct {
	services, servers int
	checked           bool // each server is one of its own, and has a check
}

func (z size) String() string { return fmt.Sprintf("%d x %d", z.services, z.servers) }

// file is a part of a file's name.
func (z size) file() string { return fmt.Sprintf("%dx%d", z.services, z.servers) }

// rip is the address of a server.
func (z size) rip(service, server int) string {
	if z.checked {
		return rip(service*z.servers + server)
	}
	return rip(server)
}

func (z size) destinations() int { return z.services * z.servers }
