package vrrpio

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// One that is held opens its sockets and says nothing. It goes on where the other one stands still, without a change of state, and the
// backup misses nothing; and one that could not go on is not missed either.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		active, backup := n.start(t, 1, virtual(7, 150)), n.start(t, 2, virtual(7, 100))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		active.is("VI_7", vrrp.Active)

		next := n.process(t, 1, true)
		next.Interfaces(eth0(1, 1))
		next.Change([]vrrp.Instance{virtual(7, 150)}, nil)
		<-next.Ready()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		next.is("VI_7", vrrp.Initialize)
		_, thaw, err := active.Freeze(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		thaw() // as if the next one had failed
		time.Sleep(10 * time.Second)
		synctest.Wait()
		active.is("VI_7", vrrp.Active)

		s, thaw, err := active.Freeze(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sent := s.Instances[0].Counters.Sent
		next.Resume(s)
		synctest.Wait()
		next.is("VI_7", vrrp.Active)
		if got := next.status("VI_7"); got.Counters.Sent != sent+1 || got.Counters.BecameActive != 1 {
			t.Errorf("%+v", got.Counters)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		next.is("VI_7", vrrp.Active)
		backup.is("VI_7", vrrp.Backup)
		if got := backup.status("VI_7"); got.Counters.BecameActive != 0 {
			t.Errorf("the backup took over: %+v", got.Transitions)
		}
		if got := next.took(); len(got) != 0 {
			t.Errorf("it tells of %+v", got)
		}
		next.cancel()
		backup.cancel()
		active.Abandon()
		thaw()
		active.cancel()
	})
}

// Who no longer waits for a standstill hears why, and the routers go on.
func TestFreezeThatIsGivenUp(t *testing.T) {
	why := errors.New("the daemon stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	r := New(Options{}) // which does not run yet, as one whose kernel is slow
	if _, _, err := r.Freeze(ctx); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}
