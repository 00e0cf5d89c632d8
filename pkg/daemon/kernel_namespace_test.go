//go:build kernel

package daemon_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A daemon goes to the network namespace that its configuration names.
func TestKernelNamespaceOfTheFile(t *testing.T) {
	here, there := lab.NewHost(t, "here"), lab.NewHost(t, "there")
	ipvsd.Start(t, here, `net_namespace = "`+there.Namespace+`"
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["127.0.0.2:80"]
TCP_CHECK = false
`)
	want := []string{"-A -t 192.0.2.1:80 -s wlc", "-a -t 192.0.2.1:80 -r 127.0.0.2:80 -m -w 1"}
	if got := there.SavedTable(); !slices.Equal(got, want) {
		t.Errorf("there: %q", got)
	}
	if got := here.SavedTable(); len(got) > 0 {
		t.Errorf("here: %q", got)
	}
}

// Commands run before the start and after the stop, when nothing of ours is there yet or any more.
func TestKernelStartupAndShutdownScripts(t *testing.T) {
	host := lab.NewHost(t, "director")
	log := filepath.Join(t.TempDir(), "log")
	d := ipvsd.Start(t, host, `[global_defs]
lvs_flush_on_stop = true
startup_script = ['/bin/sh -c "(echo start; ipvsadm -Sn) >>`+log+`; exit 3"', "root"]
shutdown_script = ['/bin/sh -c "(echo stop; ipvsadm -Sn) >>`+log+`"', "root"]
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["127.0.0.2:80"]
TCP_CHECK = false
`)
	if got := host.SavedTable(); len(got) != 2 {
		t.Errorf("while it runs: %q", got)
	}
	if err := d.Process.Stop(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(log)
	if err != nil || string(got) != "start\nstop\n" {
		t.Errorf("the commands saw %q, %v", got, err)
	}
}
