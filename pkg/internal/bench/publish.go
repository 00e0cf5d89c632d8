package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
)

// publish measures the chapters that are wanted, each in a boot of its own, and writes the book after each. A chapter that is stuck or interrupted
// costs no other, and no more of itself than what was going on.
func (o *options) publish(ctx context.Context) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.render {
		return o.print()
	}
	var failed error
	programs := commit()
	for _, c := range o.wanted() {
		if ctx.Err() != nil {
			return errors.Join(failed, fmt.Errorf("interrupted before chapter %s", c.name))
		}
		if err := o.chapter(ctx, c, programs); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
			failed = errors.Join(failed, err)
		}
		failed = errors.Join(failed, o.print())
	}
	return failed
}

// chapter measures one and writes its JSON. What was measured before something went wrong counts, and the book says that it did. What the book has
// already of the same programs on the same machine stays: more runs of everything tell more.
func (o *options) chapter(ctx context.Context, c chapter, programs string) error {
	file := filepath.Join(o.out, c.name+".json")
	all, err := read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var failed error
	for n := range o.boots {
		got, err := o.start(ctx, c, n, programs)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("chapter %s: %w", c.name, err))
		}
		if !measured(got) {
			continue
		}
		switch differs := all.Merge(got); {
		case n == 0 && (differs != nil || o.quick || strings.HasSuffix(programs, changed)):
			all = got
		case differs != nil:
			return errors.Join(failed, differs)
		}
		text, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return failed
}

func measured(c book.Chapter) bool {
	return slices.ContainsFunc(c.Tables, func(t *book.Table) bool { return len(t.Rows) > 0 })
}

func read(file string) (c book.Chapter, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w: remove it, and measure the chapter anew", file, err)
	}
	return c, nil
}

// start measures a chapter in a lab of its own.
func (o *options) start(ctx context.Context, c chapter, n int, programs string) (got book.Chapter, err error) {
	dir, err := os.MkdirTemp("", "bench-out-")
	if err != nil {
		return got, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := os.Executable()
	if err != nil {
		return got, err
	}
	file := filepath.Join(dir, "chapter.json")
	limit := 2*time.Minute + time.Duration(o.runsOf(c))*c.limit
	if o.quick {
		limit = 5 * time.Minute
	}
	outside := book.Boot{When: time.Now().UTC().Format("2006-01-02 15:04"), Command: o.command(c), Load: load1(), Machine: machine(), Commit: programs}
	fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, outside.Command)
	args := []string{"-t", strconv.Itoa(int(limit.Seconds())), "-o", dir, self, "-inside", file, "-chapters", c.name, "-bin", o.bin,
		"-runs", strconv.Itoa(o.runsOf(c)), "-boot", strconv.Itoa(n), "-only", o.only, "-services", strconv.Itoa(o.size.services), "-servers", strconv.Itoa(o.size.servers)}
	if o.quick {
		args = append(args, "-quick")
	}
	lab := exec.CommandContext(ctx, "scripts/lab", args...)
	lab.Cancel, lab.WaitDelay = func() error { return lab.Process.Signal(syscall.SIGTERM) }, time.Minute
	lab.Stdout, lab.Stderr = os.Stderr, os.Stderr
	failed := lab.Run()
	if got, err = read(file); err != nil {
		return got, errors.Join(failed, err)
	}
	b := &got.Boots[0]
	b.When, b.Command, b.Load, b.Machine, b.Commit = outside.When, outside.Command, outside.Load, outside.Machine, outside.Commit
	return got, failed
}

// print writes the book's text and plots. Plots that nothing refers to any more go.
func (o *options) print() error {
	var all []book.Chapter
	for _, c := range chapters {
		got, err := read(filepath.Join(o.out, c.name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, got)
	}
	if !o.quick { // where rows of other sizes are measured
		for _, name := range book.Dangling(aims, all) {
			fmt.Fprintf(os.Stderr, "bench: an aim without its figure: %s\n", name)
		}
	}
	files := book.Files(all, aims)
	old, err := filepath.Glob(filepath.Join(o.out, "*.svg"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if _, still := files[filepath.Base(file)]; !still {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(o.out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "bench: %s has %d chapters\n", filepath.Join(o.out, "README.md"), len(all))
	return nil
}

// load1 is the machine's average load of the last minute.
func load1() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// machine says what this one is.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	model, processors := "unknown processor", bytes.Count(text, []byte("processor\t:"))
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	memory, _ := os.ReadFile("/proc/meminfo")
	var kilobytes int
	_, _ = fmt.Sscanf(string(memory), "MemTotal: %d kB", &kilobytes)
	return fmt.Sprintf("%d x %s, %.0f GiB", processors, model, float64(kilobytes)/(1<<20))
}
