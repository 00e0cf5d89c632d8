package vipnl

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// What an earlier process has left stays while its owner is undecided, without a word to anybody, and nothing is added. Then it is adopted, or goes
// at once. What no undecided owner has goes as ever.
func TestKeeperUndecided(t *testing.T) {
	for _, c := range []struct {
		name string
		next bool // the next wish has it
		want []string
	}{
		{"adopted", true, []string{"1m0s deny [10.0.0.1 10.0.0.2]: <nil>", "1m0s add 10.0.0.2/24 on 2: <nil>", "1m0s VI: 2 places, 2 fresh"}},
		{"given up", false, []string{"1m0s remove 10.0.0.1/24 on 2: <nil>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory("lo", "e0")
				leave(t, m, "10.0.0.1/24 dev e0", "10.0.0.7/24 dev e0")
				keep(t, m, func(k *Keeper, expect func(string, ...string)) {
					active := wishOf(t, "VI", true, "10.0.0.1/24 dev e0", "10.0.0.2/24 dev e0")
					other := wishOf(t, "other", false, "10.0.0.7/24 dev e0")
					k.Change(Setup{Universe: []vip.Wish{active, other}})
					k.Wish(vip.Wish{Owner: "VI", Undecided: true})
					k.Wish(vip.Wish{Owner: "other"})
					time.Sleep(time.Minute)
					synctest.Wait()
					expect("undecided", "0s pacing of 0", "0s 0 links: <nil>", "50ms remove 10.0.0.7/24 on 2: <nil>")
					next := vip.Wish{Owner: "VI"}
					if c.next {
						next = active
					}
					k.Wish(next)
					expect(c.name, c.want...)
				})
			})
		})
	}
}

// leave is what a process did that was killed.
func leave(t *testing.T, m *memory, lines ...string) {
	var now tables
	if err := now.load(m); err != nil {
		t.Fatal(err)
	}
	for _, a := range wishOf(t, "", false, lines...).Addresses {
		made, err := placedAddress{a}.add(&now, absent)
		if err != nil {
			t.Fatal(err)
		}
		m.set(made[0])
	}
}
