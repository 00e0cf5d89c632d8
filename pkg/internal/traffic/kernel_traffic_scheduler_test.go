//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// scheduled is a scheduler at work for three servers with weights 3, 2 and 1.
type scheduled struct {
	scheduler string   // and its flags, as ipvsadm shows them
	flags     []string // as the configuration has to say it
	shares    string   // of six requests, one after the other; empty if any will do
}

var schedulers = []scheduled{
	{"rr", nil, "2 2 2"},
	{"wrr", nil, "3 2 1"},
	{"lc", nil, ""},
	{"wlc", nil, ""},
	{"sed", nil, ""},
	{"nq", nil, ""},
	{"fo", nil, "6 0 0"},
	{"ovf", nil, ""},
	{"dh", nil, "one"}, // of one address of the service
	{"lblc", nil, "one"},
	{"lblcr", nil, "one"},
	{"sh", nil, "one"}, // of one client
	{"sh (sh-fallback)", []string{"sh-fallback = true"}, "one"},
	{"sh (sh-port)", []string{"sh-port = true"}, ""},
	{"sh (sh-fallback,sh-port)", []string{"sh-fallback = true", "sh-port = true"}, ""},
	{"mh", []string{"mh-fallback = false"}, "one"},
	{"mh (mh-fallback)", []string{"mh-fallback = true"}, "one"},
	{"mh (mh-port)", []string{"mh-port = true", "mh-fallback = false"}, ""},
	{"mh (mh-fallback,mh-port)", []string{"mh-fallback = true", "mh-port = true"}, ""},
}

// vip is the address of a scheduler's service, in one of both families.
func (s scheduled) vip(i int) netip.AddrPort {
	if i%2 == 1 {
		return port(lab.WebVIP6, uint16(8000+i))
	}
	return port(lab.WebVIP, uint16(8000+i))
}

// config is a service of the scheduler at an address.
func (s scheduled) config(vip netip.AddrPort, servers []*lab.Server) string {
	algo, _, _ := strings.Cut(s.scheduler, " ")
	text := fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nTCP_CHECK = false\nlb_algo = %q\n", vip, algo)
	for _, f := range s.flags {
		text += f + "\n"
	}
	for i, server := range servers {
		at := server.Addr
		if vip.Addr().Is6() {
			at = server.IPv6
		}
		text += fmt.Sprintf("[[virtual_server.real_server]]\naddress = %q\nweight = %d\n", at, len(servers)-i)
	}
	return text
}

// TestKernelTrafficSchedulers: all of them carry requests, to the servers that they are known to choose.
func TestKernelTrafficSchedulers(t *testing.T) {
	c := lab.NewWebCluster(t)
	var config string
	for i, s := range schedulers {
		config += s.config(s.vip(i), c.Web)
	}
	ipvsd.Start(t, c.Director, config)
	shown := map[string]string{}
	for _, r := range c.Director.Table() {
		if r.Server == "" {
			shown[r.Service] = strings.Join(r.Fields, " ")
		}
	}
	for i, s := range schedulers {
		vip := s.vip(i)
		if got := shown["TCP "+vip.String()]; got != s.scheduler {
			t.Errorf("ipvsadm shows %q, want %q", got, s.scheduler)
		}
		by := map[string]int{}
		for range 6 {
			answer, err := c.Client.Get(vip)
			if err != nil {
				t.Fatalf("%s: %v", s.scheduler, err)
			}
			by[answer.Server]++
		}
		switch got := fmt.Sprint(by["web1"], by["web2"], by["web3"]); {
		case s.shares == "one" && len(by) != 1, s.shares != "one" && s.shares != "" && got != s.shares:
			t.Errorf("%s: shares %s, want %s", s.scheduler, got, s.shares)
		default:
			t.Logf("%s: shares %s", s.scheduler, got)
		}
	}
}

const limited = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false

[[virtual_server.real_server]]
address = "10.0.100.2:80"
uthreshold = 2

[[virtual_server.real_server]]
address = "10.0.100.3:80"
`

// TestKernelTrafficThreshold: a server with as many connections as it may have gets no more; the others get them, until it may
// have more.
func TestKernelTrafficThreshold(t *testing.T) {
	c := lab.NewWebCluster(t)
	d := ipvsd.Start(t, c.Director, limited)
	for range 4 { // two for each server
		conn, err := c.Client.DialContext(t.Context(), "tcp", lab.WebVIP.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // nothing was written
	}
	thresholds := func(want string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, "the thresholds", func() error {
			rows, err := c.Director.ReadTable("--thresholds")
			if got := fmt.Sprint(rows); err == nil && !strings.Contains(got, want) {
				err = fmt.Errorf("ipvsadm shows %s, want %s", got, want)
			}
			return err
		})
	}
	ask := page(c.Client, lab.WebVIP)
	thresholds("-> 10.0.100.2:80 2 0 2 0")
	if got := asked(t, ask, ask, ask, ask); slices.Contains(got, "web1") {
		t.Errorf("with web1 full, answers of %s", got)
	}
	d.Load(strings.Replace(limited, "uthreshold = 2", "uthreshold = 100", 1))
	thresholds("-> 10.0.100.2:80 100 0 2 0")
	if got := asked(t, ask, ask, ask, ask); turns(got) != "abab" {
		t.Errorf("with web1 open again, answers of %s, want both in turn", got)
	}
}
