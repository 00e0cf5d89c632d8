//go:build kernel

package pair

import (
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// TestKernelResume: the active director is killed and started again at once, under load. No request fails, the other one does not take over, and no
// address leaves the host. If it is started only when the other one is active, it begins as a backup, and preempts.
func TestKernelResume(t *testing.T) {
	p, setup, a, b := pairOf(t, "")
	monitor := a.Host.Start("ip", "monitor", "address")
	t.Cleanup(func() { monitor.Kill() })
	all := loads(p)
	more(t, 20, all...)
	a.Crash()
	a.Start()
	a.Process.WaitLog(patience, `msg="went on as MASTER" instance=VI_I`)
	more(t, 50, all...)
	noneFailed(t, "a restart after kill -9", all...)
	if err := HeldBy(setup, a, b); err != nil {
		t.Error(err)
	}
	log := a.Process.Log()
	if !strings.Contains(log, `msg="went on as MASTER" instance=VI_E`) || strings.Contains(log, "to=BACKUP") {
		t.Errorf("the director that was killed:\n%s", log)
	}
	if strings.Contains(b.Process.Log(), "to=MASTER") {
		t.Errorf("the other one has taken over:\n%s", b.Process.Log())
	}
	if heard := monitor.Log(); strings.Contains(heard, "Deleted") {
		t.Errorf("addresses were removed:\n%s", heard)
	}

	a.Crash()
	lab.WaitFor(t, patience, "all addresses on the other one", func() error { return b.Holds(setup, true) })
	a.Start()
	WaitActive(t, setup, a, b)
	if log := a.Process.Log(); strings.Contains(log, "went on") || !strings.Contains(log, "from=INIT to=BACKUP") || !strings.Contains(log, "from=BACKUP to=MASTER") {
		t.Errorf("the director that came too late:\n%s", log)
	}
}
