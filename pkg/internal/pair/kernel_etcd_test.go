//go:build kernel

package pair

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Directors that know of each other by an etcd alone: a server that was drained on the active one is drained on the other one, and has no client
// after that one takes over from a director that was killed, nor when this one is back. That etcd stands still, and is gone, takes nothing away:
// not from a director that starts meanwhile, nor in a switchover.
func TestKernelWishesInEtcd(t *testing.T) {
	t.Parallel()
	p := lab.NewNATPair(t)
	at := netip.AddrPortFrom(p.Web[2].Addr.Addr(), 2379)
	peer := "http://127.0.0.1:2380"
	etcd := lab.NewServer(p.Web[2].Host, at, "etcd", "--data-dir", t.TempDir(), "--listen-client-urls", "http://0.0.0.0:2379",
		"--advertise-client-urls", "http://"+at.String(), "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	etcd.Start()
	a, b := NewDirector(t, p.Directors[0], IPVSD, bin), NewDirector(t, p.Directors[1], IPVSD, bin)
	setup := Scenario1(true, 2, "1")
	for i, d := range []*Director{a, b} {
		d.WriteText(Scenario1(i == 0, 2, "1").IPVSD() + fmt.Sprintf("[global_defs.wishes]\netcd = [%q]\n", "http://"+at.String()))
		d.Start()
	}
	WaitActive(t, setup, a, b)
	first := p.Web[0]
	// held waits until directors have the server as it is wanted, and know why.
	held := func(when, weight, reason string, directors ...*Director) {
		t.Helper()
		for _, d := range directors {
			lab.WaitFor(t, patience, when+" the server on "+d.Name, func() error {
				out, err := d.Ctl("drains")
				if row := d.row(first.Addr.String()); err != nil || !strings.HasPrefix(row, "Masq "+weight+" ") || !strings.Contains(out, reason) {
					return fmt.Errorf("the server is %q: %w\n%s", row, err, out)
				}
				return nil
			})
		}
	}
	// spared has a client ask until it has had all servers that it can have.
	spared := func(when string) {
		t.Helper()
		lab.WaitFor(t, patience, when+" an answer", func() error { _, err := p.Get(); return err })
		for range 6 {
			if answer, err := p.Get(); err != nil || answer.Server == first.Host.Name {
				t.Errorf("%s %s answers, which drains: %v", when, answer.Server, err)
			}
		}
	}
	held("at the start", "1", "", a, b)
	if out, err := a.Ctl("drain", first.Addr.String(), "--reason", "new disk"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	held("by way of etcd", "0", "new disk", b)
	spared("on the director that was told")

	a.Crash()
	lab.WaitFor(t, patience, "the other director to take over", func() error { return b.Holds(setup, true) })
	a.Start()
	held("after kill -9", "0", "new disk", a, b)
	WaitActive(t, setup, a, b)
	spared("after kill -9")

	etcd.Freeze()
	b.Crash()
	b.Start()
	held("while etcd stands still", "0", "new disk", a, b)
	etcd.Stop()
	switchover(t, a)
	WaitActive(t, setup, b, a)
	held("without etcd", "0", "new disk", a, b)
	spared("without etcd, after a switchover")
}
