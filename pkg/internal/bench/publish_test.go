package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// aLab is what scripts/lab is here: it has measured chapter.json, and ends well, badly, or when it is told to.
const aLab = `#!/bin/sh
while [ $# -gt 0 ]; do
	[ "$1" != -inside ] || cp chapter.json "$2"
	shift
done
if [ -e stuck ]; then
	sleep 600 & trap "kill $!; exit 143" TERM
	touch began
	wait
fi
[ ! -e broken ]
`

// TestChapter: what the book has is added to where it belongs together, and what was measured before something went wrong is kept.
func TestChapter(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil { //nolint:gosec // one of them is run
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"scripts", "book"} {
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // as it is there
			t.Fatal(err)
		}
	}
	got := book.Chapter{Name: "web", Title: "Web", Boots: []book.Boot{{Runs: 1}}}
	got.Table(book.Table{Name: "rate", Contenders: []string{"ipvsd"}}).Cell("a row", "ipvsd").Add(3)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	write("chapter.json", string(text))
	write("scripts/lab", aLab)
	write("book/dns.json", "of another chapter")

	o := options{out: "book", boots: 1, chapters: "web"}
	after := func(what string, o options, programs string, values int, good bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- o.chapter(ctx, o.wanted()[0], programs) }()
		if _, err := os.Stat("stuck"); err == nil {
			lab.WaitFor(t, time.Minute, "the lab", func() error { _, err := os.Stat("began"); return err })
			cancel()
		}
		if err := <-done; (err == nil) != good {
			t.Errorf("%s: %v", what, err)
		}
		c, err := read(filepath.Join("book", "web.json"))
		if err != nil {
			t.Fatal(err)
		}
		n := len(c.Table(book.Table{Name: "rate"}).Cell("a row", "ipvsd").Values)
		if n != values || len(c.Boots) != values || c.Boots[0].Command == "" {
			t.Errorf("%s: %d values of %d boots, wanted %d: %+v", what, n, len(c.Boots), values, c.Boots)
		}
	}
	two := o
	two.boots = 2
	after("first", o, "abc", 1, true)
	after("the same programs", two, "abc", 3, true)
	after("another commit", o, "abd", 1, true)
	write("broken", "")
	after("a lab that fails", o, "abd", 2, false)
	write("stuck", "")
	after("ctrl-C", o, "abd", 3, false)
	if err := os.Remove("broken"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("stuck"); err != nil {
		t.Fatal(err)
	}
	after("changes", o, "abd with changes", 1, true)
	after("more changes", o, "abd with changes", 1, true)
	after("twice with changes", two, "abd with changes", 2, true)
	if text, err := os.ReadFile("book/dns.json"); err != nil || string(text) != "of another chapter" {
		t.Errorf("the other chapter: %q, %v", text, err)
	}
}
