package chaos

import (
	"slices"
	"testing"
	"time"
)

const minutes = 10 * time.Minute

func TestScheduleIsOfTheSeed(t *testing.T) {
	for seed := range uint64(50) {
		if a, b := NewWorld(seed).Schedule(minutes), NewWorld(seed).Schedule(minutes); !slices.Equal(a, b) {
			t.Errorf("seed %d: %v, and then %v", seed, a, b)
		}
	}
	if slices.Equal(NewWorld(1).Schedule(minutes), NewWorld(2).Schedule(minutes)) {
		t.Error("seeds 1 and 2 are alike")
	}
}

// TestLongerScheduleBeginsAlike: a seed that failed within two minutes fails in the same way in a run of ten.
func TestLongerScheduleBeginsAlike(t *testing.T) {
	longer, shorter := NewWorld(17).Schedule(2*minutes), NewWorld(17).Schedule(minutes)
	if len(shorter) == 0 || len(longer) <= len(shorter) || !slices.Equal(longer[:len(shorter)], shorter) {
		t.Errorf("%v, of which the first are not %v", longer, shorter)
	}
}

func TestScheduleKeepsToItsTime(t *testing.T) {
	for seed := range uint64(50) {
		w := NewWorld(seed)
		last := time.Duration(0)
		for _, f := range w.Schedule(minutes) {
			if f.At < last {
				t.Errorf("seed %d: %v at %v, after something at %v", seed, f, f.At, last)
			}
			last = f.At
			if end := f.End() + w.Bounds().felt(f); end > minutes {
				t.Errorf("seed %d: %v can be felt until %v", seed, f, end)
			}
			if slices.Contains(w.Anchors, f.Target) || slices.Contains(w.Anchors, f.Server) {
				t.Errorf("seed %d: %v; nothing may happen to %v", seed, f, w.Anchors)
			}
		}
	}
}

// TestScheduleHasAll holds that every kind happens, to every target that it can happen to.
func TestScheduleHasAll(t *testing.T) {
	seen := map[Kind]map[string]bool{}
	for seed := range uint64(50) {
		for _, f := range NewWorld(seed).Schedule(minutes) {
			if seen[f.Kind] == nil {
				seen[f.Kind] = map[string]bool{}
			}
			seen[f.Kind][f.Target] = true
		}
	}
	for _, n := range natures {
		want := map[target]int{aDirector: 3, aServer: 6, everyDirector: 1}[n.of]
		if len(seen[n.kind]) != want {
			t.Errorf("%s happened to %v", n.kind, seen[n.kind])
		}
	}
}

func TestEpisodesDoNotCollide(t *testing.T) {
	for seed := range uint64(50) {
		all := NewWorld(seed).Schedule(minutes)
		for i, f := range all {
			for _, g := range all[:i] {
				if f.Target != "" && f.Target == g.Target && f.At < g.End() {
					t.Errorf("seed %d: %v and %v at once", seed, f, g)
				}
			}
		}
	}
}

func TestVariants(t *testing.T) {
	w := NewWorld(5)
	if v := w.NewVariant(0); len(v) != 6 {
		t.Errorf("at first there are %v", v)
	}
	dropped := false
	for n := range 20 {
		v := w.NewVariant(n)
		for _, a := range w.Anchors {
			if v[a] == 0 {
				t.Errorf("variant %d has no %s: %v", n, a, v)
			}
		}
		dropped = dropped || len(v) < 6
	}
	if !dropped {
		t.Error("no variant is without a server")
	}
}
