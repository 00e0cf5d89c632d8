package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// other is another director; one that is silent never answers.
type other struct{ name string }

func (o other) Status(ctx context.Context) (*status.Snapshot, error) {
	if o.name == "silent" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &status.Snapshot{RouterID: o.name}, nil
}

// Other directors are asked at once, and one that is silent delays nobody for long.
func TestNeighbors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := ""
		for _, name := range []string{"lb2", "silent", "lb3"} {
			peers += "[global_defs.peers." + name + "]\naddress = \"" + name + ".example:9443\"\n"
		}
		h := start(t, new(ipvstest.Kernel), t.TempDir(), peers+web)
		h.neighbor = func(p config.Peer) snapshooter { return other{p.Name} }
		begin := time.Now()
		list, err := h.Neighbors(t.Context(), "")
		if err != nil || len(list) != 3 || time.Since(begin) != neighborPatience {
			t.Fatalf("%v after %v: %+v", err, time.Since(begin), list)
		}
		for _, n := range list {
			if silent := n.Name == "silent"; silent != errors.Is(n.Err, context.DeadlineExceeded) || !silent && n.Status.RouterID != n.Name {
				t.Errorf("%+v", n)
			}
		}
		if list, err := h.Neighbors(t.Context(), "lb3"); err != nil || len(list) != 1 || list[0].Name != "lb3" {
			t.Errorf("%v %+v", err, list)
		}
		if _, err := h.Neighbors(t.Context(), "lb9"); err == nil || !strings.Contains(err.Error(), `there is no director "lb9" in [global_defs.peers]: there is ["lb2" "lb3" "silent"]`) {
			t.Errorf("%v", err)
		}
		h.stop()
	})
}

// What changes on the disk while a configuration waits for its confirmation is taken once that is over.
func TestAutoReloadWaitsForAConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const auto = "[global_defs]\nautoreload = true\n"
		s := newSite(t)
		s.write(auto + web)
		h := s.start()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.autoReload(ctx)
		}()
		h.pass(time.Second)
		h.apply(auto+without3, time.Minute)
		s.write(auto + strings.Replace(web, `"198.51.100.1:80", `, "", 1))
		h.pass(50 * time.Second)
		h.wantServing("meanwhile", first, second)
		if _, err := h.Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.pass(30 * time.Second)
		h.wantServing("afterwards", second, third)
		cancel()
		<-ended
		h.stop()
	})
}
