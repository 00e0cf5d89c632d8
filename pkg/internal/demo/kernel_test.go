//go:build kernel

package main

import (
	"os/exec"
	"testing"
)

// The whole story, as on a terminal: what the audience sees in colours must still be what is expected.
func TestKernelDemoInColor(t *testing.T) {
	const top = "../../.."
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", "./cmd/...")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := &stage{color: true}
	if err := s.Run(func() {
		story(s, bin, top+"/examples/two-directors-master.toml", top+"/examples/two-directors-backup.toml")
	}); err != nil {
		t.Error(err)
	}
}
