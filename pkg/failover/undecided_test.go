package failover

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// At the start the addresses that a process before has left stay until their instance has another role than the first, or somebody is heard; until
// then it is presumed to be active. A reload in between decides nothing. Where not all of them are there, there is nothing to decide.
func TestUndecided(t *testing.T) {
	for _, c := range []struct {
		name    string
		action  vrrp.Action
		decided bool
		role    vrrp.State
	}{
		{"listens", became("VI_1", vrrp.Initialize, vrrp.Backup), false, vrrp.Active},
		{"heard", vrrp.Heard{Instance: "VI_1"}, true, vrrp.Initialize},
		{"active", became("VI_1", vrrp.Backup, vrrp.Active), true, vrrp.Active},
		{"went on", vrrp.WentOn{Instance: "VI_1"}, true, vrrp.Active},
		{"fault", became("VI_1", vrrp.Initialize, vrrp.Fault), true, vrrp.Fault},
		{"stopped", became("VI_1", vrrp.Backup, vrrp.Initialize), true, vrrp.Initialize},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := prepare(t)
				s.addrs = []netip.Prefix{netip.MustParsePrefix("192.0.2.51/24"), netip.MustParsePrefix("192.0.2.52/24")}
				undecided := func(name string) bool {
					synctest.Wait()
					s.mu.Lock()
					defer s.mu.Unlock()
					w := s.wishes[name]
					if w.Undecided && (len(w.Addresses) > 0 || w.Announce != nil || len(w.Denied) == 0) {
						t.Errorf("it wishes %v", w)
					}
					return w.Undecided
				}
				one, part, none := instance("VI_1", 51), instance("part", 52), instance("none", 54)
				one.Active.Denied = []netip.Addr{netip.MustParseAddr("192.0.2.51")}
				part.Active.Addresses = append(part.Active.Addresses, vip.Address{Prefix: netip.MustParsePrefix("192.0.2.53/24"), Dev: "eth0"})
				none.Active.Addresses = nil
				s.Change(&config.VRRP{Instances: []*config.Instance{one, part, none}})
				if roles := s.Presume(); len(roles) != 1 || roles["VI_1"] != vrrp.Active {
					t.Errorf("presumed: %v", roles)
				}
				if log := s.log.String(); !strings.Contains(log, "were left here") || !strings.Contains(log, "[VI_1]") {
					t.Error(log)
				}
				s.begin()
				if !undecided("VI_1") || undecided("part") || undecided("none") {
					t.Error("what is decided at the start?")
				}
				s.Change(&config.VRRP{Instances: []*config.Instance{one, instance("later", 52)}})
				if !undecided("VI_1") || undecided("later") {
					t.Error("a reload decides, or has what is new be undecided")
				}
				s.report([]vrrp.Action{c.action})
				if undecided("VI_1") == c.decided {
					t.Errorf("decided: %v, want %v", !c.decided, c.decided)
				}
				s.mu.Lock()
				if s.roles["VI_1"] != c.role {
					t.Errorf("it is told to be %v, want %v", s.roles["VI_1"], c.role)
				}
				s.mu.Unlock()
				s.stop()
			})
		})
	}
}

// Who is told to stop without a word has also what it found stay. An upgrade hands on what is not decided, and a later session begins anew.
func TestUndecidedEnds(t *testing.T) {
	begin := func(t *testing.T, stay bool) *stage {
		s := prepare(t)
		s.stay = stay
		s.addrs = []netip.Prefix{netip.MustParsePrefix("192.0.2.51/24")}
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.Presume()
		s.begin()
		s.report([]vrrp.Action{became("VI_1", vrrp.Initialize, vrrp.Backup)})
		synctest.Wait()
		return s
	}
	t.Run("stay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, true)
			s.stop()
			if w := s.wishes["VI_1"]; !w.Stays || !w.Undecided {
				t.Errorf("%+v", w)
			}
		})
	})
	t.Run("upgrade", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, false)
			standing, thaw, err := s.Freeze(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			thaw()
			if !standing.Members[0].Open || standing.Roles()["VI_1"] != vrrp.Active {
				t.Errorf("%+v", standing.Members)
			}
			s.stop()
		})
	})
	t.Run("failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, false)
			s.fails <- errors.New("no sockets")
			synctest.Wait()
			if s.members["VI_1"].role.open.Load() {
				t.Error("it is still undecided")
			}
			s.stop()
		})
	})
}
