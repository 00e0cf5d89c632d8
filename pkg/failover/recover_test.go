package failover

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
	"github.com/ipvsd/ipvsd/pkg/vrrp/vrrpio"
)

// killed is what a process left that was active until just now.
func killed(t *testing.T, c *config.Instance) *vrrpio.Remains {
	t.Helper()
	c.AdvertInterval, c.DownTimerAdverts, c.Version, c.Source = time.Hour, 3, 3, netip.MustParseAddr("192.0.2.1")
	r, now := vrrp.NewRouter(), time.Now()
	r.Change(now, []vrrp.Instance{c.Instance}, nil)
	r.Step(now, vrrp.Startup{Instance: c.Name})
	now = r.Deadline()
	r.Step(now, vrrp.Tick{})
	rec := r.Record(vrrp.BootID{})
	r.Enter(rec, 0, now, now, vrrpio.Uptime(), vrrp.CodecStanding{})
	text, _ := rec.Changed()
	remains, err := vrrp.ParseRecord(text)
	if err != nil || remains.Left([]vrrp.Instance{c.Instance}, vrrpio.Uptime()) == 0 {
		t.Fatal(err)
	}
	return remains
}

// After a crash the runner hears who has all its addresses. Who goes on wishes for them before the keeper begins, is told of as a role and
// as one line of the log, and scripts hear nothing; the others begin as ever. The next session is an ordinary one.
func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		one, two := instance("VI_1", 51), instance("VI_2", 52)
		s.remains, s.ready = killed(t, one), make(chan struct{})
		s.addrs = []netip.Prefix{netip.MustParsePrefix("192.0.2.51/24"), netip.MustParsePrefix("192.0.2.1/24")}
		s.wentOn = []vrrp.Action{
			vrrp.WentOn{Instance: "VI_1", Priority: 90}, became("VI_2", vrrp.Initialize, vrrp.Backup),
		}
		s.Change(&config.VRRP{
			Instances: []*config.Instance{one, two}, Groups: []*config.Group{groupOf("G1", "VI_1")},
		})
		told := s.told()
		if want := "runner recovers: map[VI_1:true VI_2:false]"; !slices.Contains(told, want) {
			t.Errorf("%q, want %q", told, want)
		}
		if i, j := slices.Index(told, "wish VI_1: 192.0.2.51/24"), slices.Index(told, "keeper begins"); i < 0 || j < i {
			t.Errorf("%q: the keeper begins before it has the wish", told)
		}
		if slices.ContainsFunc(told, func(l string) bool { return strings.Contains(l, "script /n VI_1") }) {
			t.Errorf("%q: scripts were told already", told)
		}
		if s.roles["VI_1"] != vrrp.Active || s.roles["VI_2"] != vrrp.Backup {
			t.Errorf("roles %v", s.roles)
		}
		if log := s.log.String(); strings.Count(log, `msg="went on as MASTER" instance=VI_1 priority=90`) != 1 {
			t.Error(log)
		}
		s.report([]vrrp.Action{became("VI_1", vrrp.Fault, vrrp.Active)})
		s.wantOf("active once more", "script")
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup)})
		s.wantOf("yields", "script", "script /n VI_1 backup", "script /n any INSTANCE VI_1 BACKUP 100")
		s.stop()
	})
}
