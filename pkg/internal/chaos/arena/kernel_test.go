//go:build kernel

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// compete has a run of a seed, and returns whether the cluster stood it and what was reported.
func compete(t *testing.T, seed uint64, length time.Duration, sabotage bool) (stood bool, report string) {
	t.Helper()
	bin := t.TempDir()
	if err := lab.Programs(bin); err != nil {
		t.Fatal(err)
	}
	world := chaos.NewWorld(seed)
	var b strings.Builder
	r := newRun(t, world, bin)
	stood = r.run(world.Schedule(length), length, sabotage)
	r.report(&b)
	return stood, b.String()
}

// TestKernelChaos is a short make chaos. make chaos SEED=50 MINUTES=0.65 does the same: a partition, a link, a weight by hand; then a kill,
// a server and an address.
func TestKernelChaos(t *testing.T) {
	stood, report := compete(t, 50, 39*time.Second, false)
	t.Log(report)
	if !stood {
		t.Error("something was seen that no fault explains")
	}
}

// TestKernelSabotage: a virtual address that somebody has put on a real server is found.
func TestKernelSabotage(t *testing.T) {
	stood, report := compete(t, 2, 30*time.Second, true)
	if stood || !strings.Contains(report, "web3 has 192.168.1.200") || !strings.Contains(report, "BROKEN, seed 2") {
		t.Errorf("stood: %v\n%s", stood, report)
	}
}
