package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// director is the host on which ipvsd runs.
type director struct {
	*lab.Host
	stage *stage
	bin   string
	file  string // the running configuration
	text  string // as it was at the start
	last  string // what the last command printed, without its colours
}

func newDirector(s *stage, c *lab.NATCluster, bin, file string) *director {
	text, err := os.ReadFile(file)
	s.Must(err)
	dir, err := os.MkdirTemp("", "demo")
	s.Must(err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &director{Host: c.Director, stage: s, bin: bin, file: filepath.Join(dir, "ipvsd.toml"), text: string(text)}
	d.write(d.text)
	return d
}

func (d *director) write(text string) { d.stage.Must(os.WriteFile(d.file, []byte(text), 0o600)) }
func (d *director) restore()          { d.write(d.text) }

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
	p := d.Start(filepath.Join(d.bin, "ipvsd"), "-f", d.file)
	p.WaitLog(patience, "started")
}

// colors are what a terminal takes for colours.
var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// ctl shows an ipvsctl command and its output; it must succeed.
func (d *director) ctl(verb string) { d.expect(0, verb) }

// expect shows an ipvsctl command that must exit with a certain code.
func (d *director) expect(code int, verb string) {
	args := []string{verb}
	if d.stage.color {
		args = append(args, "--color", "always")
	}
	d.stage.command("ipvsctl", verb)
	cmd := exec.Command("ip", append([]string{"netns", "exec", d.Namespace, filepath.Join(d.bin, "ipvsctl")}, args...)...)
	out, err := cmd.CombinedOutput()
	d.stage.quote(string(out))
	d.last = colors.ReplaceAllString(string(out), "")
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	d.stage.Must(err)
	if got != code {
		d.stage.Fatalf("ipvsctl %s: exit code %d, expected %d", verb, got, code)
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
	_, err := d.Output(filepath.Join(d.bin, "ipvsctl"), "reload")
	return err
}
