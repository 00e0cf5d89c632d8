package ipvsd

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// IPVSCtl is the path of the program.
func IPVSCtl() string { return filepath.Join(filepath.Dir(Program), "ipvsctl") }

// CtlCommand returns the command line of ipvsctl where no daemon runs.
func CtlCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), IPVSCtl(), append([]string{"--socket", filepath.Join(t.TempDir(), "none")}, args...)...)
}

// RunCtl runs ipvsctl on a host without a daemon.
func RunCtl(t *testing.T, h *lab.Host, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := CtlCommand(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := h.Do(cmd.Run); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// GoodCtl is RunCtl that has to succeed without a word on standard error.
func GoodCtl(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	code, stdout, stderr := RunCtl(t, h, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("ipvsctl %q: exit code %d\n%s", args, code, stderr)
	}
	return stdout
}

// CtlLine returns the command line of ipvsctl for this daemon.
func (d *Daemon) CtlLine(args ...string) []string {
	return append([]string{filepath.Join(filepath.Dir(Program), "ipvsctl"), "--socket", d.Path("socket")}, args...)
}

// Ctl runs ipvsctl on the director, and returns what it prints.
func (d *Daemon) Ctl(args ...string) string {
	d.t.Helper()
	return d.host.Run(d.CtlLine(args...)...)
}
