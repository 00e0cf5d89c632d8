//go:build kernel

package table

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// grouped is a group of all that may be in one, and two servers of each family for it.
const grouped = `
[virtual_server_group.ALL]
address = [
  "192.0.2.1:80",
  "10.0.255.250-10.1.0.5:80",
  "198.51.100.8/29:8080",
  "[2001:db8::1]:80",
  "[2001:db8::fffc-2001:db8::1:3]:80",
  "[2001:db8:1::10/126]:8080",
]
fwmark = ["7 inet", "7 inet6", "4000000000 inet"]

[[virtual_server]]
group = "ALL"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["203.0.113.1:80", "203.0.113.2:80", "[2001:db8:9::1]:80", "[2001:db8:9::2]:80"]
`

// run lists a number of addresses from one on, with a port, as ipvsadm does.
func run(from string, number int, port uint16) (services []string) {
	addr := netip.MustParseAddr(from)
	for range number {
		services = append(services, "TCP "+netip.AddrPortFrom(addr, port).String())
		addr = addr.Next()
	}
	return services
}

// members returns the services of a table; all must have the two servers of their family.
func members(t *testing.T, h *lab.Host) (services []string) {
	t.Helper()
	servers := map[string][]string{}
	for _, r := range h.Table() {
		if r.Server == "" {
			services = append(services, r.Service)
			continue
		}
		servers[r.Service] = append(servers[r.Service], r.String())
	}
	for _, s := range services {
		want := []string{"-> 203.0.113.1:80 Masq 1 0 0", "-> 203.0.113.2:80 Masq 1 0 0"}
		if strings.Contains(s, "[") || strings.Contains(s, "IPv6") {
			want = []string{"-> [2001:db8:9::1]:80 Masq 1 0 0", "-> [2001:db8:9::2]:80 Masq 1 0 0"}
		}
		got := servers[s]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the servers %q, want %q", s, got, want)
		}
	}
	slices.Sort(services)
	return services
}

// TestKernelGroup: every entry of a group is a service, be it an address, one of a range or of a network, or a mark, and across
// the limits of 8 and of 16 bits; an edit of one entry writes of that one alone.
func TestKernelGroup(t *testing.T) {
	director := lab.NewHost(t, "director")
	config := grouped
	writes := ipvsd.NewWatch(t, director, ipvsd.WriteRequests)
	d := ipvsd.Start(t, director, config)
	want := slices.Concat(
		run("192.0.2.1", 1, 80), run("10.0.255.250", 12, 80), run("198.51.100.8", 8, 8080),
		run("2001:db8::1", 1, 80), run("2001:db8::fffc", 8, 80), run("2001:db8:1::10", 4, 8080),
		[]string{"FWM 7", "FWM 7 IPv6"})
	// Marks beyond 31 bits ipvsadm shows as negative numbers.
	for _, mark := range []uint32{4_000_000_000} {
		want = append(want, fmt.Sprintf("FWM %d", int32(mark)))
	}
	slices.Sort(want)
	if got := members(t, director); !slices.Equal(got, want) {
		t.Fatalf("ipvsadm -Ln shows too much %q, too little %q", ipvsd.Missing(got, want), ipvsd.Missing(want, got))
	}

	for _, e := range []struct {
		old, new   string
		gone, come []string
	}{
		{`"192.0.2.1:80"`, `"192.0.2.1:80", "192.0.2.9:80"`, nil, run("192.0.2.9", 1, 80)},
		{`"192.0.2.1:80", `, "", run("192.0.2.1", 1, 80), nil},
		{"10.1.0.5:80", "10.1.0.7:80", nil, run("10.1.0.6", 2, 80)},
		{"10.0.255.250-", "10.0.255.254-", run("10.0.255.250", 4, 80), nil},
		{"198.51.100.8/29", "198.51.100.8/30", run("198.51.100.12", 4, 8080), nil},
		{`"[2001:db8::1]:80"`, `"[2001:db8::1]:81"`, run("2001:db8::1", 1, 80), run("2001:db8::1", 1, 81)},
		{"2001:db8::1:3]", "2001:db8::1:1]", run("2001:db8::1:2", 2, 80), nil},
		{"2001:db8:1::10/126]", "2001:db8:1::10/125]", nil, run("2001:db8:1::14", 4, 8080)},
		{`"7 inet", `, "", []string{"FWM 7"}, nil},
		{`"7 inet6", `, `"7 inet6", "8 inet6", `, nil, []string{"FWM 8 IPv6"}},
		// A range that becomes a network and an address is the same services: nothing is to be done.
		{`"10.0.255.254-10.1.0.7:80"`, `"10.0.255.254-10.0.255.255:80", "10.1.0.0/29:80"`, nil, nil},
	} {
		when := fmt.Sprintf("with %q for %q", e.new, e.old)
		if strings.Count(config, e.old) != 1 {
			t.Fatalf("%s: that text is there %d times", when, strings.Count(config, e.old))
		}
		config = strings.Replace(config, e.old, e.new, 1)
		sent := writes.Count()
		a := d.Load(config)
		sent = writes.Count() - sent
		got := members(t, director)
		if gone, come := ipvsd.Missing(want, got), ipvsd.Missing(got, want); !slices.Equal(gone, e.gone) || !slices.Equal(come, e.come) {
			t.Errorf("%s gone are %q, want %q; come are %q, want %q", when, gone, e.gone, come, e.come)
		}
		// A service goes with its servers, and comes before them; all are sent together.
		if steps := len(e.gone) + 3*len(e.come); len(a.Changes) != steps || sent != min(steps, 1) {
			t.Errorf("%s %d changes, want %d, in %d batches: %q", when, len(a.Changes), steps, sent, a.Changes)
		}
		want = got
	}
	if a := d.Planned(); len(a.Changes) > 0 {
		t.Errorf("the plan afterwards: %q", a.Changes)
	}

	// Without the group all its services go.
	if a := d.Load("# nothing any more\n"); len(a.Changes) != len(want) || len(director.Table()) > 0 {
		t.Errorf("%d changes for %d services, left are %q", len(a.Changes), len(want), director.Table())
	}
}
