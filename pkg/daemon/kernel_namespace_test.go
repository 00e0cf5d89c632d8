//go:build kernel

package daemon_test

import (
	"slices"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A daemon goes to the network namespace that its configuration names.
func TestKernelNamespaceOfTheFile(t *testing.T) {
	here, there := lab.NewHost(t, "here"), lab.NewHost(t, "there")
	startIPVSD(t, here, `net_namespace = "`+there.Namespace+`"
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
