// Command bench measures ipvsd against keepalived, ldirectord, ipvsadm, HAProxy and Pen, and writes the benchmark book: chapter by chapter, each in
// a boot of its own, the contenders in turns, each on a host of its own. scripts/bench runs it. It starts itself once more
// in the lab for each chapter; -inside names the file for what was measured there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
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
	flag.StringVar(&o.chapters, "chapters", "", "`NAMES` of the chapters that are measured, with spaces between; all but soak if there are none")
	flag.IntVar(&o.runs, "runs", 0, "`NUMBER` of runs of everything in a boot; 0: what each chapter needs")
	flag.IntVar(&o.boots, "boots", 1, "`NUMBER` of boots for each chapter")
	flag.IntVar(&o.boot, "boot", 0, "with -inside, the `NUMBER` of the boot, which says who begins")
	flag.BoolVar(&o.quick, "quick", false, "one run with small sizes, which only shows that everything works; writes to bin/book")
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
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = o.publish(ctx)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	bin, chapters, out, only, inside string
	runs, boots, boot                int
	quick, render                    bool
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

// wanted are the chapters that are to be measured, in the order in which they are named.
func (o *options) wanted() (list []chapter) {
	for name := range strings.FieldsSeq(o.chapters) {
		list = append(list, chapters[slices.IndexFunc(chapters, func(c chapter) bool { return c.name == name })])
	}
	if list == nil {
		return slices.DeleteFunc(slices.Clone(chapters), func(c chapter) bool { return c.named })
	}
	return list
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

// command is how anybody measures a chapter again, with everything that make or a chapter would choose.
func (o *options) command(c chapter) string {
	form, quick := "make bench CHAPTERS=%s RUNS=%d BOOTS=%d", "QUICK=1"
	if o.size.services > 0 || o.only != "" {
		form, quick = "scripts/bench -chapters %s -runs %d -boots %d", "-quick"
	}
	words := []string{fmt.Sprintf(form, c.name, o.runsOf(c), o.boots)}
	if o.quick {
		words = append(words, quick)
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
	r := &run{bench: new(bench), options: *o, runs: o.runsOf(c), chapter: &book.Chapter{Name: c.name, Title: c.title, Notes: c.notes}}
	r.chapter.Boots = []book.Boot{{Runs: r.runs, Quick: o.quick, Kernel: kernel(), Versions: versions(), Unfit: "a program or the kernel was stuck, or ended"}}
	r.save()
	began := time.Now()
	err := r.Run(func() { c.measure(r) })
	r.chapter.Boots[0].Unfit = ""
	if err = errors.Join(append(r.faults, err)...); err != nil {
		r.chapter.Boots[0].Unfit = err.Error()
	}
	r.save()
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.name, time.Since(began).Round(time.Second))
	return err
}
