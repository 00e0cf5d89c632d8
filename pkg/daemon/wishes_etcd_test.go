package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/etcd/etcdtest"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// meeting is the configuration of a director that meets others at an etcd.
func meeting(address string) string {
	return fmt.Sprintf("[global_defs.wishes]\netcd = [%q]\n", address) + web
}

// Two directors that know nothing but an etcd want the same of servers; that it is away is in the status and in the metrics, and reloads
// take it away and bring it back. Here it is a third house.
func TestWishesMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const at = "http://10.0.0.5:2379"
		defer wires.Clear()
		middle := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		wires.Store(at, middle)
		one, two := start(t, new(ipvstest.Kernel), t.TempDir(), meeting(at)), start(t, new(ipvstest.Kernel), t.TempDir(), meeting(at))
		one.pass(time.Second)
		s := one.ordered(control.Order{Verb: control.Drain, Server: first.String(), Reason: "disk"})
		if len(s.Directors) != 1 || !s.Directors[0].Etcd || !s.Directors[0].InStep {
			t.Errorf("%+v", s.Directors)
		}
		two.pass(15 * time.Second)
		if w := two.wished(); !slices.Equal(w, []string{"198.51.100.1:80 drain alice disk"}) {
			t.Errorf("%q", w)
		}
		two.wantWeights("drained over there", "1:0 2:1 3:1")

		wires.Delete(at)
		one.pass(15 * time.Second)
		d := one.status().Directors
		if len(d) != 1 || d[0].Error != "connection refused" || d[0].Title() != "etcd" || !strings.HasPrefix(d[0].State(time.Now()), "can't be told for ") {
			t.Errorf("%+v", d)
		}
		var text strings.Builder
		encode := func(f *dto.MetricFamily) error { _, err := expfmt.MetricFamilyToText(&text, f); return err }
		if err := metrics.Collect(one.scrape(), encode); err != nil || !strings.Contains(text.String(), "\nipvsd_director_reachable{director=\"etcd\"} 0\n") {
			t.Errorf("%v: %s", err, text.String())
		}

		one.write(web)
		if one.reloaded(); len(one.status().Directors) != 0 {
			t.Errorf("removed: %+v", one.status().Directors)
		}
		wires.Store(at, middle)
		one.write(strings.Replace(meeting(at), "[[virtual", "[global_defs.peers.etcd]\naddress = \"two.example.org:9443\"\ntoken_file = \"/nowhere\"\n[[virtual", 1))
		one.reloaded()
		one.pass(15 * time.Second)
		d = one.status().Directors
		if len(d) != 2 || d[0].Name == d[1].Name || slices.IndexFunc(d, func(d status.Director) bool { return d.Etcd && d.InStep }) < 0 {
			t.Errorf("with a director that is called etcd: %+v", d)
		}
		for _, h := range []*house{one, two, middle} {
			h.stop()
		}
	})
}

// The parties of a configuration reach a real etcd.
func TestWishesReach(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	cfg, problems := config.Load("ipvsd.toml", []byte(meeting(e.Address)))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	list := parties(&cfg.GlobalDefs)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	now := time.Now()
	w := admin.Wish{Server: admin.Server{AddrPort: netip.MustParseAddrPort(first.String())}, What: admin.Drain, Owner: "alice", Since: now}
	m, err := admin.State{}.Set(w).Message(now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, told := range []admin.Message{m, {At: now}} { // by another one each
		there := reach(list[0])
		answer, err := there.Exchange(ctx, told)
		if err != nil || answer.Digest != m.Digest {
			t.Errorf("%v: %+v", err, answer)
		}
		if c, closes := there.(interface{ Close() error }); !closes || c.Close() != nil {
			t.Errorf("%T", there)
		}
	}
}
