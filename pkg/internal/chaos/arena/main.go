// Command arena has real directors suffer what package chaos makes of a seed, on a kernel with IPVS: two or three of them in front of three
// web servers and three name servers, with clients that ask all the time. Observers of their own (the kernel's addresses, ipvsadm,
// tcpdump, /proc) look all the time, too, and package chaos judges what they see. scripts/chaos runs it.
//
// It exits with 0 only if nothing was seen that no fault explains. Otherwise it shows what, the seed, what happened in the last half
// minute, and the directors with the ends of their logs. Faults are dealt out by the main goroutine; observers and clients have theirs,
// which end with the run.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

func main() {
	bin := flag.String("bin", "bin", "`DIR` of ipvsd and ipvsctl")
	seed := flag.Uint64("seed", 1, "`NUMBER` that all follows from")
	seeds := flag.Int("seeds", 1, "so many runs, with the following seeds")
	minutes := flag.Float64("minutes", 2, "length of a run")
	plan := flag.Bool("plan", false, "print the schedule, and do nothing")
	summary := flag.String("summary", "", "`FILE` for a page of what came of all runs")
	about := flag.String("about", "", "a `LINE` for that page: where, when, what")
	flag.Parse()

	length := time.Duration(*minutes * float64(time.Minute))
	var results []chaos.Result
	broken := false
	for n := range uint64(*seeds) { //nolint:gosec // small and positive
		world := chaos.NewWorld(*seed + n)
		fmt.Println(world)
		if *plan {
			for _, f := range world.Schedule(length) {
				fmt.Println(line(f.At, f.String()))
			}
			continue
		}
		result := contest(world, length, *bin)
		results = append(results, result)
		if !result.Stood() {
			broken = true
			fmt.Printf("again: make chaos SEED=%d MINUTES=%v\n", world.Seed, *minutes)
		}
		if err := write(*summary, *about, results); err != nil { // each time: the lab may end before the last
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if len(results) > 0 {
		fmt.Println()
		chaos.Summary(os.Stdout, *about, results)
	}
	if broken {
		os.Exit(1)
	}
}

func write(file, about string, results []chaos.Result) error {
	if file == "" {
		return nil
	}
	var b bytes.Buffer
	chaos.Summary(&b, about, results)
	return os.WriteFile(file, b.Bytes(), 0o644) //nolint:gosec // a page for everybody
}

func contest(world chaos.World, length time.Duration, bin string) (result chaos.Result) {
	tb := new(lab.Program)
	var r *run
	err := tb.Run(func() {
		r = newRun(tb, world, bin)
		r.run(world.Schedule(length), length)
		r.report(os.Stdout)
		result = r.result()
	})
	if err != nil {
		fmt.Printf("the run could not go on: %v\n", err)
		result.Seed, result.Failure = world.Seed, err.Error()
	}
	return result
}

func line(at time.Duration, text string) string { return fmt.Sprintf("%8.1fs  %s", at.Seconds(), text) }
