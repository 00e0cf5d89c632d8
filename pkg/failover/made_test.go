package failover

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Instances wait for what the keeper makes, and for nothing else.
func TestGrace(t *testing.T) {
	track := func(kind vrrp.ObjectKind, name string) []vrrp.Track {
		return []vrrp.Track{{Object: vrrp.Object{Kind: kind, Name: name}}}
	}
	cfg := &config.VRRP{
		Static: vip.Wish{Addresses: []vip.Address{{Dev: "eth0", Prefix: netip.MustParsePrefix("192.0.2.9/24")}}},
		Groups: []*config.Group{{Group: vrrp.Group{Name: "G", Tracks: track(vrrp.TrackInterface, "vrrp.51")}}},
	}
	for _, c := range []struct {
		what string
		*config.Instance
		want time.Duration
	}{
		{"a VMAC", &config.Instance{Link: &vip.Link{Name: "vrrp.51"}}, making},
		{"another's VMAC", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackInterface, "vrrp.51")}}, making},
		{"another's VMAC, of the group", &config.Instance{Instance: vrrp.Instance{Group: "G"}}, making},
		{"a static address", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackAddress, "192.0.2.9")}}, making},
		{"a route", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackRoute, "10.0.0.0/8")}}, making},
		{"the host's interface", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackInterface, "eth0")}}, 0},
		{"the host's address", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackAddress, "192.0.2.1")}}, 0},
		{"a script", &config.Instance{Instance: vrrp.Instance{Tracks: track(vrrp.TrackScript, "true")}}, 0},
	} {
		cfg.Instances = append(cfg.Instances, c.Instance)
		if got := grace(cfg, c.Instance); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
