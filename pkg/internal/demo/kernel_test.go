//go:build kernel

package main

import (
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// The whole story, as on a terminal: what the audience sees in colours must still be what is expected.
func TestKernelDemoInColor(t *testing.T) {
	const top = "../../.."
	bin := t.TempDir()
	if err := lab.Programs(bin); err != nil {
		t.Fatal(err)
	}
	s := &stage{color: true}
	if err := s.Run(func() {
		story(s, bin, top+"/examples/two-directors-master.toml", top+"/examples/two-directors-backup.toml")
	}); err != nil {
		t.Error(err)
	}
}
