package vipnl

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Where news was lost and the tables can't be read just now, nothing is done by half of them, and they are read again.
func TestKeeperTablesUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			k.Wish(wishOf(t, "VI", false, "10.0.0.1/24 dev e0"))
			synctest.Wait()
			m.mu.Lock()
			m.lost, m.unreadable = true, errors.New("the kernel's table changes all the time")
			m.there <- struct{}{}
			m.mu.Unlock()
			m.forget(false)
			k.Wish(wishOf(t, "VI", false))
			time.Sleep(10 * time.Second)
			expect("unreadable", "0s VI: 0 places, 0 fresh", "0s remove 10.0.0.1/24 on 2: <nil>")
			k.Wish(wishOf(t, "VI", false, "10.0.0.2/24 dev e0"))
			expect("still", "10s add 10.0.0.2/24 on 2: <nil>", "10s VI: 1 places, 1 fresh")
			m.mu.Lock()
			m.unreadable = nil
			clear(m.addrs)
			m.mu.Unlock()
			time.Sleep(10 * time.Second)
			expect("read", "11s add 10.0.0.2/24 on 2: <nil>", "11s put back VI: 10.0.0.2/24 dev e0 <nil> 1", "11s VI: 1 places, 1 fresh")
			k.Wish(wishOf(t, "VI", false, "10.0.0.1/24 dev e0"))
			time.Sleep(10 * time.Second)
			if n := m.count(); n != 1 {
				t.Errorf("%d addresses, not 1", n)
			}
			m.forget(false)
		})
	})
}
