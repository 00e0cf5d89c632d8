package lab

import (
	"fmt"
	"os"
	"slices"
)

// Program is the TB of a program that is no test. Its zero value can be used.
type Program struct {
	cleanup []func()
	failed  bool
}

var _ TB = (*Program)(nil)

// over is what Fatalf panics with, up to Run.
type over struct{ error }

// Run runs f and then what f gave to Cleanup. It returns what f said to Fatalf.
func (p *Program) Run(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			o, ok := r.(over)
			if !ok {
				panic(r)
			}
			err = o.error
		}
	}()
	p.failed = false
	p.Within(f)
	return nil
}

// Within runs a part of a program that cleans up behind itself: what f gave to Cleanup runs when f is done.
func (p *Program) Within(f func()) {
	outer := p.cleanup
	p.cleanup = nil
	defer func() { p.cleanup = outer }() // also when one of them ends Run
	defer func() {
		for _, c := range slices.Backward(p.cleanup) {
			c()
		}
	}()
	f()
}

// Helper does nothing.
func (p *Program) Helper() {}

// Cleanup has f called at the end of the innermost Run or Within.
func (p *Program) Cleanup(f func()) { p.cleanup = append(p.cleanup, f) }

// Logf writes to standard error.
func (p *Program) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Fatalf ends Run.
func (p *Program) Fatalf(format string, args ...any) {
	p.failed = true
	panic(over{fmt.Errorf(format, args...)})
}

// Failed says whether Fatalf was called since Run began.
func (p *Program) Failed() bool { return p.failed }

// Must ends Run if there is an error.
func (p *Program) Must(err error) {
	if err != nil {
		p.Fatalf("%w", err)
	}
}
