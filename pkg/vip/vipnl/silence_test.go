package vipnl

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

func (m *memory) Silence(at []netip.AddrPort) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("silent at %v: %v", at, m.broken)
	return m.broken
}

// The host is silent before it has the address, for as long as that is wished. What fails is tried again, and keeps no address away.
func TestKeeperSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			k.Silencer = m
			active := wishOf(t, "VI", false, "10.0.0.1/24 dev e0")
			silent := active
			silent.Silent = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}
			k.Wish(silent)
			expect("at first", "0s silent at [10.0.0.1:80]: <nil>", "0s add 10.0.0.1/24 on 2: <nil>", "0s VI: 1 places, 1 fresh")
			k.Wish(silent)
			expect("again")
			k.Wish(active)
			expect("no more", "0s silent at []: <nil>")
			k.Wish(vip.Wish{Owner: "VI"})
			expect("gone", "0s VI: 0 places, 0 fresh", "0s remove 10.0.0.1/24 on 2: <nil>")
			m.mu.Lock()
			m.broken = errors.New("too many open files")
			m.mu.Unlock()
			k.Wish(silent)
			expect("broken", "0s silent at [10.0.0.1:80]: too many open files", "0s failed : silence too many open files 0",
				"0s add 10.0.0.1/24 on 2: <nil>", "0s VI: 1 places, 1 fresh")
			m.mu.Lock()
			m.broken = nil
			m.mu.Unlock()
			<-time.After(firstRetry)
			expect("tried again", "100ms silent at [10.0.0.1:80]: <nil>", "100ms settled : silence <nil> 0")
		})
	})
}

// Who asks hears when something was done about an owner's addresses: after they are there, even if there is nothing to announce.
func TestKeeperPlaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("lo", "e0")
		keep(t, m, func(k *Keeper, expect func(string, ...string)) {
			k.Placed = func(owner string) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.note("placed %s", owner)
			}
			k.Wish(wishOf(t, "VI", false, "10.0.0.1/24 dev e0"))
			expect("addresses", "0s add 10.0.0.1/24 on 2: <nil>", "0s VI: 1 places, 1 fresh", "0s placed VI")
			k.Wish(wishOf(t, "none", false))
			expect("no addresses", "0s none: 0 places, 0 fresh", "0s placed none")
		})
	})
}
