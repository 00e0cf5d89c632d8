package main

import (
	"runtime"
	"testing"

	"github.com/gdamore/tcell/v2"
)

// finished is a screen that notes that it was finished.
type finished struct {
	tcell.Screen
	is bool
}

func (f *finished) Fini() { f.is = true }

// A goroutine that does not return leaves the terminal in order, and one that does leaves the screen to the others. What unwinds
// a goroutine here is Goexit, for a panic would end the tests.
func TestTopPanic(t *testing.T) {
	for _, panics := range []bool{true, false} {
		f := new(finished)
		v := &viewer{screen: f}
		v.start(func() {
			if panics {
				runtime.Goexit()
			}
		})
		if v.tasks.Wait(); f.is != panics {
			t.Errorf("panics %v: finished %v", panics, f.is)
		}
	}
}
