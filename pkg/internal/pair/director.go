package pair

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Tool is what runs on a director.
type Tool string

// The tools.
const (
	IPVSD      Tool = "ipvsd"
	Keepalived Tool = "keepalived"
)

// patience is how long anything that is waited for may take.
const patience = 2 * time.Minute

// Director is a host and the daemon on it.
type Director struct {
	*lab.Host
	Tool    Tool
	tb      lab.TB
	bin     string // directory of ipvsd
	dir     string
	Process *lab.Process // nil before the first Start
}

// NewDirector prepares a director. Bin is the directory of ipvsd and ipvsctl.
func NewDirector(tb lab.TB, h *lab.Host, tool Tool, bin string) *Director {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pair-")
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &Director{Host: h, Tool: tool, tb: tb, bin: bin, dir: dir}
}

// Path returns the path of a file of the director's own.
func (d *Director) Path(name string) string { return filepath.Join(d.dir, name) }

// Write writes the configuration.
func (d *Director) Write(s Setup) {
	d.tb.Helper()
	text := s.IPVSD()
	if d.Tool == Keepalived {
		text = s.Keepalived()
	}
	d.WriteText(text)
}

// WriteText writes the configuration as it is.
func (d *Director) WriteText(text string) {
	d.tb.Helper()
	if err := os.WriteFile(d.Path("conf"), []byte(text), 0o600); err != nil {
		d.tb.Fatalf("%v", err)
	}
}

// Start starts the daemon, on what was written.
func (d *Director) Start() {
	d.tb.Helper()
	if d.Tool == Keepalived {
		for _, name := range []string{"pid", "vrrp.pid", "check.pid"} {
			_ = os.Remove(d.Path(name))
		}
		d.Process = d.Host.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--use-file", d.Path("conf"),
			"--pid", d.Path("pid"), "--vrrp_pid", d.Path("vrrp.pid"), "--checkers_pid", d.Path("check.pid"))
		d.Process.WaitLog(patience, "Startup complete")
		return
	}
	d.Process = d.Host.Start(filepath.Join(d.bin, "ipvsd"), "-f", d.Path("conf"), "--socket", d.Path("socket"), "--state-dir", d.Path("state"))
	d.Process.WaitLog(patience, "started")
}

// Crash ends the daemon as if the power had gone: nothing of it can say goodbye. Its addresses stay on the host, as after kill -9.
func (d *Director) Crash() {
	d.tb.Helper()
	d.Process.Kill()
}

// Stop ends the daemon cleanly.
func (d *Director) Stop() {
	d.tb.Helper()
	_ = d.Process.Stop() // keepalived ends by the signal
}

// Reload has the daemon read its file again.
func (d *Director) Reload() {
	d.tb.Helper()
	if err := syscall.Kill(d.Process.PID(), syscall.SIGHUP); err != nil {
		d.tb.Fatalf("reload %s: %v", d.Name, err)
	}
}

// Ctl runs ipvsctl and returns what it printed.
func (d *Director) Ctl(args ...string) (string, error) {
	return d.Output(append([]string{filepath.Join(d.bin, "ipvsctl"), "--socket", d.Path("socket")}, args...)...)
}

// Addresses returns the addresses of an interface, as ip shows them: "192.168.1.200/24". An interface that is not there has none.
func (d *Director) Addresses(ifname string) ([]string, error) {
	all, err := d.allAddresses()
	return all[ifname], err
}

// allAddresses returns those of all interfaces.
func (d *Director) allAddresses() (map[string][]string, error) {
	out, err := d.Output("ip", "-json", "address", "show")
	if err != nil {
		return nil, err
	}
	var links []struct {
		Ifname   string
		AddrInfo []struct {
			Local     string
			Prefixlen int
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(out), &links); err != nil {
		return nil, fmt.Errorf("ip on %s says %q: %w", d.Name, out, err)
	}
	all := make(map[string][]string)
	for _, l := range links {
		for _, a := range l.AddrInfo {
			if a.Local != "" {
				all[l.Ifname] = append(all[l.Ifname], fmt.Sprintf("%s/%d", a.Local, a.Prefixlen))
			}
		}
	}
	return all, nil
}

// Holds returns nil if the addresses of all instances are on the host, or none of them is.
func (d *Director) Holds(s Setup, all bool) error {
	has, err := d.allAddresses()
	if err != nil {
		return err
	}
	for _, i := range s.Instances {
		dev := cmp.Or(i.VMAC, i.Interface)
		for _, line := range slices.Concat(i.Addresses, i.Excluded) {
			address, _, _ := strings.Cut(line, " ")
			if slices.Contains(has[dev], address) != all {
				return fmt.Errorf("%s on %s of %s: %v, wanted: %v (it has %v)", address, dev, d.Name, !all, all, has[dev])
			}
		}
	}
	return nil
}

// HeldBy returns nil if one director has all addresses and the others have none.
func HeldBy(s Setup, active *Director, others ...*Director) error {
	if err := active.Holds(s, true); err != nil {
		return err
	}
	for _, d := range others {
		if err := d.Holds(s, false); err != nil {
			return err
		}
	}
	return nil
}

// WaitActive waits until one director has all addresses and the others have none.
func WaitActive(tb lab.TB, s Setup, active *Director, others ...*Director) {
	tb.Helper()
	lab.WaitFor(tb, patience, "all addresses on "+active.Name+", and only there", func() error { return HeldBy(s, active, others...) })
}
