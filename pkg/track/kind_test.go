package track

import (
	"context"
	"sync"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// A reload that does not concern what is watched leaves the watcher alone: it knows how often a gateway was silent.
func TestWatchersStay(t *testing.T) {
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer running.Wait()
	defer cancel()
	began := make(chan map[string]config.TrackRoute, 9)
	change := func(k *kind[config.TrackRoute], all map[string]config.TrackRoute, names ...string) bool {
		objects := map[vrrp.Object]bool{{Kind: vrrp.TrackFile, Name: "gone"}: true}
		for _, name := range names {
			objects[vrrp.Object{Kind: vrrp.TrackRoute, Name: name}] = true
		}
		return k.change(ctx, &running, objects, all, func(ctx context.Context, wanted map[string]config.TrackRoute, _ <-chan struct{}) {
			began <- wanted
			<-ctx.Done()
		})
	}
	k := &kind[config.TrackRoute]{of: vrrp.TrackRoute}
	all := map[string]config.TrackRoute{"gw": {Gateway: "192.0.2.1"}, "idle": {Gateway: "192.0.2.2"}, "gone": {Gateway: "192.0.2.3"}}
	if !change(k, all, "gw", "unknown") {
		t.Error("it does not begin")
	}
	if wanted := <-began; len(wanted) != 1 || wanted["gw"] != all["gw"] {
		t.Errorf("%+v", wanted)
	}
	delete(all, "idle")
	if change(k, all, "gw") {
		t.Error("it begins anew for nothing")
	}
	all["gw"] = config.TrackRoute{Gateway: "192.0.2.9"}
	if !change(k, all, "gw") || (<-began)["gw"] != all["gw"] {
		t.Error("it does not begin anew for another gateway")
	}
	if !change(k, all) || len(began) != 0 {
		t.Error("with nothing to watch there is no watcher")
	}
}
