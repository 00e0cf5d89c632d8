// Command bench measures ipvsd against keepalived and ipvsadm: the same tables, in one boot of one kernel, in turns, each on a
// host of its own. scripts/bench runs it. Times are from the start of a program, or from its signal, until an observer sees
// the result in /proc/net/ip_vs; only their ratios mean anything on another machine.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == spareCommand {
		fmt.Fprintln(os.Stderr, "bench:", count())
		os.Exit(1)
	}
	bin := flag.String("bin", "bin", "`DIR` of ipvsd")
	runs := flag.Int("runs", 5, "`NUMBER` of runs of everything")
	services := flag.Int("services", 500, "`NUMBER` of services")
	servers := flag.Int("servers", 20, "`NUMBER` of servers of each")
	checks := flag.Bool("checks", false, "measure health checks instead of tables")
	detection := flag.Bool("detection", false, "measure how soon a server that dies is noticed instead of tables")
	failover := flag.Bool("failover", false, "measure what clients see of a pair of directors instead of tables")
	drop := flag.Bool("drop-in", false, "measure how soon ipvsd and keepalived have the table of one keepalived.conf, with a check for each server")
	only := flag.String("only", "", "of -failover: `WHAT` is measured, a burden, an advert_int, or both with a comma between")
	flag.Parse()

	b := &bench{}
	run := func() { measure(b, *bin, *runs, size{services: *services, servers: *servers}) }
	if *checks {
		run = func() { measureChecks(b, *bin, *runs) }
	}
	if *detection {
		run = func() { measureDetection(b, *bin, *runs) }
	}
	if *drop {
		run = func() { measureDropIn(b, *bin, *runs, size{services: *services, servers: *servers, checked: true}) }
	}
	if *failover {
		run = func() { measureFailover(b, *bin, *runs, *only) }
	}
	if err := b.Run(run); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// size is that of a table.
type size struct {
	services, servers int
	checked           bool // each server is one of its own, and has a check
}

// rip is the address of a server.
func (z size) rip(service, server int) string {
	if z.checked {
		return rip(service*z.servers + server)
	}
	return rip(server)
}

func (z size) destinations() int { return z.services * z.servers }

func measure(b *bench, bin string, runs int, z size) {
	dir := b.tempDir()
	contenders := []contender{ipvsd(bin, dir, z), keepalived(dir, z), restore(dir, z)}
	results := make([]result, len(contenders))
	var inside inside
	for n := range runs {
		for i, c := range contenders {
			b.Within(func() { c.measure(b, z, &results[i]) })
		}
		b.Within(func() { inside.measure(b, z) })
		fmt.Fprintf(os.Stderr, "run %d of %d\n", n+1, runs)
	}

	printRows(contenders, results, z, runs)
	fmt.Println("reading all of the table")
	fmt.Printf("  %-12s %v\n  %-12s %-28v %5.1f x ipvsd's\n", "ipvsd", inside.snapshot, "ipvsadm -Sn", inside.ipvsadm,
		float64(inside.ipvsadm.median())/float64(inside.snapshot.median()))
	fmt.Println("rounds of ipvsd's reconciler, without the program around it")
	for _, row := range []struct {
		what  string
		times series
	}{
		{"filling the table", inside.program},
		{"nothing changed", inside.quiet},
		{"the same, over the whole table", inside.whole},
	} {
		fmt.Printf("  %-30s %-28v %6.3f x filling\n", row.what, row.times, float64(row.times.median())/float64(inside.program.median()))
	}
	fmt.Printf("  commands sent when nothing changed: %d\n", inside.sent)
}

// printRows prints what was measured of all contenders, the first of which is ipvsd.
func printRows(contenders []contender, results []result, z size, runs int) {
	fmt.Printf("%d services x %d servers, %d runs in turns, one boot: median (fastest to slowest)\n\n", z.services, z.servers, runs)
	for _, row := range []struct {
		what  string
		times func(result) series
	}{
		{"from the start to a full table", func(r result) series { return r.start }},
		{"of that, from the first service to the last server", func(r result) series { return r.fill }},
		{"from SIGHUP to one changed weight", func(r result) series { return r.reload }},
		{"from SIGTERM to an empty table", func(r result) series { return r.stop }},
	} {
		fmt.Println(row.what)
		ours := row.times(results[0]).median()
		for i, c := range contenders {
			if s := row.times(results[i]); len(s) > 0 {
				fmt.Printf("  %-12s %-28v %5.1f x ipvsd's\n", c.name, s, float64(s.median())/float64(ours))
			}
		}
	}
	fmt.Println("memory with the full table")
	for i, c := range contenders {
		if m := results[i].memory; len(m) > 0 {
			fmt.Printf("  %-12s %-28v %5.1f x ipvsd's\n", c.name, m, float64(m.median())/float64(results[0].memory.median()))
		}
	}
}

// series are measurements of one thing.
type series []time.Duration

func (s series) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s series) String() string {
	return fmt.Sprintf("%v (%v to %v)", round(s.median()), round(slices.Min(s)), round(slices.Max(s)))
}

func round(d time.Duration) time.Duration {
	if d < 100*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

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
