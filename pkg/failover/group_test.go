package failover

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// A sync group is all or none also where the keys of one member can't be read.
func TestGroupWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		locked := instance("VI_2", 52)
		locked.HMAC, locked.KeyFiles = &vrrp.HMAC{}, map[uint8]string{1: t.TempDir() + "/none"}
		s.Change(&config.VRRP{
			Instances: []*config.Instance{instance("VI_1", 51), locked, instance("VI_3", 53)},
			Groups:    []*config.Group{groupOf("G1", "VI_1", "VI_2")},
		})
		s.wantOf("without a key", "instances", "instances VI_3, group G1")
		got, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range got.Instances[:2] {
			if i.State != "FAULT" || !strings.Contains(i.Reason, "/none: no such file") {
				t.Errorf("%s %s: %s", i.Name, i.State, i.Reason)
			}
		}
		s.stop()
	})
}

// While the addresses linger, nothing more is announced: neither the second burst nor a refresh.
func TestLingerIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		one := instance("VI_1", 51)
		one.Active.Announce = &vip.Announce{Repeat: 5}
		s.Change(&config.VRRP{Instances: []*config.Instance{one}})
		s.told()
		for _, c := range []struct {
			became    vrrp.Became
			announces bool
		}{
			{became("VI_1", vrrp.Backup, vrrp.Active), true},
			{became("VI_1", vrrp.Active, vrrp.Backup), false},
			{became("VI_1", vrrp.Backup, vrrp.Active), true},
		} {
			s.report([]vrrp.Action{c.became})
			if w := s.wishes["VI_1"]; len(w.Addresses) != 1 || w.Announce != nil != c.announces {
				t.Errorf("%s: %d addresses, %+v", c.became.To, len(w.Addresses), w.Announce)
			}
		}
		s.stop()
	})
}
