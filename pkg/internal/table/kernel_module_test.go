//go:build kernel

package table

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const modprobe = "/proc/sys/kernel/modprobe" // the program that the kernel has load modules

// takeModule removes ip_vs from the kernel, and keeps the kernel from loading it again until the returned function is
// called. No table may have a service.
func takeModule(t *testing.T) (giveBack func()) {
	t.Helper()
	program, err := os.ReadFile(modprobe)
	if err != nil {
		t.Fatal(err)
	}
	set := func(text string) {
		t.Helper()
		if err := os.WriteFile(modprobe, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	giveBack = func() { set(string(program)) }
	set("/bin/false")
	t.Cleanup(giveBack)
	lab.WaitFor(t, ipvsd.Patience, "the module to go", func() error {
		users, err := filepath.Glob("/sys/module/ip_vs/holders/*")
		if err != nil {
			return err
		}
		for _, path := range append(users, "ip_vs") {
			// In use as long as there is a namespace on its way out.
			if out, err := exec.Command("rmmod", filepath.Base(path)).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		return nil
	})
	return giveBack
}

// Scenario 17 of the peers: a module that is missing, at the start or later, is an error that says so and heals.
func TestKernelModuleComesAndGoes(t *testing.T) {
	if os.Getenv("IPVSD_LAB") == "host" {
		inKernelOfItsOwn(t)
		return
	}
	director := lab.NewHost(t, "director")
	d := ipvsd.New(t, director, ipvsd.Unchecked)
	says := func(when string) {
		t.Helper()
		d.WaitStatus(when, func(s *status.Snapshot) error {
			if want := "this kernel has no IPVS: load the module with modprobe ip_vs"; !strings.Contains(s.Table.Error, want) {
				return fmt.Errorf("the table's error is %q, want %q", s.Table.Error, want)
			}
			return nil
		})
	}

	giveBack := takeModule(t)
	d.Start()
	says("after a start without the module")
	giveBack()
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable) // ipvsadm has the kernel load the module, if the daemon has not
	d.WaitStatus("the error to go", func(s *status.Snapshot) error {
		if s.Table.Error != "" {
			return errors.New(s.Table.Error)
		}
		return nil
	})

	d.Process.Signal(syscall.SIGSTOP)
	director.Run("ipvsadm", "-C")
	giveBack = takeModule(t)
	d.Process.Signal(syscall.SIGCONT)
	says("after the module was taken away")
	giveBack()
	d.WaitStatus("the daemon to go on by itself", func(s *status.Snapshot) error {
		if s.Table.Error != "" {
			return errors.New(s.Table.Error)
		}
		return nil
	})
	ipvsd.WaitSaved(t, director, ipvsd.UncheckedTable)
	for _, text := range []string{
		"level=ERROR msg=\"the kernel's table can't be kept\"", "the kernel's table can be kept again",
	} {
		if n := strings.Count(d.Process.Log(), text); n != 2 {
			t.Errorf("%q is in the log %d times, want twice", text, n)
		}
	}
}

// inKernelOfItsOwn runs the test in User Mode Linux: this kernel's module serves others, too.
func inKernelOfItsOwn(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("../../../scripts/lab", "--uml", self, "-test.v", "-test.run", "^"+t.Name()+"$").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
}
