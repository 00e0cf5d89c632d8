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
	bin := flag.String("bin", "bin", "`DIR` of ipvsd")
	runs := flag.Int("runs", 5, "`NUMBER` of runs of everything")
	services := flag.Int("services", 500, "`NUMBER` of services")
	servers := flag.Int("servers", 20, "`NUMBER` of servers of each")
	flag.Parse()

	b := &bench{}
	if err := b.Run(func() { measure(b, *bin, *runs, size{*services, *servers}) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// size is that of a table.
type size struct{ services, servers int }

func (z size) destinations() int { return z.services * z.servers }

func measure(b *bench, bin string, runs int, z size) {
	dir := b.tempDir()
	contenders := []contender{ipvsd(bin, dir, z), keepalived(dir, z), restore(dir, z)}
	results := make([]result, len(contenders))
	var inside inside
	for n := range runs {
		for i, c := range contenders {
			b.Within(func() { results[i].add(c.measure(b, z)) })
		}
		b.Within(func() { inside.measure(b, z) })
		fmt.Fprintf(os.Stderr, "run %d of %d\n", n+1, runs)
	}

	fmt.Printf("%d services x %d servers, %d runs in turns, one boot: median (fastest to slowest)\n\n", z.services, z.servers, runs)
	row := func(what string, times func(result) series) {
		fmt.Printf("%-44s", what)
		ours := times(results[0]).median()
		for i := range contenders {
			s := times(results[i])
			if len(s) == 0 {
				continue
			}
			fmt.Printf("  %s %v", contenders[i].name, s)
			if i > 0 {
				fmt.Printf(" = %.1f x ipvsd's", float64(s.median())/float64(ours))
			}
		}
		fmt.Println()
	}
	row("start into an empty table", func(r result) series { return r.start })
	row("reload with one weight changed", func(r result) series { return r.reload })
	fmt.Printf("%-44s  %v\n", "in the process: programming the table", inside.program)
	for what, s := range map[string]series{"a round when nothing changed": inside.quiet, "such a round over the whole table": inside.whole} {
		fmt.Printf("%-44s  %v = %.3f of programming\n", "in the process: "+what, s, float64(s.median())/float64(inside.program.median()))
	}
	fmt.Printf("%-44s  %d\n", "commands sent by all those rounds", inside.sent)
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
