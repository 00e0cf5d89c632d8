//go:build kernel

package pair

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var upgrades = flag.Int("upgrades", 3, "how many times TestKernelUpgrade upgrades")

// known is what a daemon says of itself.
type known struct {
	PID    int
	checks map[string]checked
}

type checked struct {
	State  string
	Since  time.Time
	Probes uint64
	Past   int // results in its history
}

// knows asks a daemon.
func knows(t *testing.T, d *Director) (k known) {
	t.Helper()
	c := control.NewClient(d.Path("socket"))
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Checks(t.Context(), status.CheckQuery{}, true)
	if err != nil {
		t.Fatal(err)
	}
	k.PID, k.checks = s.PID, make(map[string]checked)
	for _, one := range list.Checks {
		k.checks[one.Type+" "+one.Target.String()] = checked{one.State.String(), one.Since, one.Probes, len(one.History)}
	}
	return k
}

// goesOn fails the test unless the verdicts of one process are those of another one that came later.
func (k known) goesOn(t *testing.T, next known) {
	t.Helper()
	if len(k.checks) == 0 || len(next.checks) != len(k.checks) {
		t.Errorf("%d checks, then %d", len(k.checks), len(next.checks))
	}
	for name, was := range k.checks {
		is := next.checks[name]
		if is.State != was.State || is.Since.Sub(was.Since).Abs() > time.Second || is.Probes < was.Probes || is.Past < was.Past {
			t.Errorf("%s is %+v, was %+v", name, is, was)
		}
	}
}

// ownPrograms gives a director programs of its own, which can be replaced.
func ownPrograms(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"ipvsd", "ipvsctl"} {
		if err := os.Symlink(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open counts the file descriptors of a process.
func open(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestKernelUpgrade: the active director is upgraded in place under load, several times. No request fails, the other one hears no reason to
// take over, and the verdicts go on. A server that died meanwhile is out soon; and programs that can't take over leave the old one as it was.
func TestKernelUpgrade(t *testing.T) {
	p, setup, a, b := pairOf(t, "")
	capture := lab.NewCapture(p.Client, "eth0", "vrrp")
	lab.WaitFor(t, patience, "all checks", func() error {
		for name, c := range knows(t, a).checks {
			if c.Past < 2 {
				return fmt.Errorf("%s has run %d times", name, c.Past)
			}
		}
		return nil
	})
	all := loads(p)
	first := 0
	for i := range *upgrades {
		more(t, 20, all...)
		before := knows(t, a)
		out, err := a.Ctl("upgrade")
		if err != nil {
			t.Fatalf("upgrade: %v\n%s\n%s", err, out, a.Process.Log())
		}
		t.Log(strings.TrimSpace(out))
		after := knows(t, a)
		if after.PID == before.PID {
			t.Fatal("it is the same process")
		}
		before.goesOn(t, after)
		more(t, 50, all...)
		lab.WaitFor(t, patience, "the end of the old process", func() error {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/fd/0", before.PID)); err == nil {
				return errors.New("it is there")
			}
			return nil
		})
		n := open(t, after.PID)
		if i == 0 {
			first = n
		}
		if n > first+8 { // connections of clients, probes
			t.Errorf("after %d upgrades %d descriptors are open, and %d after the first", i+1, n, first)
		}
	}
	sent := noneFailed(t, "upgrades", all...)
	if err := HeldBy(setup, a, b); err != nil {
		t.Error(err)
	}
	if strings.Count(b.Process.Log(), "to=MASTER") > 0 {
		t.Errorf("the other director has taken over:\n%s", b.Process.Log())
	}
	for _, packet := range capture.Stop() {
		if !strings.Contains(packet, "192.168.1.101 > ") || !strings.Contains(packet, "prio 150") {
			t.Errorf("on the wire: %s", packet)
		}
	}
	t.Logf("%d upgrades, %d requests", *upgrades, sent)
}

// TestKernelUpgradeRefused: programs that can't take over leave the old process as it was, which says why, and go on to serve and to be active.
func TestKernelUpgradeRefused(t *testing.T) {
	p := lab.NewNATPair(t)
	dir := ownPrograms(t)
	a := NewDirector(t, p.Directors[0], IPVSD, dir)
	setup := Scenario1(true, 2, "1")
	a.WriteText(setup.IPVSD())
	a.Start()
	WaitActive(t, setup, a)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	before, all := knows(t, a), loads(p)
	descriptors := open(t, before.PID)
	program := filepath.Join(dir, "ipvsd")
	for _, c := range []struct {
		name, text, conf, want string
	}{
		{"not a program", "what?", "", "exec format error"},
		{"one that ends", "#!/bin/sh\nexit 7\n", "", "exit status 7"},
		{"one that says nonsense", "#!/bin/sh\necho hello >&3\nsleep 1\n", "", "could not prepare"},
		{"one that refuses the configuration", "", setup.IPVSD() + "\nfrob = 1\n", "frob"},
		{"one that was removed", "-", "", "no such file"},
	} {
		if c.text != "" {
			if err := os.Remove(program); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if c.text != "-" {
				if err := os.WriteFile(program, []byte(c.text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		if c.conf != "" {
			a.WriteText(c.conf)
			_ = os.Remove(program)
			if err := os.Symlink(filepath.Join(bin, "ipvsd"), program); err != nil {
				t.Fatal(err)
			}
		}
		out, err := a.Ctl("upgrade")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "goes on as it was") {
			t.Errorf("%s: %v %s, want %q", c.name, err, out, c.want)
		}
		after := knows(t, a)
		if after.PID != before.PID {
			t.Fatalf("%s: process %d goes on, was %d", c.name, after.PID, before.PID)
		}
		before.goesOn(t, after)
	}
	more(t, 20, all...)
	noneFailed(t, "refused upgrades", all...)
	if n := strings.Count(a.Process.Log(), "from=MASTER"); n > 0 {
		t.Errorf("the director has changed its role %d times", n)
	}
	if n := open(t, before.PID); n > descriptors+8 {
		t.Errorf("%d descriptors are open, were %d", n, descriptors)
	}
}
