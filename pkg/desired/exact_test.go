package desired_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Exact knows no checks, and keeps even what its scheduler would drop clients for.
func TestExact(t *testing.T) {
	cfg, problems := config.Load("f", []byte(`
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "dh"
sorry_server = "198.51.100.9:80"
TCP_CHECK = true
[[virtual_server.real_server]]
address = "198.51.100.2:80"
weight = 0
[[virtual_server.real_server]]
address = "198.51.100.1:80"
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
lb_algo = "rr"
sorry_server = "198.51.100.9:80"
sorry_server_inhibit = true
TCP_CHECK = true
real_servers = ["198.51.100.1:80"]
`))
	if problems.Err() != nil {
		t.Fatal(problems.Err())
	}
	key := func(s string) ipvs.ServiceKey {
		k, err := ipvs.ParseServiceKey(s)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	addr := netip.MustParseAddrPort
	owned := desired.Everything(ipvs.Table{
		{Service: ipvs.Service{ServiceKey: key("tcp 192.0.2.1:80")}, Destinations: []ipvs.DestinationStatus{
			{Destination: ipvs.Destination{Addr: addr("198.51.100.1:80")}}, {Destination: ipvs.Destination{Addr: addr("198.51.100.7:80")}},
		}},
		{Service: ipvs.Service{ServiceKey: key("udp 192.0.2.9:53")}},
	})
	for _, tt := range []struct {
		name  string
		owned desired.Owned
		want  []string
	}{
		{"all is to be so", owned, []string{
			"tcp 192.0.2.1:80", "  198.51.100.1:80 NAT weight 1", "  198.51.100.2:80 NAT weight 0", "  absent 198.51.100.7:80",
			"tcp 192.0.2.2:80", "  198.51.100.1:80 NAT weight 1", "  198.51.100.9:80 NAT weight 0",
			"absent udp 192.0.2.9:53",
		}},
		{"nothing is to go", nil, []string{
			"tcp 192.0.2.1:80", "  198.51.100.1:80 NAT weight 1", "  198.51.100.2:80 NAT weight 0",
			"tcp 192.0.2.2:80", "  198.51.100.1:80 NAT weight 1", "  198.51.100.9:80 NAT weight 0",
		}},
	} {
		var got []string
		for _, s := range desired.Exact(cfg, tt.owned) {
			absent := map[desired.Want]string{desired.Present: "", desired.Absent: "absent "}
			got = append(got, absent[s.Want]+s.ServiceKey.String())
			for _, d := range s.Destinations {
				if d.Want == desired.Present {
					got = append(got, "  "+d.Destination.String())
				} else {
					got = append(got, "  "+absent[d.Want]+d.Addr.String())
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
