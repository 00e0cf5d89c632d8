package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/alert/teller"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// mute are virtual routers that don't answer.
type mute struct{ status.VRRP }

func (s mute) Status(context.Context) (status.VRRP, error) { return s.VRRP, errors.New("no answer") }
func (s mute) Switchover(context.Context, string) error    { return nil }

func (h *house) scraper() *scraper {
	return &scraper{h.kernel.Snapshot, h.owner, mute{}, teller.New(slog.New(slog.DiscardHandler))}
}

func (h *house) scrape() *metrics.Facts {
	h.t.Helper()
	f, err := h.scraper().facts(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

// A scrape tells what the status does, of services that take the owner several portions, and makes no round for it.
func TestScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		for i := range 4 * portion / 3 {
			text.WriteString(strings.ReplaceAll(web, "192.0.2.1:80", fmt.Sprintf("192.0.2.1:%d", 1000+i)))
		}
		text.WriteString("[global_defs.metrics]\nmax_servers = 7\n")
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text.String(), second)
		h.pass(5 * time.Second)
		before := h.rounds()
		f := h.scrape()
		if n := h.rounds(); n != before {
			t.Errorf("%d rounds for a scrape", n-before)
		}
		s := h.status()
		if len(f.Services) != 4*portion/3 || !f.Read || f.Limits != (metrics.Limits{PerServer: true, Servers: 7}) || f.VRRP.Error != "no answer" {
			t.Errorf("%d services, read %t, %+v, %q", len(f.Services), f.Read, f.Limits, f.VRRP.Error)
		}
		if diff := cmp.Diff(s.Services, f.Services, cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})); diff != "" {
			t.Errorf("status and metrics (-status +metrics):\n%s", diff)
		}
		if f.Rounds.Count == 0 || f.Rounds.Steps < uint64(len(f.Services)) || f.Rounds.Took.Count < f.Rounds.Count {
			t.Errorf("%+v", f.Rounds)
		}
	})
}

// A reload between two portions has the scrape begin again, so that it tells of one configuration.
func TestScrapeOfAReload(t *testing.T) {
	o, _ := ownerOf(t, 3000)
	asked := 0
	go func() {
		for request := range o.requests {
			if asked++; asked == 2 {
				cfg, problems := config.Load("other.toml", []byte(web))
				o.adopt(cfg, problems, time.Now())
			}
			request(t.Context())
		}
	}()
	defer close(o.requests)
	f, err := o.gather(t.Context(), nil)
	if err != nil || asked != 2 || len(f.Services) != 1 || f.Services[0].Key != webKey || f.Config.File != o.files.config {
		t.Errorf("asked %d times for %d services: %v", asked, len(f.Services), err)
	}
}

// The services of a group come in portions, too.
func TestScrapeOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const group = "[virtual_server_group.G]\naddress = [\"10.1.0.0/21:80\"]\n"
		h := start(t, new(ipvstest.Kernel), t.TempDir(), group+strings.Replace(web, `address = "192.0.2.1:80"`, `group = "G"`, 1))
		services := len(h.scrape().Services)
		if services <= portion {
			t.Fatalf("%d services", services)
		}
		f := h.figures(time.Now())
		for next, before := (mark{}), 0; next.virtual < len(h.cfg.VirtualServers); before = len(f.Services) {
			next = h.addServices(f, nil, next, time.Now())
			if n := len(f.Services) - before; n > portion {
				t.Fatalf("%d services at once", n)
			}
		}
		if len(f.Services) != services {
			t.Errorf("%d services of %d", len(f.Services), services)
		}
		h.stop()
	})
}

// A table that can't be read is no reason to tell nothing.
func TestScrapeWithoutTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(5 * time.Second)
		s := h.scraper()
		s.table = func(context.Context) (ipvs.Table, error) { return nil, ipvs.ErrUnavailable }
		f, err := s.facts(t.Context())
		if err != nil || f.Read || len(f.Services) != 1 || f.Services[0].Servers[0].Health != health.Up {
			t.Errorf("%+v, %v", f, err)
		}
	})
}
