//go:build kernel

package compat

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// listener is a director with the pipe that its daemon tells of transitions, and what its scripts were called with.
type listener struct {
	*twin
	dir     string
	pipes   []*lab.Process
	groups  map[string][]string // members of sync groups, all as in lines
	scripts bool                // change priorities
}

// aPipe is a path of a pipe in a configuration.
var aPipe = regexp.MustCompile(`/\S*\.fifo`)

// aGroup is a sync group in a configuration, with its members.
var aGroup = regexp.MustCompile(`vrrp_sync_group (\S+) \{\s*group \{([^}]*)\}`)

// recorder is a script that notes who ran it, with what.
const recorder = `#!/bin/sh
line=$(id -un)
for a; do line="$line [$a]"; done
echo "$line" >> "${0%/*}/told"
`

// listen starts a director with a file that all its files are in a directory of its own for, and a pipe in any case.
func listen(t *testing.T, name, text string, args func(dir string) []string) *listener {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "compat-") //nolint:usetesting // /tmp is each daemon's own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := needsOf(text)
	text = strings.NewReplacer("/tmp/", dir+"/", "/usr/bin/logger", dir+"/record").Replace(text)
	if !strings.Contains(text, "notify_fifo") {
		text = "global_defs {\n    vrrp_notify_fifo " + dir + "/all.fifo\n}\n" + text
	}
	conf := filepath.Join(dir, "keepalived.conf")
	if err := errors.Join(
		os.WriteFile(conf, []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "record"), []byte(recorder), 0o755), //nolint:gosec // the account of the scripts runs it
		os.Chmod(dir, 0o755), //nolint:gosec // as above
	); err != nil {
		t.Fatal(err)
	}
	l := &listener{dir: dir, groups: make(map[string][]string), scripts: strings.Contains(text, "vrrp_script")}
	for _, m := range aGroup.FindAllStringSubmatch(text, -1) {
		for member := range strings.FieldsSeq(m[2]) {
			l.groups[strconv.Quote(m[1])] = append(l.groups[strconv.Quote(m[1])], strconv.Quote(member))
		}
	}
	pipes := aPipe.FindAllString(text, -1)
	slices.Sort(pipes)
	for _, pipe := range slices.Compact(pipes) {
		if out, err := exec.Command("mkfifo", "-m", "666", pipe).CombinedOutput(); err != nil {
			t.Fatalf("mkfifo %s: %v\n%s", pipe, err, out)
		}
	}
	l.twin = start(t, name, conf, n, args(dir)...)
	for _, pipe := range slices.Compact(pipes) {
		l.pipes = append(l.pipes, l.director.Start("cat", pipe))
	}
	return l
}

// lines is what came by the pipes, by whom it is about: what happens to two instances at once has no order.
//
// Where there are scripts, the first BACKUP is without its priority: it depends on which of them have ended. Priorities that change before the first BACKUP are left out: keepalived tells of them if notify_priority_changes is on. A group has
// the first members that were told before it.
func (l *listener) lines() string {
	var b strings.Builder
	for _, p := range l.pipes {
		about := make(map[string][]string)
		for line := range strings.Lines(p.Log()) {
			words := strings.Fields(line)
			if len(words) != 4 {
				return line // it is not all there yet
			}
			who := words[0] + " " + words[1]
			waits := l.scripts && len(about[who]) == 1 && about[who][0] == "BACKUP" // a script may end before the first BACKUP, or after it
			if (about[who] == nil || waits) && strings.HasSuffix(words[2], "_PRIORITY") {
				continue
			}
			if about[who] == nil && words[0] == "GROUP" {
				for _, member := range l.groups[words[1]] {
					if about["INSTANCE "+member] != nil {
						about[who] = append(about[who], member+" was first")
					}
				}
			}
			if words[2] == "BACKUP" && l.scripts && !slices.Contains(about[who], "BACKUP") {
				about[who] = append(about[who], "BACKUP")
				continue
			}
			about[who] = append(about[who], words[2]+" "+words[3])
		}
		for _, who := range slices.Sorted(maps.Keys(about)) {
			fmt.Fprintf(&b, "%s: %s\n", who, strings.Join(about[who], ", "))
		}
	}
	return b.String()
}

// told is what scripts were called with, but for those at stop, which keepalived doesn't wait for.
func (l *listener) told(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(l.dir, "told"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if !strings.Contains(line, "stop") && !strings.Contains(line, "[STOP]") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// Scripts and pipes are told the same of each file of VRRP, up to the end.
func TestKernelTellsAsKeepalived(t *testing.T) {
	files, err := filepath.Glob("testdata/vrrp-*.conf")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	few := make(chan struct{}, 4) // a host that is too busy has transitions of its own
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			few <- struct{}{}
			defer func() { <-few }()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tellsAlike(t, string(text))
		})
	}
}

func tellsAlike(t *testing.T, text string) {
	theirs := listen(t, "keepalived", text, func(string) []string {
		return []string{"keepalived", "-n", "-l", "-D", "-f", "/run/k.conf", "-p", "/run/p", "-r", "/run/r", "-c", "/run/c", "-b", "/run/b"}
	})
	ours := listen(t, "ipvsd", text, func(dir string) []string {
		return []string{filepath.Join(bin, "ipvsd"), "-f", "/run/k.conf", "--socket", filepath.Join(dir, "socket"), "--state-dir", "/run/state"}
	})
	alike := func(says string) func() error {
		var last string
		same := 0
		return func() error {
			a, b := theirs.lines()+theirs.told(t), ours.lines()+ours.told(t)
			if same++; a != last {
				last, same = a, 0
			}
			switch {
			case !strings.Contains(a, says):
				return fmt.Errorf("keepalived has not said %s yet", says)
			case a != b:
				return fmt.Errorf("keepalived tells\n%s\nipvsd tells\n%s", a, b)
			case same < 200: // there may be more to come
				return errors.New("it goes on")
			}
			return nil
		}
	}
	first := "MASTER "
	if strings.Contains(text, "/bin/false") && !strings.Contains(text, "weight") {
		first = "FAULT " // it depends on what fails
	}
	lab.WaitFor(t, patience, "at the start", alike(first))
	_ = theirs.process.Stop()
	_ = ours.process.Stop()
	lab.WaitFor(t, patience, "at the end", alike("STOP "))
}
