//go:build kernel

package compat

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// corpus is real files, which are no part of the project.
const corpus = "/work/shared/corpus/keepalived/*.conf"

// readmeFile has the table of differences.
const readmeFile = "../../../contrib/compat/README.md"

// patience is how long anything that is waited for may take.
const patience = 90 * time.Second

// bin is the directory of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("/var/tmp", "compat-") // /tmp is each daemon's own
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab
	bin = dir
	_ = flag.Set("test.parallel", "12") // most of them wait, most of the time
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "github.com/ipvsd/ipvsd/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// Each file makes the same of two directors, whoever reads it, before and after servers go away.
func TestKernelSameAsKeepalived(t *testing.T) {
	readme, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	known, err := rows(string(readme))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"testdata/*.conf", corpus} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 38 {
			t.Errorf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, name, string(text), known[name])
			})
			delete(known, name)
		}
	}
	for name := range known {
		t.Errorf("there is no file %s", name)
	}
}

// hurried are times that both wait for less than is written, and so do we.
var (
	hurried   = regexp.MustCompile(`(?m)^(\s*)(delay_loop|connect_timeout|delay_before_retry|warmup|misc_timeout)[ \t]+[0-9.]+`)
	newServer = regexp.MustCompile(`(?m)^(\s*virtual_server[ \t][^{}#!\\\n]*\{)[ \t]*$`)
)

func hurry(text string) string {
	text = hurried.ReplaceAllString(text, "$1$2 1")
	return newServer.ReplaceAllString(text, "$1\n    delay_loop 1")
}

// twin is one of two directors with the same file.
type twin struct {
	*world
	process, dump *lab.Process
	socket        string
}

// private gives a daemon files of its own in /tmp and /run, with its configuration, and a host that knows its own name: keepalived
// asks for that before anything else.
const private = `mount -t tmpfs none /tmp && mount -t tmpfs none /run && cp "$1" /run/k.conf && shift &&
echo "127.0.0.1 localhost $(hostname)" > /run/hosts && mount --bind /run/hosts /etc/hosts && exec "$@"`

func start(t *testing.T, name, conf string, n needs, args ...string) *twin {
	t.Helper()
	w := &twin{world: newWorld(t, name, n), socket: filepath.Join(filepath.Dir(conf), "socket")}
	w.dump = w.director.Start("tcpdump", "-Z", "root", "-n", "-l", "--immediate-mode", "-x", "-s", "2000", "-Q", "out", "-i", "any",
		"ip proto 112 or ip proto 51 or ip6 proto 112")
	w.dump.WaitLog(patience, "listening on")
	w.process = w.director.Start(append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", private, "sh", conf}, args...)...)
	return w
}

// observe returns what the director is like, and an error if that is not all yet.
func (w *twin) observe() (observation, error) {
	return observe(w.director, firstAdverts(w.dump.Log()))
}

func (w *twin) ended() bool {
	select {
	case <-w.process.Done():
		return true
	default:
		return false
	}
}

// compare runs a file on two directors, and tells what differs that the table does not have.
func compare(t *testing.T, name, text string, known row) {
	dir, err := os.MkdirTemp("/var/tmp", "compat-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(hurry(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	n := needsOf(text)
	theirs := start(t, "keepalived", conf, n, "keepalived", "-n", "-l", "-D", "-f", "/run/k.conf", "-p", "/run/p", "-r", "/run/r", "-c", "/run/c", "-b", "/run/b")
	ours := start(t, "ipvsd", conf, n, filepath.Join(bin, "ipvsd"), "-f", "/run/k.conf", "--socket", filepath.Join(dir, "socket"), "--state-dir", "/run/state")

	found := settled(t, theirs, ours, known.differences)
	if len(n.servers)+len(n.here) > 0 && !theirs.ended() {
		before, err := theirs.observe()
		if err != nil {
			t.Fatal(err)
		}
		theirs.kill()
		ours.kill()
		_ = before
		for _, d := range settled(t, theirs, ours, known.differences) {
			if len(found) == 0 || d != found[len(found)-1] {
				found = append(found, d)
			}
		}
	}
	if !known.is(found) && len(known.differences)+len(found) > 0 {
		_, lines := differences(must(theirs.observe()), must(ours.observe()))
		t.Errorf("the table has %q, but this is seen: %s\n%s\nkeepalived:\n%s\nipvsd:\n%s", known.differences,
			row{name, found, known.reason}, lines, theirs.process.Log(), ours.process.Log())
	}
}

func must(o observation, _ error) observation { return o }

// settled waits until both directors are done with what they do for now: they have not changed for some time, and differ in
// nothing but what is expected. What differs for longer is returned.
func settled(t *testing.T, theirs, ours *twin, expected []string) (found []string) {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last [2]observation
	quiet := 0
	start := time.Now()
	for {
		<-tick.C
		if theirs.ended() || ours.ended() {
			return ending(theirs, ours)
		}
		a, errA := theirs.observe()
		b, errB := ours.observe()
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if quiet++; last[0] == nil || !a.same(last[0]) || !b.same(last[1]) {
			quiet = 0
		}
		last = [2]observation{a, b}
		found, _ = differences(a, b)
		waited := time.Since(start)
		switch {
		case !ready(theirs, "Startup complete") || !ready(ours, "started") || quiet < 4:
		case len(found) == 0 || strings.Join(found, ", ") == strings.Join(expected, ", "), waited > patience/3:
			return found
		}
		if waited > patience {
			return found
		}
	}
}

func ready(w *twin, line string) bool { return strings.Contains(w.process.Log(), line) }

// ending says who has ended, of those of whom one has.
func ending(theirs, ours *twin) []string {
	if err := lab.Poll(patience/9, func() error {
		if !theirs.ended() || !ours.ended() {
			return errors.New("one runs")
		}
		return nil
	}); err == nil {
		return nil // neither takes the file
	}
	if theirs.ended() {
		return []string{"keepalived ends"}
	}
	return []string{"ipvsd ends"}
}
