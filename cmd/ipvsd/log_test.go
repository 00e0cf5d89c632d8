package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A reader that takes nothing holds up neither the one who logs nor the end. When it reads on, it is told what it missed.
func TestQueueNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		q := newQueue(writer, 10)
		for n := range 100 {
			if _, err := fmt.Fprintf(q, "line %d\n", n); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		q.end(time.Second)
		var got bytes.Buffer
		go func() { _, _ = io.Copy(&got, reader) }()
		synctest.Wait()
		fmt.Fprintln(q, "later")
		q.end(time.Second)
		writer.Close()
		synctest.Wait()
		text := got.String()
		// One was being written, ten waited.
		if !strings.HasPrefix(text, "line 0\nlevel=WARN msg=\"the log was too slow\" lines_lost=89\nline 1\n") ||
			!strings.HasSuffix(text, "line 10\nlater\n") {
			t.Errorf("got\n%s", text)
		}
	})
}

// What is written before the end is there after it.
func TestQueueEnd(t *testing.T) {
	var got bytes.Buffer
	q := newQueue(&got, 100)
	fmt.Fprintln(q, "one")
	fmt.Fprintln(q, "two")
	q.end(time.Minute)
	if got.String() != "one\ntwo\n" {
		t.Errorf("got %q", got.String())
	}
}
