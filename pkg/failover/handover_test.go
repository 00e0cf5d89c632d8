package failover

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// teller is a Handover that writes down what it is told.
type teller struct{ *stage }

func (h teller) Prepare(ctx context.Context) {
	h.note("prepare")
	<-ctx.Done() // it takes longer than anybody waits
}
func (h teller) Gives(instance string) { h.note("gives %s", instance) }
func (h teller) Takes(instance string) { h.note("takes %s", instance) }

func planned(name string) vrrp.Became {
	b := became(name, vrrp.Backup, vrrp.Active)
	b.Planned = true
	return b
}

// silentFor are the places at which VI_1 wishes to be silent.
func (s *stage) silent(when string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, at := range s.wishes["VI_1"].Silent {
		got = append(got, at.String())
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: silent at %q, want %q", when, got, want)
	}
}

// With Stay nobody is told of the stop, and what an active instance wishes for stays.
func TestStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.stay = true
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51), instance("VI_2", 52)}})
		s.told()
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
		s.told()
		s.stop()
		s.want("at the stop", "abandoned", "runner fails", "wish VI_1: 192.0.2.51/24", "keeper ends", "tracker ends", "watch ends",
			"script /n VI_1 stop", "script /n any INSTANCE VI_1 STOP 100")
		if s.wishes["VI_2"].Stays || !s.wishes["VI_1"].Stays {
			t.Errorf("%+v", s.wishes)
		}
	})
}

// Who takes the role from a router that is alive is silent for a while, at its own addresses; who takes it from one that crashed is not.
// The Handover hears of those that are planned, and of who yields.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.handover = teller{s}
		at := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.51:80"), netip.MustParseAddrPort("192.0.2.52:80"), netip.MustParseAddrPort("192.0.2.51:443")}
		s.Balanced(at)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.report([]vrrp.Action{became("VI_1", vrrp.Initialize, vrrp.Backup), became("VI_1", vrrp.Backup, vrrp.Active)})
		s.silent("taken from nobody")
		s.told()
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup)})
		s.wantOf("yields", "gives", "gives VI_1")
		s.report([]vrrp.Action{planned("VI_1")})
		s.silent("taken", "192.0.2.51:80", "192.0.2.51:443")
		s.wantOf("taken", "takes", "takes VI_1")
		<-time.After(silence - 1)
		s.silent("until the end", "192.0.2.51:80", "192.0.2.51:443")
		s.Balanced(at[:1])
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.silent("after a reload", "192.0.2.51:80")
		<-time.After(1)
		s.silent("after the end")
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup), planned("VI_1")})
		<-time.After(silence / 2)
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup), planned("VI_1")})
		<-time.After(silence - 1)
		s.silent("the second time counts", "192.0.2.51:80")
		<-time.After(1)
		s.silent("at last")
		s.stop()
	})
}

// Connections are told of before priority 0, for a limited time, and only where there is a role to hand over.
func TestPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.handover = teller{s}
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.told()
		if err := s.Switchover(t.Context(), "VI_1"); err != nil {
			t.Error(err)
		}
		s.want("as a backup", "switchover VI_1")
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
		s.told()
		began := time.Now()
		if err := s.Switchover(t.Context(), "VI_1"); err != nil {
			t.Error(err)
		}
		s.want("when active", "prepare", "switchover VI_1")
		if took := time.Since(began); took != preparation {
			t.Errorf("it takes %v", took)
		}
		go s.stop()
		synctest.Wait()
		s.want("at the stop", "prepare")
		<-time.After(preparation)
		s.wantOf("and then", "switchover", "switchover VI_1")
		<-time.After(time.Hour)
	})
}
