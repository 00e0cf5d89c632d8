//go:build kernel

package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// unusual are values of all sysctls that the lab's kernel doesn't begin with.
var unusual = map[string]string{
	"am_droprate": "11", "amemthresh": "1025", "backup_only": "1", "cache_bypass": "1", "conn_reuse_mode": "2", "conntrack": "1",
	"drop_entry": "3", "drop_packet": "3", "expire_nodest_conn": "1", "expire_quiescent_template": "1", "ignore_tunneled": "1",
	"nat_icmp_send": "1", "pmtu_disc": "0", "run_estimation": "0", "schedule_icmp": "1", "secure_tcp": "3", "sloppy_sctp": "1",
	"sloppy_tcp": "1", "snat_reroute": "0", "sync_persist_mode": "1", "sync_ports": "64", "sync_qlen_max": "12345",
	"sync_refresh_period": "10", "sync_retries": "3", "sync_sock_size": "100000", "sync_threshold": "5 100", "sync_version": "0",
	// Of newer kernels.
	"est_nice": "1", "conn_lfactor": "-3", "svc_lfactor": "-2",
}

// sysctls are what sysctl prints of a host's IPVS, apart from what is the whole machine's, or as many as it has CPUs.
func sysctls(h *lab.Host) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(h.Run("sysctl", "net.ipv4.vs")) {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "net.ipv4.vs."), "=")
		values[strings.TrimSpace(name)] = strings.Join(strings.Fields(value), " ")
	}
	delete(values, "debug_level")
	delete(values, "est_cpulist")
	return values
}

// TestKernelEverySysctl: each sysctl of IPVS can be configured, is kept against others, and is as before when it leaves the
// configuration, and, if that is asked for, when the daemon stops.
func TestKernelEverySysctl(t *testing.T) {
	h := lab.NewHost(t, "director")
	before := sysctls(h)
	tuned := map[string]string{}
	list := "[global_defs.lvs_sysctl]\n"
	for name, was := range before {
		if unusual[name] == "" || unusual[name] == was {
			t.Errorf("%s is %s, and to be %q: this test has no use for it", name, was, unusual[name])
			continue
		}
		tuned[name] = unusual[name]
		list += fmt.Sprintf("%s = %q\n", name, unusual[name])
	}
	wait := func(when string, want map[string]string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, "sysctls "+when, func() error {
			got := sysctls(h)
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if got[name] != want[name] {
					return fmt.Errorf("%s is %s, want %s", name, got[name], want[name])
				}
			}
			return nil
		})
	}
	d := ipvsd.Start(t, h, list)
	wait("as configured", tuned)
	if a := d.Planned(); len(a.Changes) > 0 {
		t.Errorf("the plan afterwards: %q", a.Changes)
	}
	for name, value := range before {
		h.Run("sysctl", "-w", "net.ipv4.vs."+name+"="+value)
	}
	wait("repaired", tuned)
	if n := d.Snapshot().Table.Drift; n < uint64(len(tuned)) {
		t.Errorf("drift %d", n)
	}
	none := "[global_defs]\nlvs_sysctl_defaults = false\n"
	d.Load(none)
	wait("out of the configuration", before)

	d.Load(list)
	wait("configured again", tuned)
	d.Stop()
	wait("after a stop", tuned)
	d.Write(none + "lvs_sysctl_restore = true\n" + list)
	d.Start()
	d.Stop()
	wait("after a stop that restores", before)
}
