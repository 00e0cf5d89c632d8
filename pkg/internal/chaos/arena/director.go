package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

// director is a director and what it is known to do.
type director struct {
	*pair.Director
	tb     lab.TB
	number int
	ways   *lab.Capture // connections that it opens to servers

	mu      sync.Mutex   // guards what follows
	process *lab.Process // the running one, the last, or the one that an upgrade took the place of
	down    bool         // nobody expects its process to be there
	mute    bool         // nor to answer
	read    int          // so much of its log was read
}

// begin starts the daemon.
func (d *director) begin() {
	d.Start()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.process, d.down, d.read = d.Process, false, 0
}

// end ends it, cleanly or not.
func (d *director) end(cleanly bool) {
	d.mu.Lock()
	d.down = true
	d.mu.Unlock()
	if !cleanly {
		d.Crash()
		return
	}
	if d.over() { // an upgrade has taken its place
		for _, pid := range d.successors() {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		lab.WaitFor(d.tb, patience, "a clean stop of "+d.Name, func() error {
			if pids := d.successors(); len(pids) > 0 {
				return fmt.Errorf("process %v is still there", pids)
			}
			return nil
		})
	}
	d.Stop()
}

// silent says whether nobody expects it to answer.
func (d *director) silent() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down || d.mute
}

// over says whether the process that was started has ended.
func (d *director) over() bool {
	select {
	case <-d.process.Done():
		return true
	default:
		return false
	}
}

// pid is the process that is the daemon now; 0: there is none.
func (d *director) pid() int {
	if !d.over() {
		return d.process.PID()
	}
	if pids := d.successors(); len(pids) > 0 {
		return pids[0]
	}
	return 0
}

// successors are the daemons in the process group of the one that was started, which take its place in an upgrade.
func (d *director) successors() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(text), " (ipvsd) ")
		// state, parent, process group
		if word := strings.Fields(rest); len(word) > 2 && word[0] != "Z" && word[2] == strconv.Itoa(d.process.PID()) {
			n, _ := strconv.Atoi(pid)
			pids = append(pids, n)
		}
	}
	return pids
}
