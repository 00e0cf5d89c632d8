//go:build kernel

package pair

import (
	"errors"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// TestKernelResume: the active director is killed and started again at once, under load. No request fails, the other one does not take over, no
// address leaves the host and no sync daemon stops. If it is started only when the other one is active, it begins as a backup, gives up the
// addresses that are there still as soon as it hears that one, and preempts.
func TestKernelResume(t *testing.T) {
	p, setup, a, b := pairOf(t, "")
	for try := 1; !goesOn(t, p, setup, a, b); try++ {
		if try == 5 {
			t.Fatalf("it has never gone on:\n%s", a.Process.Log())
		}
		WaitActive(t, setup, a, b)
	}

	a.Crash()
	lab.WaitFor(t, patience, "all addresses on the other one", func() error { return b.Holds(setup, true) })
	monitor := a.Host.Start("ip", "-o", "monitor", "address")
	a.Start()
	WaitActive(t, setup, a, b)
	log := a.Process.Log()
	if heard := monitor.Log(); !strings.Contains(log, "were left here") || !strings.Contains(heard, "Deleted") {
		t.Errorf("the addresses that were left:\n%s%s", log, heard)
	}
	if strings.Contains(log, "went on") || !strings.Contains(log, "from=INIT to=BACKUP") || !strings.Contains(log, "from=BACKUP to=MASTER") {
		t.Errorf("the director that came too late:\n%s", log)
	}
}

// goesOn kills a director and starts it again. False: the machine stood still for so long that it came too late, and began as a backup.
func goesOn(t *testing.T, p *lab.NATPair, setup Setup, a, b *Director) bool {
	t.Helper()
	monitor := a.Host.Start("ip", "monitor", "address")
	defer monitor.Kill()
	took := strings.Count(b.Process.Log(), "to=MASTER")
	all := loads(p)
	more(t, 20, all...)
	a.Crash()
	a.Start()
	lab.WaitFor(t, patience, "a role", func() error {
		if log := a.Process.Log(); !strings.Contains(log, `msg="went on as MASTER" instance=VI_I`) && !strings.Contains(log, "to=BACKUP") {
			return errors.New("it has none")
		}
		return nil
	})
	more(t, 50, all...)
	log := a.Process.Log()
	if strings.Contains(log, "to=BACKUP") {
		for _, l := range all {
			l.Stop()
		}
		t.Log("it came too late")
		return false
	}
	noneFailed(t, "a restart after kill -9", all...)
	if err := HeldBy(setup, a, b); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"VI_E", "VI_I"} {
		if n := strings.Count(log, `msg="went on as MASTER" instance=`+name); n != 1 {
			t.Errorf("%s went on %d times:\n%s", name, n, log)
		}
	}
	if strings.Contains(log, "sync daemon") {
		t.Errorf("a sync daemon was stopped or started:\n%s", log)
	}
	if strings.Count(b.Process.Log(), "to=MASTER") > took {
		t.Errorf("the other one has taken over:\n%s", b.Process.Log())
	}
	if heard := monitor.Log(); strings.Contains(heard, "Deleted") {
		t.Errorf("addresses were removed:\n%s", heard)
	}
	return true
}
