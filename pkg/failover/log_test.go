package failover

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// A claim to an address of ours is an event, and now and then a line in the log.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		synctest.Wait()
		lines := func() int {
			synctest.Wait()
			return strings.Count(s.log.String(), `level=WARN msg="another host says that it has an address of this one" instance=VI_1 `+
				`reason="192.0.2.51 dev eth0: 02:00:00:00:00:07 says that it has it"`)
		}
		claim := vip.Conflict{Notice: vip.Notice{Owner: "VI_1", Place: vip.Place{Addr: netip.MustParseAddr("192.0.2.51"), Dev: "eth0"}}, MAC: [6]byte{2, 0, 0, 0, 0, 7}}
		for range 50 {
			s.inbox.put(claim)
			over := claim
			over.Over = true
			s.inbox.put(over)
			<-time.After(time.Second)
		}
		if n := lines(); n != 1 {
			t.Errorf("%d lines of 50 seconds", n)
		}
		<-time.After(time.Minute)
		s.inbox.put(claim)
		if n := lines(); n != 2 {
			t.Errorf("%d lines after a while", n)
		}
		st, err := s.Status(t.Context())
		if err != nil || len(st.Instances[0].Held.Conflicts) != 1 || st.Events[0].Kind != "CONFLICT" || len(st.Events) != 51 {
			t.Errorf("%+v, %d events: %v", st.Instances[0].Held, len(st.Events), err)
		}
		s.stop()
	})
}

// A fault is a warning; who stops a director that is alone is not warned.
func TestLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		synctest.Wait()
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Fault), vrrp.Noticed{Instance: "VI_1", What: vrrp.NotHandedOver}})
		synctest.Wait()
		s.stop()
		for _, want := range []string{`level=WARN msg="virtual router changed" instance=VI_1 from=BACKUP to=FAULT`, `level=WARN msg="not handed over" instance=VI_1`} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("no line %s in\n%s", want, s.log)
			}
		}
	})
}
