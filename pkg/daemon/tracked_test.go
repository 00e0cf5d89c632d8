package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const withFile = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["198.51.100.1:80"]
delay_loop = 3600
FILE_CHECK = { path = "/run/one" }
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
real_servers = ["198.51.100.2:80"]
delay_loop = 3600
FILE_CHECK = { path = "/run/two" }
`

// disk stands for probe.WatchFiles.
type disk struct {
	mu      sync.Mutex
	paths   []string // that are watched
	changed func(string)
	err     error
}

func (d *disk) watch(ctx context.Context, paths []string, changed func(string)) error {
	d.mu.Lock()
	d.paths, d.changed = paths, changed
	err := d.err
	d.mu.Unlock()
	if err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if fmt.Sprint(d.paths) == fmt.Sprint(paths) {
		d.paths = nil
	}
	return err
}

func (d *disk) watched() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprint(d.paths)
}

// A file that changes is read at once, as long as there is a check of it.
func TestFilesAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), withFile)
		h.pass(time.Minute)
		probed := func() string {
			t.Helper()
			var n []string
			for _, c := range h.ask(status.CheckQuery{}, false) {
				n = append(n, fmt.Sprint(c.What, " ", c.Probes))
			}
			return strings.Join(n, ", ")
		}
		if h.disk.watched() != "[/run/one /run/two]" || probed() != "/run/one 1, /run/two 1" {
			t.Errorf("watched: %s, probed %s", h.disk.watched(), probed())
		}
		h.disk.changed("/run/two")
		h.pass(time.Second)
		if probed() != "/run/one 1, /run/two 2" {
			t.Errorf("changed: probed %s", probed())
		}
		h.write(withFile + "# nothing new\n")
		h.reloaded()
		if h.disk.watched() != "[/run/one /run/two]" {
			t.Errorf("nothing new: %s", h.disk.watched())
		}
		h.write(strings.ReplaceAll(withFile, "/run/two", "/run/three"))
		h.reloaded()
		if h.disk.watched() != "[/run/one /run/three]" {
			t.Errorf("another: %s", h.disk.watched())
		}
		h.write(web)
		h.reloaded()
		if h.disk.watched() != "[]" {
			t.Errorf("none: %s", h.disk.watched())
		}
		h.disk.err = errors.New("no more watches")
		h.write(withFile)
		h.reloaded()
		if n := h.logged("no more watches"); n != 1 || h.disk.watched() != "[]" {
			t.Errorf("refused: %s, %d lines in the log:\n%s", h.disk.watched(), n, h.log)
		}
		h.stop()
	})
}
