package connection

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// How many of the entries in testdata/ip_vs_conn a query finds was counted by hand, with grep.
func TestFilter(t *testing.T) {
	found, errs := all(bytes.NewReader(lab(t)))
	if errs != nil {
		t.Fatal(errs)
	}
	for _, tt := range []struct {
		q    Query
		want int
	}{
		{Query{}, 26},
		{Query{Service: "tcp 192.0.2.1:81"}, 2},
		{Query{Service: "192.0.2.1:81"}, 2},
		{Query{Service: "  udp   192.0.2.1:5060 "}, 10},
		{Query{Service: "tcp 192.0.2.1:5060"}, 0},
		{Query{Service: "192.0.2.1"}, 18},
		{Query{Service: "tcp 192.0.2.1:0"}, 6},
		{Query{Service: "192.0.2.0/24"}, 19},
		{Query{Service: "udp"}, 11},
		{Query{Service: "SCTP"}, 1},
		{Query{Service: "tcp [2001:db8::1]:81"}, 2},
		{Query{Service: "2001:db8::1"}, 4},
		{Query{Service: "fwmark 7"}, 1},
		{Query{Service: "fwmark 7 inet6"}, 1},
		{Query{Service: "fwmark 8"}, 0},
		{Query{Server: "10.0.0.2"}, 19},
		{Query{Server: "10.0.0.0/31"}, 0},
		{Query{Server: "[2001:db8:1::2]"}, 5},
		{Query{Server: "10.0.0.2:80"}, 1},
		{Query{Client: "198.51.100.0/24"}, 20},
		{Query{Client: "198.51.100.2:55088"}, 1},
		{Query{Client: "2001:db8:9::/48"}, 6},
		{Query{Client: "198.51.100.3"}, 0},
		{Query{State: "assured"}, 2},
		{Query{State: "SYN_RECV"}, 2},
		{Query{Family: "inet"}, 20},
		{Query{Family: "inet6"}, 6},
		{Query{Family: "inet6", Server: "10.0.0.0/8"}, 1},
		{Query{Service: "tcp 192.0.2.1:82", Client: "198.51.100.2", Server: "2001:db8:1::3", State: "syn_recv", Family: "inet"}, 1},
		{Query{Service: "tcp 192.0.2.1:82", Client: "198.51.100.2", Server: "2001:db8:1::3", State: "close", Family: "inet"}, 0},
	} {
		f, err := tt.q.Filter()
		if err != nil {
			t.Errorf("%+v: %v", tt.q, err)
		}
		n := 0
		for i := range found {
			if f.Match(&found[i]) {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%+v: %d, want %d", tt.q, n, tt.want)
		}
	}
}

func TestBadQuery(t *testing.T) {
	for _, tt := range []struct {
		q    Query
		want string // a part of the error
	}{
		{Query{Service: "tpc 192.0.2.1:80"}, `service: "tpc" is not tcp, udp or sctp`},
		{Query{Service: "tcp 192.0.2.1:99999"}, `service: "192.0.2.1:99999" is not an address: write`},
		{Query{Service: "www"}, `service: "www" is not an address: write "192.0.2.1", `},
		{Query{Service: "fwmark x"}, "service: \"fwmark x\": a firewall mark is a number"},
		{Query{Service: "fwmark"}, `service: "fwmark" is not a service`},
		{Query{Server: "192.0.2.1/24"}, `server: "192.0.2.1/24" has bits behind the prefix: write "192.0.2.0/24"`},
		{Query{Client: "fe80::1%eth0"}, `client: "fe80::1%eth0" has a zone`},
		{Query{State: "OPEN"}, `state: "OPEN" is none: they are NONE, ESTABLISHED, `},
		{Query{Family: "ipv4"}, `family: "ipv4" is not "inet" or "inet6"`},
	} {
		if _, err := tt.q.Filter(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.q, err, tt.want)
		}
	}
}

// No words of a query crash, and what they mean doesn't depend on blanks around them.
func FuzzQuery(f *testing.F) {
	f.Add("tcp 192.0.2.1:80", "10.0.0.0/8")
	f.Add("fwmark 7 inet6", "[2001:db8::1]:80")
	found, _ := all(bytes.NewReader(lab(f)))
	f.Fuzz(func(t *testing.T, service, server string) {
		a, err := Query{Service: service, Server: server}.Filter()
		b, err2 := Query{Service: " " + service, Server: server}.Filter()
		if (err == nil) != (err2 == nil) || a != b {
			t.Errorf("%+v %v, and with a blank %+v %v", a, err, b, err2)
		}
		if err == nil && slices.ContainsFunc(found, func(c Connection) bool { return a.Match(&c) != b.Match(&c) }) {
			t.Error("they differ")
		}
	})
}
