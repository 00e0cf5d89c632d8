//go:build kernel

package pair

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

var (
	handovers = flag.Int("handovers", 4, "how many times TestKernelHandovers hands over")
	crowd     = flag.Bool("crowd", false, "TestKernelHandovers has ab -c 100 go on besides")
)

// pairOf starts the directors of scenario 1.
func pairOf(t *testing.T, more string) (p *lab.NATPair, setup Setup, a, b *Director) {
	t.Helper()
	p = lab.NewNATPair(t)
	a, b = NewDirector(t, p.Directors[0], IPVSD, bin), NewDirector(t, p.Directors[1], IPVSD, bin)
	setup = Scenario1(true, 2, "1")
	a.WriteText(setup.IPVSD() + more)
	b.WriteText(Scenario1(false, 2, "1").IPVSD() + more)
	a.Start()
	b.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Query(); return err })
	return p, setup, a, b
}

// loads are HTTP clients, and DNS clients that ask a second time if they must.
func loads(p *lab.NATPair) []*lab.Load {
	return []*lab.Load{lab.StartLoad(func() (string, error) { a, err := p.Get(); return a.Server, err }), lab.StartLoad(p.Resolve)}
}

// more waits until so many requests more have been sent.
func more(t *testing.T, n int, loads ...*lab.Load) {
	t.Helper()
	for _, l := range loads {
		l.Mark()
	}
	for _, l := range loads {
		lab.WaitFor(t, patience, "more requests", func() error { return l.After(n) })
	}
}

// noneFailed ends loads, of which no request may have failed.
func noneFailed(t *testing.T, what string, loads ...*lab.Load) (sent int) {
	t.Helper()
	for _, l := range loads {
		seen := l.Stop()
		if seen.Failed > 0 {
			t.Errorf("%s: %d of %d requests failed, the last one: %v", what, seen.Failed, seen.Sent, l.Failure())
		}
		sent += seen.Sent
	}
	return sent
}

func switchover(t *testing.T, from *Director) {
	t.Helper()
	if out, err := from.Ctl("switchover", "VG1"); err != nil {
		t.Fatalf("switchover: %v\n%s", err, out)
	}
}

// TestKernelHandovers: no request fails while the addresses go from one director to the other and back, as often as the flag says: by
// ipvsctl switchover, a clean stop, and the return of the director with the higher priority, in turns. A connection that is opened just
// before survives, one that lasts and says nothing, too.
func TestKernelHandovers(t *testing.T) {
	p, setup, a, b := pairOf(t, sshService)
	for _, s := range p.Web {
		serveFlows(t, s.Host)
	}
	if *crowd {
		ab := p.Client.Start("sh", "-c", "while :; do ab -q -r -c 100 -n 100000 http://"+lab.WebVIP.String()+"/; done")
		defer ab.Kill()
	}
	lasting := dialFlow(t, p.Client, "192.168.1.201:22")
	sent := 0
	for i := range *handovers {
		from, to, act, what := a, b, func() { switchover(t, a) }, "switchover"
		switch i % 4 {
		case 1:
			from, to, act, what = b, a, func() { switchover(t, b) }, "switchover back"
		case 2:
			act, what = a.Stop, "clean stop"
		case 3:
			from, to, act, what = b, a, a.Start, "return"
		}
		all := loads(p)
		more(t, 20, all...)
		fresh := dialFlow(t, p.Client, "192.168.1.201:22")
		act()
		WaitActive(t, setup, to, from)
		fresh.key()
		lasting.key()
		more(t, 50, all...)
		sent += noneFailed(t, what, all...)
		_ = fresh.conn.Close()
	}
	t.Logf("%d handovers, %d requests, none failed: %v", *handovers, sent, !t.Failed())
}

// TestKernelSilence: a director that takes over from one that is alive is silent for connections that it does not know, which is by
// sockets that listen. They go by themselves, and with a daemon that is killed.
func TestKernelSilence(t *testing.T) {
	_, setup, a, b := pairOf(t, "")
	silent := func(d *Director, want bool) {
		t.Helper()
		lab.WaitFor(t, patience, fmt.Sprintf("silence of %s: %v", d.Name, want), func() error {
			out, err := d.Output("ss", "-Hltn", "src", lab.WebVIP.String())
			if err == nil && strings.Contains(out, lab.WebVIP.String()) != want {
				err = fmt.Errorf("ss says %q", out)
			}
			return err
		})
	}
	silent(a, false) // nobody was there to take over from
	switchover(t, a)
	silent(b, true)
	WaitActive(t, setup, b, a)
	silent(b, false)
	switchover(t, b)
	silent(a, true)
	a.Crash()
	silent(a, false)
	lab.WaitFor(t, patience, "all addresses on the other one", func() error { return b.Holds(setup, true) })
	silent(b, false) // it takes over from nobody
	a.Start()
	WaitActive(t, setup, a, b)
	silent(a, false)
	silent(b, false)
}
