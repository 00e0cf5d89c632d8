// Command bench measures ipvsd against keepalived, ldirectord, ipvsadm, HAProxy and Pen, and writes the benchmark book: chapter by chapter, each in
// a boot of its own, the contenders in turns, each on a host of its own. scripts/bench runs it. It starts itself once more
// in the lab for each chapter; -inside names the file for what was measured there.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
)

func main() {
	if len(os.Args) >= 2 && strings.HasPrefix(os.Args[1], errand) {
		fmt.Fprintln(os.Stderr, "bench:", runErrand(os.Args[1:]))
		os.Exit(1)
	}
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "`DIR` of ipvsd")
	flag.StringVar(&o.chapters, "chapters", "", "`NAMES` of the chapters that are measured, with spaces between; all of them if there are none")
	flag.IntVar(&o.runs, "runs", 0, "`NUMBER` of runs of everything in a boot; 0: what each chapter needs")
	flag.IntVar(&o.boots, "boots", 1, "`NUMBER` of boots for each chapter")
	flag.BoolVar(&o.quick, "quick", false, "one run with small sizes, which only shows that everything works; writes to bin/book")
	flag.BoolVar(&o.add, "add", false, "put the measurements to those that the book has, of the same commit, machine and programs")
	flag.StringVar(&o.out, "out", "", "`DIR` of the book (contrib/bench/book)")
	flag.BoolVar(&o.render, "render", false, "measure nothing: write the book's text and plots from its JSON")
	flag.IntVar(&o.size.services, "services", 0, "programming, restart and drop-in: `NUMBER` of services instead of the chapter's")
	flag.IntVar(&o.size.servers, "servers", 0, "the same: `NUMBER` of servers of each")
	flag.StringVar(&o.only, "only", "", "failover: `WHAT` is measured, a burden, an advert_int, or both with a comma between")
	flag.StringVar(&o.inside, "inside", "", "measure one chapter here, and write it to `FILE`")
	list := flag.Bool("list", false, "list the chapters")
	flag.Parse()

	err := o.check()
	switch {
	case err != nil:
	case *list:
		for _, c := range chapters {
			fmt.Printf("%-12s %s\n", c.name, c.title)
		}
	case o.inside != "":
		err = o.measure()
	default:
		err = o.publish()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	bin, chapters, out, only, inside string
	runs, boots                      int
	quick, add, render               bool
	size                             size
}

func (o *options) check() error {
	if flag.NArg() > 0 {
		return fmt.Errorf("no arguments are known, %q neither: chapters are named by -chapters", flag.Args())
	}
	if (o.size.services > 0) != (o.size.servers > 0) {
		return errors.New("-services and -servers belong together")
	}
	for name := range strings.FieldsSeq(o.chapters) {
		if !slices.ContainsFunc(chapters, func(c chapter) bool { return c.name == name }) {
			return fmt.Errorf("there is no chapter %q: -list lists them", name)
		}
	}
	if o.inside != "" && len(o.wanted()) != 1 {
		return errors.New("-inside wants one chapter")
	}
	if o.out == "" {
		o.out = "contrib/bench/book"
		if o.quick {
			o.out = "bin/book"
		}
	}
	return nil
}

// wanted are the chapters that are to be measured.
func (o *options) wanted() []chapter {
	names := strings.Fields(o.chapters)
	return slices.DeleteFunc(slices.Clone(chapters), func(c chapter) bool { return len(names) > 0 && !slices.Contains(names, c.name) })
}

// runsOf returns how many runs a chapter has.
func (o *options) runsOf(c chapter) int {
	switch {
	case o.runs > 0:
		return o.runs
	case o.quick:
		return 1
	}
	return c.runs
}

// command is how anybody measures a chapter again.
func (o *options) command(c chapter) string {
	words := []string{"make bench", "CHAPTERS=" + c.name}
	if o.quick {
		words = append(words, "QUICK=1")
	}
	if o.size.services > 0 || o.only != "" {
		words[0], words[1] = "scripts/bench", "-chapters "+c.name
		if o.quick {
			words[2] = "-quick"
		}
	}
	if o.size.services > 0 {
		words = append(words, fmt.Sprintf("-services %d -servers %d", o.size.services, o.size.servers))
	}
	if o.only != "" {
		words = append(words, fmt.Sprintf("-only %q", o.only))
	}
	return strings.Join(words, " ")
}

// measure measures a chapter on this machine, and writes what there is after every run.
func (o *options) measure() error {
	c := o.wanted()[0]
	r := &run{bench: new(bench), options: *o, runs: o.runsOf(c), chapter: &book.Chapter{Name: c.name, Title: c.title, Command: o.command(c), Notes: c.notes}}
	r.chapter.Boots = []book.Boot{{Runs: r.runs, Quick: o.quick, Kernel: kernel(), Versions: versions(), Unfit: "a program or the kernel was stuck, or ended"}}
	r.save()
	began := time.Now()
	err := r.Run(func() { c.measure(r) })
	r.chapter.Boots[0].Unfit = ""
	if err != nil {
		r.chapter.Boots[0].Unfit = err.Error()
	}
	r.save()
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.name, time.Since(began).Round(time.Second))
	return err
}
