package track

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// program is what a process runs.
type program struct {
	comm string   // the kernel's name of it: 15 bytes at most
	argv []string // empty: a thread of the kernel
}

// commLen is TASK_COMM_LEN without the end.
const commLen = 15

// matches says whether it is a process that is to be counted. As with keepalived the name is compared with the kernel's name of the
// process, or, if its parameters or its full command count, with the word that it was started by.
func matches(p config.Process, run program) bool {
	if len(p.Argv) == 0 {
		return false
	}
	if p.Match == "" && !p.FullCommand {
		return run.comm == p.Argv[0][:min(len(p.Argv[0]), commLen)]
	}
	if len(run.argv) == 0 || run.argv[0] != p.Argv[0] {
		return false
	}
	want, have := p.Argv[1:], run.argv[1:]
	switch p.Match {
	case "exact":
		return slices.Equal(want, have)
	case "partial": // the first ones
		return len(have) >= len(want) && slices.Equal(want, have[:len(want)])
	case "initial": // the last one may be longer
		last := len(want) - 1
		if last < 0 {
			return true
		}
		return len(have) >= len(want) && slices.Equal(want[:last], have[:last]) && strings.HasPrefix(have[last], want[last])
	}
	return true
}

// judge returns the reading of so many processes.
func judge(p config.Process, n int) vrrp.Reading {
	r := vrrp.Reading{Known: true}
	switch {
	case n < p.Quorum:
		r.Reason = fmt.Sprintf("%d of %s run, %d are needed", n, p.Argv[0], p.Quorum)
	case p.QuorumMax >= 0 && n > p.QuorumMax:
		r.Reason = fmt.Sprintf("%d of %s run, at most %d may", n, p.Argv[0], p.QuorumMax)
	default:
		r.Up = true
	}
	return r
}

// census is which processes run that are counted.
type census struct {
	wanted map[string]config.Process
	argv   bool                    // of some of them the arguments count
	found  map[string]map[int]bool // by name of the wanted, the numbers of processes
}

func newCensus(wanted map[string]config.Process) *census {
	c := &census{wanted: wanted, found: make(map[string]map[int]bool)}
	for name, p := range wanted {
		c.argv = c.argv || p.Match != "" || p.FullCommand
		c.found[name] = make(map[int]bool)
	}
	return c
}

// look counts one process anew.
func (c *census) look(pid int) {
	run, ok := programOf(pid, c.argv)
	for name, p := range c.wanted {
		if ok && matches(p, run) {
			c.found[name][pid] = true
		} else {
			delete(c.found[name], pid)
		}
	}
}

// forked counts a child as its parent is: it runs the same.
func (c *census) forked(parent, child int) {
	for _, pids := range c.found {
		if pids[parent] {
			pids[child] = true
		}
	}
}

// ended forgets a process.
func (c *census) ended(pid int) {
	for _, pids := range c.found {
		delete(pids, pid)
	}
}

// all counts all processes anew.
func (c *census) all() error {
	dir, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, pids := range c.found {
		clear(pids)
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			c.look(pid)
		}
	}
	return nil
}

// programOf returns what a process runs; false if it has ended, as far as it can.
func programOf(pid int, argv bool) (p program, ok bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return p, false
	}
	if p.comm, ok = parseStat(stat); !ok || !argv {
		return p, ok
	}
	line, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return p, false
	}
	p.argv = parseArgv(line)
	return p, true
}

// parseStat reads the name and the state in /proc/PID/stat (proc(5)): "17 (name) S ...". A name may have brackets.
func parseStat(stat []byte) (comm string, alive bool) {
	start, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if start < 0 || end < start || end+2 >= len(stat) {
		return "", false
	}
	state := stat[end+2]
	return string(stat[start+1 : end]), state != 'Z' && state != 'X'
}

// parseArgv reads /proc/PID/cmdline. Programs that write there what they do may leave out the zeros.
func parseArgv(line []byte) []string {
	text := strings.TrimRight(string(line), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}
