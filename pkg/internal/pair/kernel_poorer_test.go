//go:build kernel

package pair

import (
	"os"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Scenario 22 of the peers: the other director has no name service, so a switchover to it is refused and tells what is missing; no
// address moves. Who knows better says so.
func TestKernelPoorerDirector(t *testing.T) {
	t.Parallel()
	p := lab.NewNATPair(t)
	a, b := NewDirector(t, p.Directors[0], IPVSD, bin), NewDirector(t, p.Directors[1], IPVSD, bin)
	setup := Scenario1(true, 2, "1")
	acquainted(t, a, b)
	text, err := os.ReadFile(b.Path("conf"))
	if err != nil || strings.Count(string(text), lab.DNSVIP.String()) != 1 {
		t.Fatalf("%v: want the name service once in\n%s", err, text)
	}
	b.WriteText(strings.ReplaceAll(string(text), lab.DNSVIP.String(), "192.168.1.200:5353"))
	a.Start()
	b.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Query(); return err })

	const missing = "! udp 192.168.1.200:53: service: configured here, - there"
	if out, err := a.Ctl("diff", "other"); err == nil || !strings.Contains(out, missing) {
		t.Errorf("diff: %v\n%s", err, out)
	}
	if _, err := a.Ctl("switchover", "VG1"); err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("switchover: %v", err)
	}
	for d, has := range map[*Director]bool{a: true, b: false} {
		if err := d.Holds(setup, has); err != nil {
			t.Errorf("after a refused switchover: %v", err)
		}
	}
	if out, err := a.Ctl("switchover", "VG1", "--force"); err != nil {
		t.Errorf("switchover --force: %v\n%s", err, out)
	}
	WaitActive(t, setup, b, a)
}
