package desired_test

import (
	"maps"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// Virtual servers that are renamed, split or joined keep the quorum as far as it is one.
func TestQuorumsUnder(t *testing.T) {
	vs := func(name string, marks ...string) *config.VirtualServer {
		v := &config.VirtualServer{Name: name}
		for _, m := range marks {
			v.Services = append(v.Services, ipvs.Service{ServiceKey: ipvstest.Service("fwmark "+m, "rr").ServiceKey})
		}
		return v
	}
	up, down, also, new := vs("up", "1", "2"), vs("down", "3"), vs("also down", "4", "5"), vs("unchecked", "6")
	was := desired.Quorums{"up": health.Up, "down": health.Down, "also down": health.Down, "unchecked": health.Unchecked}
	cfg := &config.Config{VirtualServers: []*config.VirtualServer{
		up, vs("down", "3", "9"), vs("renamed", "5"), vs("joined", "4", "6", "8"), vs("fresh", "7"),
	}}
	got := was.Under(cfg, []*config.VirtualServer{down, also, new})
	want := desired.Quorums{"up": health.Up, "down": health.Down, "renamed": health.Down, "joined": health.Down, "fresh": health.Unchecked}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = was.Under(&config.Config{VirtualServers: []*config.VirtualServer{vs("joined", "1", "3", "5")}}, []*config.VirtualServer{up, down, also})
	if want := (desired.Quorums{"joined": health.Unchecked}); !maps.Equal(got, want) {
		t.Errorf("of both: got %v, want %v", got, want)
	}
}
