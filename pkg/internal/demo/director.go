package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// director is a host on which ipvsd runs.
type director struct {
	*lab.Host
	stage   *stage
	bin     string
	dir     string // for what belongs to this daemon: the hosts share one file system
	text    string // the configuration as it was at the start
	last    string // what the last command printed, without its colours
	process *lab.Process
}

func newDirector(s *stage, h *lab.Host, bin, file string) *director {
	text, err := os.ReadFile(file)
	s.Must(err)
	dir, err := os.MkdirTemp("", "demo")
	s.Must(err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &director{Host: h, stage: s, bin: bin, dir: dir, text: string(text)}
	d.write(d.text)
	return d
}

func (d *director) path(name string) string { return filepath.Join(d.dir, name) }

func (d *director) write(text string) {
	d.stage.Must(os.WriteFile(d.path("ipvsd.toml"), []byte(text), 0o600))
}
func (d *director) restore() { d.write(d.text) }

// config returns the configuration without its comments.
func (d *director) config() string {
	var b strings.Builder
	for line := range strings.Lines(d.text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}

func (d *director) start() {
	d.process = d.Start(filepath.Join(d.bin, "ipvsd"), "-f", d.path("ipvsd.toml"), "--socket", d.path("socket"), "--state-dir", d.path("state"))
	d.process.WaitLog(patience, "started")
}

// colors are what a terminal takes for colours.
var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// ctl shows an ipvsctl command and its output; it must succeed.
func (d *director) ctl(verb ...string) { d.expect(0, verb...) }

// expect shows an ipvsctl command that must exit with a certain code.
func (d *director) expect(code int, verb ...string) {
	args := slices.Concat([]string{"netns", "exec", d.Namespace, filepath.Join(d.bin, "ipvsctl")}, verb)
	if d.stage.color {
		args = append(args, "--color", "always")
	}
	d.stage.command(append([]string{"ipvsctl"}, verb...)...)
	cmd := exec.Command("ip", args...)
	cmd.Env = append(os.Environ(), "IPVSD_SOCKET="+d.path("socket"))
	out, err := cmd.CombinedOutput()
	d.stage.quote(string(out))
	d.last = colors.ReplaceAllString(string(out), "")
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	d.stage.Must(err)
	if got != code {
		d.stage.Fatalf("ipvsctl %v: exit code %d, expected %d", verb, got, code)
	}
}

// show shows any command and its output.
func (d *director) show(args ...string) {
	d.stage.command(args...)
	d.last = d.Run(args...)
	d.stage.quote(d.last)
}

// inTable returns nil if the kernel's table, as ipvsadm sees it, has so many web and name servers.
func (d *director) inTable(web, dns int) error {
	rows, err := d.ReadTable()
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, r := range rows {
		if r.Server != "" && r.Int(1) > 0 {
			count[r.Service]++
		}
	}
	if count["TCP "+lab.WebVIP.String()] != web || count["UDP "+lab.DNSVIP.String()] != dns {
		return fmt.Errorf("the table has %v", count)
	}
	return nil
}

// reweigh gives web1 another weight, in a table of its own.
func (d *director) reweigh() {
	const list, first = `real_servers = ["10.0.100.2:80", `, "10.0.100.2:80"
	before, after, ok := strings.Cut(d.text, list)
	if !ok {
		d.stage.Fatalf("the configuration has no line %s", list)
	}
	table := fmt.Sprintf("  [[virtual_server.real_server]]\n  address = %q\n  weight = 3\n", first)
	web, rest, more := strings.Cut("real_servers = ["+after, "\n[[virtual_server]]")
	if more {
		rest = "\n[[virtual_server]]" + rest
	}
	d.write(before + strings.TrimRight(web, "\n") + "\n\n" + table + rest)
}

// mistake misspells a keyword.
func (d *director) mistake() { d.write(strings.Replace(d.text, "lb_algo", "lb_allgo", 1)) }

// rates measures requests a second with one, two and three web servers, each after a reload.
func (d *director) rates(c *lab.NATCluster) string {
	var out []string
	for n := 1; n <= len(c.Web); n++ {
		text := d.text
		for _, s := range c.Web[n:] {
			text = strings.Replace(text, fmt.Sprintf(", %q", s.Addr), "", 1)
		}
		d.write(text)
		d.stage.Must(d.quietReload())
		d.stage.wait(fmt.Sprintf("%d web servers in the table", n), func() error { return d.inTable(n, 3) })
		rate := throughput(c, 24, 2*time.Second)
		d.stage.say("%d: %.0f requests a second, 24 at a time", n, rate)
		out = append(out, fmt.Sprintf("%.0f", rate))
	}
	return strings.Join(out, ", ")
}

func (d *director) quietReload() error {
	_, err := d.Output(filepath.Join(d.bin, "ipvsctl"), "--socket", d.path("socket"), "reload")
	return err
}
