//go:build kernel

package daemon_test

import (
	"cmp"
	"context"
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

// patience is how long anything that is waited for may take: it is never what a test is about.
const patience = 2 * time.Minute

// The exit codes of ipvsd(8).
const (
	exitConfig  = 3
	exitRunning = 4
)

// program is the path of ipvsd.
var program string

// The tests of this package start the real program on hosts of the lab, and look at what it does with ipvsadm, ip and
// tcpdump.
func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

// buildAndRun builds the program, of packages that were compiled for the test itself a moment ago.
func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipvsd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab's own /tmp
	program = filepath.Join(dir, "ipvsd")
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// ipvsd is the program on a host, with files of its own that outlive the process: it can be started again.
type ipvsd struct {
	*control.Client
	t       *testing.T
	host    *lab.Host
	dir     string // configuration, socket, state and pid file
	env     []string
	process *lab.Process
}

// newIPVSD prepares an ipvsd with a configuration. Env are variables such as "NOTIFY_SOCKET=/path".
func newIPVSD(t *testing.T, host *lab.Host, config string, env ...string) *ipvsd {
	t.Helper()
	d := &ipvsd{t: t, host: host, dir: t.TempDir(), env: env}
	d.Client = control.NewClient(d.path("socket"))
	d.write(config)
	return d
}

// startIPVSD is newIPVSD and start.
func startIPVSD(t *testing.T, host *lab.Host, config string, env ...string) *ipvsd {
	t.Helper()
	d := newIPVSD(t, host, config, env...)
	d.start()
	return d
}

// path returns the path of "ipvsd.toml", "socket", "pid", "state" or a file in the state directory.
func (d *ipvsd) path(name string) string { return filepath.Join(d.dir, name) }

// write replaces the configuration file.
func (d *ipvsd) write(config string) {
	d.t.Helper()
	if err := os.WriteFile(d.path("ipvsd.toml"), []byte(config), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// command returns the command line that runs ipvsd on this one's files.
func (d *ipvsd) command(args ...string) []string {
	line := append([]string{"env"}, d.env...)
	line = append(line, program, "-f", d.path("ipvsd.toml"), "--socket", d.path("socket"), "--state-dir", d.path("state"),
		"-p", d.path("pid"))
	return append(line, args...)
}

// start starts the program and waits until it answers, which is after its first round.
func (d *ipvsd) start() {
	d.t.Helper()
	d.process = d.host.Start(d.command()...)
	lab.WaitFor(d.t, patience, "ipvsd to answer", func() error {
		select {
		case <-d.process.Done():
			d.t.Fatalf("ipvsd ended: %v\n%s", d.process.Err(), d.process.Log())
		default:
		}
		s, err := d.Status(d.t.Context())
		if err == nil && s.PID != d.process.PID() {
			err = fmt.Errorf("process %d answers, not %d", s.PID, d.process.PID())
		}
		return err
	})
}

// stop ends the program with SIGTERM. It has to exit with status 0.
func (d *ipvsd) stop() {
	d.t.Helper()
	if err := d.process.Stop(); err != nil {
		d.t.Fatalf("ipvsd stopped: %v\n%s", err, d.process.Log())
	}
}

// kill ends the program with SIGKILL.
func (d *ipvsd) kill() {
	d.t.Helper()
	d.process.Kill()
}

// status asks for a Snapshot.
func (d *ipvsd) status() *status.Snapshot {
	d.t.Helper()
	s, err := d.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// waitStatus waits until a Snapshot is as demanded.
func (d *ipvsd) waitStatus(what string, f func(*status.Snapshot) error) {
	d.t.Helper()
	lab.WaitFor(d.t, patience, what, func() error {
		s, err := d.Status(d.t.Context())
		return cmp.Or(err, f(s))
	})
}

// reload replaces the configuration and has it taken without objection.
func (d *ipvsd) reload(config string) *status.Answer {
	d.t.Helper()
	d.write(config)
	return d.answer(d.Reload(d.t.Context(), false))
}

// plan is what a reload would change.
func (d *ipvsd) plan() *status.Answer {
	d.t.Helper()
	return d.answer(d.Plan(d.t.Context(), nil))
}

func (d *ipvsd) answer(a *status.Answer, err error) *status.Answer {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if a.Rejected != "" || len(a.Refused) > 0 {
		d.t.Fatalf("rejected: %s\nrefused: %s", a.Rejected, strings.Join(a.Refused, "\n"))
	}
	return a
}

// saved is the host's table as ipvsadm -Sn prints it, without blanks at the ends of lines.
func saved(h *lab.Host) (string, error) {
	out, err := h.Output("ipvsadm", "-Sn")
	return trim(out), err
}

// trim takes away blanks at the ends of lines, and empty lines around a text.
func trim(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// waitSaved waits until ipvsadm -Sn prints a table.
func waitSaved(t *testing.T, h *lab.Host, want string) {
	t.Helper()
	lab.WaitFor(t, patience, "the table of "+h.Name, func() error {
		got, err := saved(h)
		if err == nil && got != trim(want) {
			err = fmt.Errorf("ipvsadm -Sn prints\n%s\nwant\n%s", got, trim(want))
		}
		return err
	})
}

// until calls f over and over until the context is done or stop is called; stop waits for the last call.
func until(ctx context.Context, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			f()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
