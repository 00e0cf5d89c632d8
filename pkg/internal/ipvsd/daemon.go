package ipvsd

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// CPU returns the processor time that ipvsd has used up.
func (d *Daemon) CPU() time.Duration {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.Process.PID()))
	if err != nil {
		d.t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	var ticks int64
	for _, f := range strings.Fields(fields)[11:13] { // utime and stime of proc(5), in USER_HZ
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			d.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// Patience is how long anything that is waited for may take: it is never what a test is about.
const Patience = 2 * time.Minute

// The exit codes of ipvsd(8).
const (
	ExitConfig  = 3
	ExitRunning = 4
)

// Program is the path of ipvsd, once Main has built it.
var Program string

// Main is what TestMain of a package calls: it builds the programs and runs the tests, which look at what ipvsd does with ipvsadm, ip and
// tcpdump.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipvsd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab's own /tmp
	Program = filepath.Join(dir, "ipvsd")
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Daemon is the program on a host, with files of its own that outlive the process: it can be started again.
type Daemon struct {
	*control.Client
	t       *testing.T
	host    *lab.Host
	Dir     string // configuration, socket, state and pid file
	Env     []string
	Process *lab.Process
}

// New prepares an ipvsd with a configuration. Env are variables such as "NOTIFY_SOCKET=/path".
func New(t *testing.T, host *lab.Host, config string, env ...string) *Daemon {
	t.Helper()
	d := &Daemon{t: t, host: host, Dir: t.TempDir(), Env: env}
	d.Client = control.NewClient(d.Path("socket"))
	d.Write(config)
	return d
}

// Start is New and Start.
func Start(t *testing.T, host *lab.Host, config string, env ...string) *Daemon {
	t.Helper()
	d := New(t, host, config, env...)
	d.Start()
	return d
}

// Path returns the path of "ipvsd.toml", "socket", "pid", "state" or a file in the state directory.
func (d *Daemon) Path(name string) string { return filepath.Join(d.Dir, name) }

// Write replaces the configuration file.
func (d *Daemon) Write(config string) {
	d.t.Helper()
	if err := os.WriteFile(d.Path("ipvsd.toml"), []byte(config), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// Command returns the command line that runs ipvsd on this one's files.
func (d *Daemon) Command(args ...string) []string {
	line := append([]string{"env"}, d.Env...)
	line = append(line, Program, "-f", d.Path("ipvsd.toml"), "--socket", d.Path("socket"), "--state-dir", d.Path("state"),
		"-p", d.Path("pid"))
	return append(line, args...)
}

// Start starts the program and waits until it answers, which is after its first round.
func (d *Daemon) Start() {
	d.t.Helper()
	d.Process = d.host.Start(d.Command()...)
	lab.WaitFor(d.t, Patience, "ipvsd to answer", func() error {
		select {
		case <-d.Process.Done():
			d.t.Fatalf("ipvsd ended: %v\n%s", d.Process.Err(), d.Process.Log())
		default:
		}
		s, err := d.Status(d.t.Context())
		if err == nil && s.PID != d.Process.PID() {
			err = fmt.Errorf("process %d answers, not %d", s.PID, d.Process.PID())
		}
		return err
	})
}

// Stop ends the program with SIGTERM. It has to exit with status 0.
func (d *Daemon) Stop() {
	d.t.Helper()
	if err := d.Process.Stop(); err != nil {
		d.t.Fatalf("ipvsd stopped: %v\n%s", err, d.Process.Log())
	}
}

// Kill ends the program with SIGKILL.
func (d *Daemon) Kill() {
	d.t.Helper()
	d.Process.Kill()
}

// Snapshot asks for a Snapshot.
func (d *Daemon) Snapshot() *status.Snapshot {
	d.t.Helper()
	s, err := d.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// WaitStatus waits until a Snapshot is as demanded.
func (d *Daemon) WaitStatus(what string, f func(*status.Snapshot) error) {
	d.t.Helper()
	lab.WaitFor(d.t, Patience, what, func() error {
		s, err := d.Status(d.t.Context())
		return cmp.Or(err, f(s))
	})
}

// Load replaces the configuration and has it taken without objection.
func (d *Daemon) Load(config string) *status.Answer {
	d.t.Helper()
	d.Write(config)
	return d.answer(d.Reload(d.t.Context(), false))
}

// Planned is what a reload would change.
func (d *Daemon) Planned() *status.Answer {
	d.t.Helper()
	return d.answer(d.Plan(d.t.Context(), nil))
}

func (d *Daemon) answer(a *status.Answer, err error) *status.Answer {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if a.Rejected != "" || len(a.Refused) > 0 {
		d.t.Fatalf("rejected: %s\nrefused: %s", a.Rejected, strings.Join(a.Refused, "\n"))
	}
	return a
}
