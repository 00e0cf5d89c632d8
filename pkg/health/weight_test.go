package health_test

import (
	"math"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// The rows that say so are a server of weight 10 with two MISC_CHECK of misc_dynamic under keepalived 2.2.7 in the lab: with which
// status they exit (the weight is two less), and what ipvsadm -Ln shows then. Its quorum of 15, with another server of weight 10, was
// gained and lost as the sum of these weights says.
func TestAdvised(t *testing.T) {
	weigh := func(v int32) health.Advice { return health.Advice{Kind: health.Weigh, Value: v} }
	percent := func(v int32) health.Advice { return health.Advice{Kind: health.Percent, Value: v} }
	add := func(v int32) health.Advice { return health.Advice{Kind: health.Add, Value: v} }
	none := health.Advice{}
	for _, test := range []struct {
		name       string
		configured int32
		advice     []health.Advice
		want       int32
	}{
		{"no check", 7, nil, 7},
		{"keepalived: 0 and 0", 10, []health.Advice{none, none}, 10},
		{"keepalived: 5 and 0", 10, []health.Advice{weigh(3), none}, 3},
		{"keepalived: 5 and 22", 10, []health.Advice{weigh(3), weigh(20)}, 13},
		{"keepalived: 2 and 22", 10, []health.Advice{weigh(0), weigh(20)}, 10},
		{"keepalived: 2 and 2", 10, []health.Advice{weigh(0), weigh(0)}, 0},
		{"keepalived: 2 and 0", 10, []health.Advice{weigh(0), none}, 0},
		{"keepalived: 2 and 30", 10, []health.Advice{weigh(0), weigh(28)}, 18},
		{"keepalived: 2 and 255", 10, []health.Advice{weigh(0), weigh(253)}, 243},
		{"keepalived: 0 and 12", 10, []health.Advice{none, weigh(10)}, 10},
		{"keepalived: 0 and 7", 10, []health.Advice{none, weigh(5)}, 5},
		{"percent", 200, []health.Advice{percent(75)}, 150},
		{"percent, rounded up", 10, []health.Advice{percent(1)}, 1},
		{"percent of nothing", 0, []health.Advice{percent(100)}, 0},
		{"no percent", 10, []health.Advice{percent(0)}, 0},
		{"more than a hundred percent", 10, []health.Advice{percent(250)}, 25},
		{"two halves are nothing", 10, []health.Advice{percent(50), percent(50)}, 0},
		{"added", 10, []health.Advice{add(5), add(-3)}, 12},
		{"added and weighed", 10, []health.Advice{add(5), weigh(20)}, 25},
		{"never negative", 10, []health.Advice{add(-11)}, 0},
		{"never too large", math.MaxInt32, []health.Advice{percent(math.MaxInt32), percent(math.MaxInt32), add(math.MaxInt32)}, math.MaxInt32},
	} {
		if got := health.Advised(test.configured, test.advice...); got != test.want {
			t.Errorf("%s: %d; want %d", test.name, got, test.want)
		}
	}
}
