package ipvs_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func TestServiceKeyRoundTrip(t *testing.T) {
	for _, c := range []struct {
		text string
		key  ipvs.ServiceKey
	}{
		{"tcp 192.0.2.1:80", ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80"))},
		{"udp 192.0.2.1:0", ipvs.AddressKey(ipvs.UDP, netip.MustParseAddrPort("192.0.2.1:0"))},
		{"sctp [2001:db8::1]:443", ipvs.AddressKey(ipvs.SCTP, netip.MustParseAddrPort("[2001:db8::1]:443"))},
		{"fwmark 7", ipvs.FWMarkKey(7, ipvs.IPv4)},
		{"fwmark 4294967295 inet6", ipvs.FWMarkKey(4294967295, ipvs.IPv6)},
	} {
		if got := c.key.String(); got != c.text {
			t.Errorf("%#v prints %q, want %q", c.key, got, c.text)
		}
		if got, err := ipvs.ParseServiceKey(c.text); err != nil || got != c.key {
			t.Errorf("%q parses to %#v, %v; want %#v", c.text, got, err, c.key)
		}
		b, err := json.Marshal(map[ipvs.ServiceKey]int{c.key: 1})
		if want := `{"` + c.text + `":1}`; err != nil || string(b) != want {
			t.Errorf("as JSON %s, %v; want %s", b, err, want)
		}
		var m map[ipvs.ServiceKey]int
		if err := json.Unmarshal(b, &m); err != nil || m[c.key] != 1 {
			t.Errorf("from JSON %v, %v", m, err)
		}
	}
}

func TestParseServiceKeyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                      `"" is not a service: write "tcp 192.0.2.1:80" or "fwmark 7"`,
		"tcp":                   `"tcp" is not a service: write "tcp 192.0.2.1:80" or "fwmark 7"`,
		"tcp 192.0.2.1:80 x":    `"tcp 192.0.2.1:80 x" is not a service: write "tcp 192.0.2.1:80" or "fwmark 7"`,
		"icmp 192.0.2.1:80":     `"icmp" is not tcp, udp or sctp`,
		"tcp 192.0.2.1":         `"192.0.2.1" is not ADDRESS:PORT`,
		"tcp 2001:db8::1:80":    `"2001:db8::1:80" is not ADDRESS:PORT`,
		"tcp 192.0.2.1:65536":   `"192.0.2.1:65536" is not ADDRESS:PORT`,
		"tcp [fe80::1%eth0]:80": `"[fe80::1%eth0]:80" has a zone, which IPVS knows nothing of`,
		"fwmark 0":              `"fwmark 0": a firewall mark is a number from 1 to 4294967295`,
		"fwmark 4294967296":     `"fwmark 4294967296": a firewall mark is a number from 1 to 4294967295`,
		"fwmark -1":             `"fwmark -1": a firewall mark is a number from 1 to 4294967295`,
		"fwmark 7 inet":         `"fwmark 7 inet": after the mark only "inet6" may follow`,
		"fwmark 7 inet6 inet6 ": `"fwmark 7 inet6 inet6 " is not a service: write "tcp 192.0.2.1:80" or "fwmark 7"`,
	} {
		if got, err := ipvs.ParseServiceKey(text); err == nil || err.Error() != want {
			t.Errorf("%q parses to %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseNames(t *testing.T) {
	for _, p := range []ipvs.Protocol{ipvs.TCP, ipvs.UDP, ipvs.SCTP} {
		if got, err := ipvs.ParseProtocol(p.String()); err != nil || got != p {
			t.Errorf("%v parses to %v, %v", p, got, err)
		}
	}
	for _, f := range []ipvs.Forward{ipvs.NAT, ipvs.Tun, ipvs.DR} {
		if got, err := ipvs.ParseForward(f.String()); err != nil || got != f {
			t.Errorf("%v parses to %v, %v", f, got, err)
		}
	}
	if _, err := ipvs.ParseForward("LOCAL"); err == nil {
		t.Error("LOCAL can be configured")
	}
	for got, want := range map[string]string{
		ipvs.Protocol(47).String():   "47",
		ipvs.Family(1).String():      "family 1",
		ipvs.IPv4.String():           "inet",
		ipvs.Forward(6).String():     "forward 6",
		ipvs.Local.String():          "LOCAL",
		ipvs.Bypass.String():         "BYPASS",
		ipvs.Op(9).String():          "op 9",
		ipvs.Version(66049).String(): "1.2.1",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The order of lists and plans: addresses, IPv4 first, then ports, then protocols; at last the firewall marks.
func TestTableSortAndFind(t *testing.T) {
	keys := []string{
		"tcp 192.0.2.1:80", "udp 192.0.2.1:80", "tcp 192.0.2.1:443", "tcp 192.0.2.2:80", "udp 192.0.2.10:1",
		"tcp [2001:db8::1]:80", "sctp [2001:db8::1]:80", "tcp [2001:db8::2]:1", "fwmark 1", "fwmark 1 inet6", "fwmark 2",
	}
	servers := []string{"192.0.2.9:80", "192.0.2.9:81", "192.0.2.10:1", "[2001:db8::1]:80"}
	var want ipvs.Table
	for _, k := range keys {
		key, err := ipvs.ParseServiceKey(k)
		if err != nil {
			t.Fatal(err)
		}
		s := ipvs.ServiceStatus{Service: ipvs.Service{ServiceKey: key}}
		for _, a := range servers {
			s.Destinations = append(s.Destinations, ipvs.DestinationStatus{
				Destination: ipvs.Destination{Addr: netip.MustParseAddrPort(a)},
			})
		}
		want = append(want, s)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		got := slices.Clone(want)
		random.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		for i := range got {
			d := slices.Clone(got[i].Destinations)
			random.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
			got[i].Destinations = d
		}
		got.Sort()
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("sorted: %v\nwant: %v", got, want)
		}
		for i := range got {
			if got.Find(want[i].ServiceKey) != &got[i] {
				t.Errorf("%v is not found", want[i].ServiceKey)
			}
		}
	}
	if s, d := want.Len(); s != len(keys) || d != len(keys)*len(servers) {
		t.Errorf("%d services, %d destinations", s, d)
	}
	if got := want.Find(ipvs.FWMarkKey(3, ipvs.IPv4)); got != nil {
		t.Errorf("found %v, which is not there", got)
	}
	if got := (ipvs.Table)(nil).Find(want[0].ServiceKey); got != nil {
		t.Errorf("found %v in an empty table", got)
	}
}

func FuzzParseServiceKey(f *testing.F) {
	for _, s := range []string{"tcp 192.0.2.1:80", "udp [2001:db8::1]:53", "fwmark 7 inet6", "tcp [fe80::1%eth0]:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ipvs.ParseServiceKey(s)
		if err != nil {
			return
		}
		if again, err := ipvs.ParseServiceKey(k.String()); err != nil || again != k {
			t.Errorf("%q parses to %v, which parses to %v, %v", s, k, again, err)
		}
	})
}
