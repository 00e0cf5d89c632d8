//go:build kernel

package pair

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// bin is the directory of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipvsd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab's own /tmp
	bin = dir
	_ = flag.Set("test.parallel", "8") // most of them wait, most of the time
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// The harness itself, with keepalived on both sides.
func TestKernelTwoKeepaliveds(t *testing.T) {
	p := lab.NewNATPair(t)
	a, b := NewDirector(t, p.Directors[0], Keepalived, bin), NewDirector(t, p.Directors[1], Keepalived, bin)
	setup := Scenario1(true, 2, "1")
	a.Write(setup)
	b.Write(Scenario1(false, 2, "1"))
	a.Start()
	b.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	load := lab.StartLoad(func() (string, error) { return p.Query() })
	a.Stop()
	WaitActive(t, setup, b, a)
	lab.WaitFor(t, patience, "more queries", func() error { load.Mark(); return nil })
	lab.WaitFor(t, patience, "more queries", func() error { return load.After(50) })
	t.Logf("clean stop: %+v", load.Stop())
}
