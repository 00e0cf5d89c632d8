// Command arena has real directors suffer what package chaos makes of a seed, on a kernel with IPVS: two or three of them in front of three
// web servers and three name servers, with clients that ask all the time. Observers of their own (the kernel's addresses, ipvsadm,
// tcpdump, /proc) look all the time, too, and package chaos judges what they see. scripts/chaos runs it.
//
// It exits with 0 only if nothing was seen that no fault explains. Otherwise it shows what, the seed, what happened in the last half
// minute, and the directors with the ends of their logs. Faults are dealt out by the main goroutine; observers and clients have theirs,
// which end with the run.
package main

import (
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
	sabotage := flag.Bool("sabotage", false, "put a virtual address on a real server, which must be found")
	flag.Parse()

	length := time.Duration(*minutes * float64(time.Minute))
	broken := 0
	for n := range uint64(*seeds) { //nolint:gosec // small and positive
		world := chaos.NewWorld(*seed + n)
		fmt.Println(world)
		if *plan {
			for _, f := range world.Schedule(length) {
				fmt.Println(line(f.At, f.String()))
			}
			continue
		}
		if !contest(world, length, *bin, *sabotage) {
			broken++
			fmt.Printf("again: make chaos SEED=%d MINUTES=%v\n", world.Seed, *minutes)
		}
	}
	if broken > 0 {
		os.Exit(1)
	}
}

func contest(world chaos.World, length time.Duration, bin string, sabotage bool) (stood bool) {
	tb := new(lab.Program)
	err := tb.Run(func() {
		r := newRun(tb, world, bin)
		stood = r.run(world.Schedule(length), length, sabotage)
		r.report(os.Stdout)
	})
	if err != nil {
		fmt.Printf("the run could not go on: %v\n", err)
		return false
	}
	return stood
}

func line(at time.Duration, text string) string { return fmt.Sprintf("%8.1fs  %s", at.Seconds(), text) }
