//go:build kernel

package reconcile_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// onHost is the IPVS of a host: /proc/sys shows what belongs to the thread that looks.
type onHost struct {
	*ipvsnl.Client
	host *lab.Host
}

func (h onHost) Sysctls(ctx context.Context) (all ipvs.Sysctls, err error) {
	err = h.host.Do(func() (err error) {
		all, err = ipvsproc.Default.Sysctls(ctx)
		return err
	})
	return all, err
}

func (h onHost) SetSysctl(ctx context.Context, name, value string) error {
	return h.host.Do(func() error { return ipvsproc.Default.SetSysctl(ctx, name, value) })
}

func TestKernelSettingsLaws(t *testing.T) {
	d := newDirector(t, "director")
	settingsLaws(t, 10, "dummy0", func(testing.TB) reconcile.Settable { return onHost{d.client, d.Host} })
}

// A server of another family than its service keeps a sync daemon from running, and the refusal says so.
func TestKernelSyncDaemonRefused(t *testing.T) {
	d := newDirector(t, "director")
	s := ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("[2001:db8::1]:80")), Scheduler: "rr", Granularity: 128}
	mixed := ipvs.Destination{Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: ipvs.Tun, Weight: 1}
	apply(t, d.client, ipvs.Command{Op: ipvs.NewService, Service: s}, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: mixed})
	tuner := reconcile.NewTuner(onHost{d.client, d.Host})
	want := desired.Settings{{Name: "sync daemon master", Daemon: ipvs.SyncDaemon{Interface: "dummy0"}}}
	got := tune(t, tuner, start, want, desired.Changed{})
	if len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Err.Error(), "of another IP family than its service") {
		t.Fatalf("got %+v", got)
	}
	apply(t, d.client, ipvs.Command{Op: ipvs.DelService, Service: s})
	if got := tune(t, tuner, tuner.Deadline(), want, desired.Changed{}); len(got.Taken) != 1 {
		t.Errorf("without it: %+v", got)
	}
	if out := d.Run("ipvsadm", "-ln", "--daemon"); !strings.Contains(out, "mcast=dummy0") {
		t.Errorf("ipvsadm says %q", out)
	}
}

func TestKernelLaws(t *testing.T) {
	host := lab.NewHost(t, "director")
	var client *ipvsnl.Client
	if err := host.Do(func() (err error) {
		client, err = ipvsnl.Open()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	laws(t, 30, func(testing.TB) reconcile.Kernel { return client })
}
