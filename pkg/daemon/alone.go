package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rivals are programs that write to the same table and claim the same addresses, as the kernel calls their processes, each with what
// the file begins with that it runs: init scripts and agents have the same names.
var rivals = map[string]string{"keepalived": "keepalived", "ldirectord": "perl"}

// alone makes sure that no rival runs in this network namespace: each would undo what the other does, and both would answer for
// the virtual addresses.
func alone(o Options) error {
	pid, name := rival()
	if pid == 0 {
		return nil
	}
	if o.Force {
		o.Log.Warn("another program changes the same table", "name", name, "pid", pid)
		return nil
	}
	return rivalError{pid, name}
}

// rivalError is ErrRunning, though it isn't an ipvsd that runs.
type rivalError struct {
	pid  int
	name string
}

func (e rivalError) Error() string {
	leaves := "option -I"
	if e.name == "ldirectord" {
		leaves = "cleanstop=no"
	}
	return fmt.Sprintf("%s runs here as pid %d: it would change the same table and claim the same addresses; stop it first (systemctl stop %s;"+
		" with its %s it leaves the table, and ipvsd goes on from there), or start with --force", e.name, e.pid, e.name, leaves)
}

func (rivalError) Is(target error) bool { return target == ErrRunning }

// rival returns a process in this network namespace, the one with the lowest number: parents come first. 0: there is none.
func rival() (pid int, name string) {
	here, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return 0, ""
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return 0, ""
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, dir := range dirs {
		n, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid != 0 && n > pid {
			continue
		}
		// What can't be read has ended, or is none of ours.
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue
		}
		program, known := rivals[string(bytes.TrimSpace(comm))]
		if known && !ofRoot(dir) {
			continue // it can't change the table, whoever called it so
		}
		target, err := os.Readlink(dir + "/exe")
		hidden := errors.Is(err, fs.ErrPermission) // it has capabilities that we lack, as with our unit: its name has to do
		if !known || err != nil && !hidden || !hidden && !strings.HasPrefix(filepath.Base(target), program) {
			continue
		}
		there, err := os.Stat(dir + "/ns/net")
		if hidden && !meets(dir+"/net/netlink", "/proc/thread-self/net/netlink") || !hidden && (err != nil || !os.SameFile(here, there)) {
			continue
		}
		if exe, err := os.Stat(dir + "/exe"); err == nil && os.SameFile(exe, self) {
			continue // ipvsd under that name: its locks speak for it
		}
		pid, name = n, string(bytes.TrimSpace(comm))
	}
	return pid, name
}

// ofRoot says whether a process has root's rights, by its directory in /proc. What the directory itself belongs to says less: a process
// can make it root's.
func ofRoot(dir string) bool {
	text, _ := os.ReadFile(dir + "/status") // what can't be read has ended
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Uid:" {
			return f[2] == "0" // the effective one
		}
	}
	return false
}

// meets says whether two lists of a network namespace's netlink sockets have one in common: the same namespace, seen by two processes.
func meets(there, here string) bool {
	sockets := func(name string) (list []string) {
		text, _ := os.ReadFile(name) // nothing is in common with what can't be read
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[9] != "0" && f[9] != "Inode" {
				list = append(list, f[9])
			}
		}
		return list
	}
	ours := sockets(here)
	return slices.ContainsFunc(sockets(there), func(inode string) bool { return slices.Contains(ours, inode) })
}
