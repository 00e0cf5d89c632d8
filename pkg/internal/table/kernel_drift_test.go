//go:build kernel

package table

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// What others do to our services is undone, counted and logged.
func TestKernelDriftIsRepaired(t *testing.T) {
	director := lab.NewHost(t, "director")
	d := ipvsd.Start(t, director, ipvsd.Unchecked)
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable)
	drift := uint64(0)
	for _, step := range []struct {
		command string
		repairs uint64
		log     string
	}{
		{"-d -t 192.0.2.1:80 -r 198.51.100.2:80", 1, "add server 198.51.100.2:80"},
		{"-e -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1", 1, "weight 1 -> weight 3"},
		{"-e -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 3", 1, "DR -> NAT"},
		{"-E -t 192.0.2.1:80 -s rr -p 60", 1, "rr, persistent 1m0s -> wrr"},
		{"-D -t 192.0.2.1:80", 3, "add service tcp 192.0.2.1:80"},
		{"-C", 5, "add service udp 192.0.2.1:53"},
	} {
		director.Run(append([]string{"ipvsadm"}, strings.Fields(step.command)...)...)
		drift += step.repairs
		lab.WaitFor(t, ipvsd.Patience, "the repair after ipvsadm "+step.command, func() error {
			got, err := ipvsd.Saved(director)
			if err == nil && got != ipvsd.Trim(ipvsd.UncheckedTable) {
				err = fmt.Errorf("the table is\n%s", got)
			}
			return err
		})
		if s := d.Snapshot().Table; s.Drift != drift {
			t.Errorf("after ipvsadm %s: drift %d, want %d", step.command, s.Drift, drift)
		}
		if log := d.Process.Log(); !strings.Contains(log, step.log) {
			t.Errorf("after ipvsadm %s there is no %q in the log:\n%s", step.command, step.log, log)
		}
	}
	if a := d.Planned(); len(a.Changes) > 0 {
		t.Errorf("the plan afterwards: %q", a.Changes)
	}
}

// byDefault is how many sysctls are set that no configuration mentions.
const byDefault = 2

// Scenario 19 of the peers: what others add stays, and is reported.
func TestKernelForeignStays(t *testing.T) {
	director := lab.NewHost(t, "director")
	ipvsd.Fill(director, `
-A -t 192.0.2.9:80 -s lc
-a -t 192.0.2.9:80 -r 198.51.100.9:80 -g -w 9`)
	d := ipvsd.Start(t, director, ipvsd.Unchecked)
	ipvsd.Fill(director, `
-a -t 192.0.2.1:80 -r 198.51.100.77:80 -m -w 7
-A -f 5 -s sh`)
	const table = `
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 3
-a -t 192.0.2.1:80 -r 198.51.100.77:80 -m -w 7
-A -t 192.0.2.9:80 -s lc
-a -t 192.0.2.9:80 -r 198.51.100.9:80 -g -w 9
-A -u 192.0.2.1:53 -s rr
-a -u 192.0.2.1:53 -r 198.51.100.1:53 -m -w 1
-A -f 5 -s sh
`
	check := func(when, table string, changes uint64, foreign ...string) {
		t.Helper()
		d.Snapshot() // a round
		if got, err := ipvsd.Saved(director); got != ipvsd.Trim(table) {
			t.Errorf("%s the table is\n%s\n%v", when, got, err)
		}
		s := d.Snapshot().Table
		slices.Sort(s.Foreign)
		slices.Sort(foreign)
		if !slices.Equal(s.Foreign, foreign) || s.Changes != changes || s.Drift != 0 {
			t.Errorf("%s: foreign %q, %d changes, drift %d; want %q, %d and none",
				when, s.Foreign, s.Changes, s.Drift, foreign, changes)
		}
	}
	all := []string{"198.51.100.77:80 of tcp 192.0.2.1:80", "tcp 192.0.2.9:80", "fwmark 5"}
	check("after the start", table, 5+byDefault, all...)
	if a := d.Load(strings.ReplaceAll(ipvsd.Unchecked, "weight = 3", "weight = 4")); len(a.Changes) != 2 {
		t.Errorf("the reload changed %q, want the weights of two servers", a.Changes)
	}
	check("after a reload", strings.ReplaceAll(table, "-w 3", "-w 4"), 7+byDefault, all...)
	d.Kill()
	d.Start()
	check("after SIGKILL and a start", strings.ReplaceAll(table, "-w 3", "-w 4"), 0, all...)

	// At the end ours go, if that is configured; a service of ours goes with all that is in it.
	d.Load("global_defs.lvs_flush_on_stop = true\n" + ipvsd.Unchecked)
	d.Stop()
	const rest = `
-A -t 192.0.2.9:80 -s lc
-a -t 192.0.2.9:80 -r 198.51.100.9:80 -g -w 9
-A -f 5 -s sh
`
	if got, err := ipvsd.Saved(director); got != ipvsd.Trim(rest) {
		t.Errorf("after the stop with lvs_flush_on_stop the table is\n%s\n%v", got, err)
	}
}

// Scenario 18 of the peers, as far as a real kernel can be made to: the table changes while it is read, all the time.
func TestKernelTableChangesWhileRead(t *testing.T) {
	director := lab.NewHost(t, "director")
	d := ipvsd.Start(t, director, ipvsd.Unchecked)
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable)
	// Somebody else's services come and go, before and after ours in the kernel's hash table.
	var others, none strings.Builder
	for i := range 50 {
		fmt.Fprintf(&others, "-A -t 203.0.113.%d:80 -s rr\n-a -t 203.0.113.%d:80 -r 198.51.100.1:80 -m\n", i, i)
		fmt.Fprintf(&none, "-D -t 203.0.113.%d:80\n", i)
	}
	var swaps atomic.Int32
	stop := ipvsd.Until(t.Context(), func() {
		for _, commands := range []*strings.Builder{&others, &none} {
			if _, err := director.Output("sh", "-c", "printf '"+commands.String()+"' | ipvsadm -R"); err != nil {
				t.Errorf("somebody else's services: %v", err)
			}
		}
		swaps.Add(1)
	})
	defer stop()
	rounds := 0
	for ; swaps.Load() < 20; rounds++ {
		s, err := d.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Table.Error != "" && !strings.Contains(s.Table.Error, "the table changed meanwhile") {
			t.Fatalf("round %d: %s", rounds, s.Table.Error)
		}
		if s.Table.Changes != 5+byDefault || s.Table.Drift != 0 {
			t.Fatalf("round %d: %d changes, drift %d, although nobody touched ours", rounds, s.Table.Changes, s.Table.Drift)
		}
	}
	stop()
	t.Logf("%d rounds while 50 services came and went %d times", rounds, swaps.Load())
	if s := d.Snapshot().Table; s.Error != "" {
		t.Errorf("when it is quiet again: %s", s.Error)
	}
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable)
}

// Scenario 26 of the peers: of two in one namespace the second ends at once, and says why.
func TestKernelSecondInNamespace(t *testing.T) {
	director, other := lab.NewHost(t, "director"), lab.NewHost(t, "other")
	first := ipvsd.Start(t, director, ipvsd.Unchecked)
	second := ipvsd.New(t, director, "")
	refused := func(h *lab.Host, why string, args ...string) {
		t.Helper()
		_, err := h.Output(second.Command(args...)...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != ipvsd.ExitRunning {
			t.Fatalf("the second one: %v, want exit code %d", err, ipvsd.ExitRunning)
		}
		if !strings.Contains(err.Error(), "another ipvsd is running "+why) {
			t.Errorf("the second one: %v, want it to say %q", err, why)
		}
	}
	process := fmt.Sprintf(", as process %d", first.Process.PID())
	refused(director, "in this network namespace"+process)
	refused(other, "on the socket "+first.Path("socket")+process, "--socket", first.Path("socket"))
	refused(other, "with the state directory "+first.Path("state"), "--state-dir", first.Path("state"))
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable)
	first.Snapshot()

	third := ipvsd.Start(t, other, ipvsd.Unchecked)
	ipvsd.WaitSaved(t, other, ipvsd.UncheckedTable)
	third.Stop()

	// The lock lives as long as the process, however it ends.
	first.Kill()
	second.Write(strings.ReplaceAll(ipvsd.Unchecked, "weight = 3", "weight = 8"))
	second.Start()
	ipvsd.WaitSaved(t, director, strings.ReplaceAll(ipvsd.UncheckedTable, "-w 3", "-w 8"))
}
