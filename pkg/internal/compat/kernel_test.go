//go:build kernel

package compat

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// readmeFile has the table of differences.
const readmeFile = "../../../contrib/compat/README.md"

// bin is the directory of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	_ = os.Setenv("TMPDIR", "/var/tmp") // /tmp is each daemon's own
	dir, err := os.MkdirTemp("", "compat-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab
	bin = dir
	_ = flag.Set("test.parallel", "12") // most of them wait, most of the time
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
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
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	field := corpus.Files(t, "keepalived/*.conf")
	for _, file := range append(files, field...) {
		name := filepath.Base(file)
		expected := known[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, string(text), expected)
		})
		delete(known, name)
	}
	for name := range known {
		if len(field) > 0 || !strings.Contains("0123456789", name[:1]) { // files of the field have numbers
			t.Errorf("there is no file %s", name)
		}
	}
}

// hurried are times between checks: neither daemon is to wait for as long as is written.
var (
	hurried   = regexp.MustCompile(`(?m)^(\s*)(delay_loop|delay_before_retry|warmup)[ \t]+[0-9.]+`)
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
read -r name < /proc/sys/kernel/hostname && echo "127.0.0.1 localhost $name" > /run/hosts && mount --bind /run/hosts /etc/hosts && exec "$@"`

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

// compare runs a file on two directors, and tells what differs that the table does not have. Which of several virtual routers becomes MASTER
// first, and with it whose address is the first one of a network, may be a matter of milliseconds, by which a busy host is late: where nothing
// else differs, the two are looked at once more.
func compare(t *testing.T, name, text string, known row) {
	again := false
	t.Run("once", func(t *testing.T) {
		found, lines, order := contrast(t, text, known)
		if again = order; again {
			t.Logf("another order, which is looked at again: %s", lines)
		} else if !slices.Equal(found, known.differences) {
			t.Errorf("the table has %q, but this is seen: %s\n%s", known.differences, row{name, found, known.reason}, lines)
		}
	})
	if !again {
		return
	}
	t.Run("again", func(t *testing.T) {
		if found, lines, _ := contrast(t, text, known); !slices.Equal(found, known.differences) {
			t.Errorf("the table has %q, but this is seen: %s\n%s", known.differences, row{name, found, known.reason}, lines)
		}
	})
}

// contrast returns in what two directors with a file differ, the lines of that and their logs, and whether nothing differs that is not expected
// but which addresses are secondary.
func contrast(t *testing.T, text string, known row) (found []string, lines string, order bool) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(hurry(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	n := needsOf(text)
	theirs := start(t, "keepalived", conf, n, "keepalived", "-n", "-l", "-f", "/run/k.conf", "-p", "/run/p", "-r", "/run/r", "-c", "/run/c", "-b", "/run/b")
	ours := start(t, "ipvsd", conf, n, filepath.Join(bin, "ipvsd"), "-f", "/run/k.conf", "--socket", filepath.Join(dir, "socket"), "--state-dir", "/run/state")

	found = settled(t, theirs, ours, known.differences, 0)
	if len(n.servers)+len(n.here) > 0 && !theirs.ended() {
		theirs.kill()
		ours.kill()
		for _, d := range settled(t, theirs, ours, known.differences, 8*time.Second) {
			if len(found) == 0 || d != found[len(found)-1] {
				found = append(found, d)
			}
		}
	}
	if slices.Equal(found, known.differences) {
		return found, "", false
	}
	a, b := must(theirs.observe()), must(ours.observe())
	_, lines = differences(a, b)
	rest, _ := differences(unordered(a), unordered(b))
	return found, fmt.Sprintf("%s\nkeepalived:\n%s\nipvsd:\n%s", lines, theirs.process.Log(), ours.process.Log()), slices.Equal(rest, known.differences)
}

func must(o observation, _ error) observation { return o }

// settled waits until both directors are done with what they do for now: their logs have come to an end, and they differ in
// nothing but what is expected. What differs for longer is returned. For some time nothing may happen before something does.
func settled(t *testing.T, theirs, ours *twin, expected []string, before time.Duration) (found []string) {
	t.Helper()
	tick := time.NewTicker(time.Second / 4)
	defer tick.Stop()
	start, changed, logs := time.Now(), time.Now().Add(before), theirs.process.Log()+ours.process.Log()
	for {
		<-tick.C
		if theirs.ended() || ours.ended() {
			return ending(theirs, ours)
		}
		if now := theirs.process.Log() + ours.process.Log(); now != logs {
			logs, changed = now, time.Now()
		}
		late := time.Since(start) > patience/3
		if !late && (!theirs.elected("Startup complete", itsStates) || !ours.elected("msg=started", ourStates) || time.Since(changed) < 2*time.Second) {
			continue
		}
		a, errA := theirs.observe()
		b, errB := ours.observe()
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if found, _ = differences(a, b); late || slices.Equal(found, expected) {
			return found
		}
		changed = time.Now() // look again when some time has passed
	}
}

// What is logged of the states of virtual routers.
var (
	itsStates = regexp.MustCompile(`\((\S+)\) Entering (BACKUP|MASTER|FAULT)`)
	ourStates = regexp.MustCompile(`"virtual router changed" instance=(\S+) from=\S+ to=(BACKUP|MASTER|FAULT)`)
)

// elected says whether the daemon has said that it has begun, and no virtual router of its waits to become active.
func (w *twin) elected(begun string, states *regexp.Regexp) bool {
	log := w.process.Log()
	last := map[string]string{}
	for _, m := range states.FindAllStringSubmatch(log, -1) {
		last[m[1]] = m[2]
	}
	for _, state := range last {
		if state == "BACKUP" {
			return false
		}
	}
	return strings.Contains(log, begun)
}

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
