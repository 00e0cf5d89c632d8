//go:build kernel

package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Of a thousand commands sent together the kernel refuses one: the others are in force, the one is reported, tried again, and
// in force as soon as nothing is in its way any more.
func TestKernelOneOfManyRefused(t *testing.T) {
	const services, servers = 111, 8 // and one more: 1000 commands
	director := lab.NewHost(t, "director")
	director.Run("ip", "link", "add", "dummy0", "type", "dummy")
	director.LinkUp("dummy0")
	// While a sync daemon runs, the kernel has no servers of another family than their service: somebody else's is in the way.
	director.Run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "dummy0")
	config := many(services, servers) + "[[virtual_server.real_server]]\naddress = \"[2001:db8::1]:80\"\nlb_kind = \"TUN\"\n"
	const refused = "add server [2001:db8::1]:80 TUN weight 1 of tcp 10.0.110.1:80: "
	line := "-a -t 10.0.110.1:80 -r [2001:db8::1]:80 -i -w 1 --tun-type ipip"

	d := ipvsd.Start(t, director, config)
	table := director.SavedTable()
	if others := ipvsd.Missing(table, []string{line}); len(table) != 999 || len(others) != 999 {
		t.Errorf("ipvsadm -Sn prints %d lines, want 999", len(table))
	}
	if s := d.Snapshot().Table; s.Changes != 999+byDefault || s.Drift != 0 {
		t.Errorf("%d changes, drift %d", s.Changes, s.Drift)
	}
	d.WaitStatus("a second attempt", func(s *status.Snapshot) error {
		r := s.Table.Refused
		if len(r) != 1 || r[0].Attempts < 2 || !strings.Contains(r[0].Reason, refused) || !strings.Contains(r[0].Reason, "sync daemon") {
			return fmt.Errorf("refused: %+v", r)
		}
		return nil
	})
	// A part of the rest that changes does so, too.
	d.Write(strings.Replace(config, "weight = 1\n", "weight = 2\n", 1))
	if a, err := d.Reload(t.Context(), false); err != nil || len(a.Changes) != servers || len(a.Refused) != 1 ||
		!strings.Contains(a.Refused[0], refused) {
		t.Errorf("a reload of a new weight answers %+v, %v", a, err)
	}
	table = director.SavedTable()

	director.Run("ipvsadm", "--stop-daemon", "master")
	lab.WaitFor(t, ipvsd.Patience, "the last server", func() error {
		after := director.SavedTable()
		if gone, come := ipvsd.Missing(table, after), ipvsd.Missing(after, table); len(gone) > 0 || fmt.Sprint(come) != "["+line+"]" {
			return fmt.Errorf("gone are %q, come are %q", gone, come)
		}
		return nil
	})
	if s := d.Snapshot().Table; len(s.Refused) > 0 || s.Drift != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}
