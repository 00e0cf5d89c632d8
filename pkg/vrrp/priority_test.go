package vrrp

import "testing"

func TestContribution(t *testing.T) {
	up, down, unknown := Reading{Known: true, Up: true}, Reading{Known: true}, Reading{}
	value := func(v int) Reading { return Reading{Known: true, Value: v} }
	for _, c := range []struct {
		name    string
		kind    ObjectKind
		weight  int
		reverse bool
		reading Reading
		adds    int
		fault   bool
	}{
		{"positive, well", TrackScript, 20, false, up, 20, false},
		{"positive, failing", TrackScript, 20, false, down, 0, false},
		{"positive in reverse, well", TrackScript, 20, true, up, -20, false},
		{"positive in reverse, failing", TrackScript, 20, true, down, 0, false},
		{"negative, well", TrackScript, -20, false, up, 0, false},
		{"negative, failing", TrackScript, -20, false, down, -20, false},
		{"negative in reverse, well", TrackScript, -20, true, up, 0, false},
		{"negative in reverse, failing", TrackScript, -20, true, down, 20, false},
		{"none, well", TrackInterface, 0, false, up, 0, false},
		{"none, failing", TrackInterface, 0, false, down, 0, true},
		{"none in reverse, well", TrackBFD, 0, true, up, 0, true},
		{"none in reverse, failing", TrackBFD, 0, true, down, 0, false},
		{"unknown with a weight", TrackScript, 20, false, unknown, 0, false},
		{"unknown with a negative weight", TrackScript, -20, false, unknown, 0, false},
		{"unknown without a weight", TrackScript, 0, false, unknown, 0, false},
		{"file", TrackFile, 2, false, value(30), 60, false},
		{"file in reverse", TrackFile, 2, true, value(30), -60, false},
		{"file with a negative number", TrackFile, 2, false, value(-30), -60, false},
		{"file just above a fault", TrackFile, 1, false, value(-253), -253, false},
		{"file at fault", TrackFile, 1, false, value(-254), 0, true},
		{"file at fault in reverse", TrackFile, 2, true, value(127), 0, true},
		{"file beyond the bound", TrackFile, 10, false, value(100), 253, false},
		{"file with a huge number", TrackFile, 254, false, value(1 << 62), 253, false},
		{"file with a huge negative number", TrackFile, 254, false, value(-1 << 62), 0, true},
		{"file without a weight, zero", TrackFile, 0, false, value(0), 0, false},
		{"file without a weight, not zero", TrackFile, 0, false, value(1), 0, true},
		{"file without a weight in reverse, zero", TrackFile, 0, true, value(0), 0, true},
		{"file without a weight in reverse, not zero", TrackFile, 0, true, value(1), 0, false},
		{"file not read", TrackFile, 2, false, unknown, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			track := Track{Object: Object{c.kind, "it"}, Weight: c.weight, Reverse: c.reverse}
			got := contribution(track, c.reading, true)
			if got.Adds != c.adds || got.Fault != c.fault {
				t.Errorf("adds %d, fault %v instead of %d, %v", got.Adds, got.Fault, c.adds, c.fault)
			}
			if got := contribution(track, c.reading, false); c.weight != 0 && (got.Adds != 0 || got.Fault) {
				t.Errorf("with a weight that has no effect it adds %d, fault %v", got.Adds, got.Fault)
			}
		})
	}
}

func TestEffectivePriority(t *testing.T) {
	for _, c := range []struct {
		base uint8
		adds []int
		want uint8
	}{
		{100, nil, 100},
		{100, []int{20, -50}, 70},
		{100, []int{-200}, 1},
		{100, []int{200}, 254},
		{100, []int{-253, 253, 10}, 110}, // only the total is brought into bounds
		{100, []int{253, 253, -400}, 206},
		{1, []int{-1}, 1},
		{254, []int{1}, 254},
		{255, []int{-100}, 255},
	} {
		var contribs []Contribution
		for _, a := range c.adds {
			contribs = append(contribs, Contribution{Adds: a})
		}
		if got := EffectivePriority(c.base, contribs); got != c.want {
			t.Errorf("%d and %v are %d instead of %d", c.base, c.adds, got, c.want)
		}
	}
}
