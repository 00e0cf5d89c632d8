//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// dnsperf asks a name server of the lab until stop is called, in runs of new clients. It counts as ab does in bench.
func dnsperf(t *testing.T, h *lab.Host, at netip.AddrPort) (b *benched, stop func()) {
	t.Helper()
	questions := filepath.Join(t.TempDir(), "questions")
	if err := os.WriteFile(questions, []byte(strings.Repeat("www.lab.local A\nwhoami.lab.local TXT\n", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	b = &benched{runs: make(chan struct{}, 1)}
	return b, ipvsd.Until(t.Context(), func() {
		out, err := h.Output("dnsperf", "-s", at.Addr().String(), "-p", fmt.Sprint(at.Port()), "-d", questions, "-n", "1", "-c", "4", "-q", "8", "-t", "30")
		words := strings.Join(strings.Fields(out), " ")
		b.count(80, strings.Contains(words, "Queries completed: 80 (100.00%) Queries lost: 0 (0.00%)") &&
			strings.Contains(words, "Response codes: NOERROR 80 (100.00%)"), out, err)
	})
}

// While dnsperf asks, a name server is drained, under schedulers that go round, weigh, count and hash, and with persistence. No query is lost, the
// others answer all new clients, and after the drain the server has its share again.
func TestKernelDrainDNS(t *testing.T) {
	c := lab.NewNATCluster(t)
	const persistent = "lb_algo = 'rr'\npersistence_timeout = 300\n"
	services := []string{
		"lb_algo = 'rr'\n", "lb_algo = 'wrr'\n", "lb_algo = 'lc'\n", "lb_algo = 'mh'\nmh-port = true\n", "lb_algo = 'sh'\nsh-port = true\nsh-fallback = true\n", persistent,
	}
	config := "[global_defs]\nlvs_timeouts = \"udp 2\"\n"
	for i, options := range services {
		config += fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"UDP\"\n%sTCP_CHECK = false\n", port(lab.DNSVIP, uint16(7200+i)), options)
		for _, s := range c.DNS {
			config += fmt.Sprintf("[[virtual_server.real_server]]\naddress = %q\nname = %q\n", s.Addr, s.Host.Name)
		}
	}
	d := ipvsd.Start(t, c.Director, config)
	for i, options := range services {
		vip := port(lab.DNSVIP, uint16(7200+i))
		service := "UDP " + vip.String()
		load, stop := dnsperf(t, c.Client, vip)
		load.wait(t)
		own := c.DNS[0] // or whom this client has
		if options == persistent {
			for _, s := range c.DNS {
				if row := d.Row(service, s.Addr.String()); !strings.HasSuffix(row, " 0 0") {
					own = s
				}
			}
		}
		if out := d.Ctl("drain", own.Addr.String(), "--service", strings.ToLower(service), "--wait", "--deadline", "1h"); !strings.Contains(out, "drained after") {
			t.Errorf("%s: %s", options, out)
		}
		lab.WaitFor(t, ipvsd.Patience, "counters that stand still", func() error {
			before := d.Served(service, own.Addr.String())
			load.wait(t)
			if after := d.Served(service, own.Addr.String()); after != before {
				return fmt.Errorf("%s: connections %s, then %s", options, before, after)
			}
			return nil
		})
		seen := lab.NewCapture(own.Host, "eth0", "udp dst port 53")
		before := d.Served(service, own.Addr.String())
		load.wait(t)
		if asked := seen.Stop(); len(asked) > 0 {
			t.Errorf("%s: it drains, but is asked: %s", options, asked[0])
		}
		if after := d.Served(service, own.Addr.String()); after != before {
			t.Errorf("%s: it drains, and has had connections: %s, before %s", options, after, before)
		}
		d.Ctl("undrain", own.Addr.String(), "--service", strings.ToLower(service))
		if options != persistent {
			lab.WaitFor(t, ipvsd.Patience, "its share again", func() error {
				if after := d.Served(service, own.Addr.String()); after == before {
					return fmt.Errorf("%s: connections still %s", options, after)
				}
				return nil
			})
		}
		stop()
		for _, failed := range load.failed {
			t.Errorf("%s: %s", options, failed)
		}
	}
}
