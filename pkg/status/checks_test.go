package status_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func by(service, server string) status.CheckedBy {
	key, err := ipvs.ParseServiceKey(service)
	if err != nil {
		panic(err)
	}
	return status.CheckedBy{Service: key, Server: netip.MustParseAddrPort(server)}
}

func in(d time.Duration) time.Time { return now.Add(d) }

// checks are checks of which everything that can be told is to be told.
func checks() *status.Checks {
	many := []status.CheckedBy{by("tcp 192.0.2.1:80", "198.51.100.1:80")}
	for n := byte(2); n <= 30; n++ {
		b := by("tcp 192.0.2.1:80", "198.51.100.1:80")
		b.Service.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 80)
		many = append(many, b)
	}
	sorry, group := by("udp 192.0.2.3:53", "198.51.100.9:53"), by("fwmark 7 inet6", "[2001:db8::1]:443")
	sorry.Sorry, group.Group = true, "group WEB tcp"
	half := &status.Advice{Kind: "percent", Value: 50}
	return &status.Checks{
		At: now,
		Checks: []status.Check{
			{
				Type: "TCP_CHECK", Target: netip.MustParseAddrPort("198.51.100.1:80"), State: health.Up, Since: ago(26 * time.Hour),
				LastRun: ago(1500 * time.Millisecond), Took: 350 * time.Microsecond, Passes: 1000, NextRun: in(1499 * time.Millisecond), Probes: 1000, Servers: many,
			},
			{
				Type: "HTTP_GET", What: "www.example.org/health", Target: netip.MustParseAddrPort("198.51.100.2:8080"), State: health.Down, Since: ago(125 * time.Second),
				LastRun: ago(3 * time.Second), Took: 1234567, Error: "status 503, \x1b[2J want 200-299", Failures: 40, Missing: 3, Probes: 1000, Failed: 44,
				Advice: half, Warning: "the certificate ends on 2026-12-01", // of the last success
				Servers: []status.CheckedBy{by("tcp 192.0.2.1:80", "198.51.100.2:80")},
				History: []status.Run{
					{At: ago(2900 * time.Millisecond), Took: 1234567, Error: "status 503, want 200-299", State: health.Down},
					{At: ago(6 * time.Second), Took: 3 * time.Second, Error: "no answer within 3s", State: health.Up},
					{At: ago(9 * time.Second), Took: 900 * time.Microsecond, State: health.Up, Advice: half, Warning: "the certificate ends on 2026-12-01"},
				},
			},
			{
				Type: "SSL_GET", What: "/", Target: netip.MustParseAddrPort("[2001:db8::1]:443"), State: health.Up, Since: ago(time.Hour), LastRun: ago(time.Second),
				Took: 12 * time.Millisecond, Warning: "the certificate ends on 2026-12-01", Advice: half, Probes: 3, Servers: []status.CheckedBy{group},
			},
			{
				Type: "DNS_CHECK", What: "SOA .", Target: netip.MustParseAddrPort("198.51.100.9:53"), State: health.Down, Since: ago(4 * time.Minute), LastRun: ago(time.Second),
				Took: time.Millisecond, Passes: 2, Missing: 1, HeldUntil: in(90 * time.Second), NextRun: in(5 * time.Minute), Probes: 9, Failed: 7,
				Servers: []status.CheckedBy{sorry, by("udp 192.0.2.4:53", "198.51.100.10:53")},
			},
			{
				Type: "PING_CHECK", Target: netip.MustParseAddrPort("198.51.100.9:0"), Since: now, Suspended: true, NextRun: now,
				Servers: []status.CheckedBy{by("udp 192.0.2.3:53", "198.51.100.9:53")},
			},
			{
				Type: "MISC_CHECK", What: "/usr/local/bin/check", State: health.Up, Since: ago(time.Hour), LastRun: ago(time.Minute), Took: time.Second, NextRun: ago(time.Second),
				Advice: &status.Advice{Kind: "add", Value: -3}, Probes: 9, Servers: []status.CheckedBy{by("udp 192.0.2.3:53", "198.51.100.9:53")},
			},
		},
		Engine: engine(),
	}
}

func engine() status.Engine {
	limits := []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second}
	histogram := func(sum time.Duration, n uint64, counts ...uint64) (h status.Histogram) {
		for i, c := range counts {
			h.Buckets = append(h.Buckets, status.Bucket{Max: limits[i], Count: c})
		}
		h.Sum, h.Count = sum, n
		return h
	}
	return status.Engine{
		Checks: 1000, Running: 12, Waiting: 3, Waited: 7, Lateness: histogram(time.Second, 100_000, 99_000, 99_950, 100_000, 100_000, 100_000),
		Types: []status.CheckType{
			{Type: "HTTP_GET", Probes: 1000, Failed: 100, Skipped: 4, Want: "socket: too many open files", Took: histogram(12*time.Second, 1000, 0, 500, 985, 990, 995)},
			{Type: "SMTP_CHECK", Took: histogram(0, 0, 0, 0, 0, 0, 0)},
		},
	}
}

func probes() *status.Probes {
	servers := checks().Checks[1].Servers
	return &status.Probes{At: now, Probes: []status.Probe{
		{
			Type: "HTTP_GET", What: "/health", Target: netip.MustParseAddrPort("198.51.100.2:8080"), Servers: servers, Took: 12345 * time.Microsecond,
			Error: "status 503, want 200-299", Steps: []status.Step{
				{After: 120 * time.Microsecond, Text: "connected to 198.51.100.2:8080 from 198.51.100.254:40000 "}, {After: 12 * time.Millisecond, Text: "answer: 503 \x1b]0;x\x07"},
			}, More: 3,
		},
		{
			Type: "AGENT_CHECK", Target: netip.MustParseAddrPort("198.51.100.2:8081"), Servers: servers, Took: 900 * time.Microsecond, Steps: []status.Step{},
			Warning: "the certificate ends on 2026-12-01", Advice: &status.Advice{Kind: "weight", Value: 7},
		},
	}}
}

func TestChecksText(t *testing.T) {
	e := engine()
	for name, text := range map[string]func(io.Writer, status.Style) error{
		"checks":         checks().Text,
		"checks-details": checks().Details,
		"checks-stats":   e.Text,
		"probes":         probes().Text,
	} {
		t.Run(name, func(t *testing.T) {
			var plain, color bytes.Buffer
			if err := text(&plain, status.Style{}); err != nil {
				t.Fatal(err)
			}
			if err := text(&color, status.Style{Color: true}); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+".golden", plain.Bytes())
			golden.Check(t, "testdata/"+name+"-color.golden", color.Bytes())
		})
	}
}

func TestChecksJSON(t *testing.T) {
	addrs := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	for name, v := range map[string]any{"checks": checks(), "probes": probes()} {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".json.golden", append(text, '\n'))
		back := any(new(status.Checks))
		if name == "probes" {
			back = new(status.Probes)
		}
		if err := json.Unmarshal(text, back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, back, addrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAdviceOf(t *testing.T) {
	for advice, want := range map[health.Advice]string{
		{}:                                 "<nil>",
		{Kind: health.Weigh, Value: 0}:     "advises weight 0",
		{Kind: health.Percent, Value: 150}: "advises 150% of the weight",
		{Kind: health.Add, Value: 3}:       "advises weight +3",
	} {
		got := "<nil>"
		if a := status.AdviceOf(advice); a != nil {
			got = a.String()
		}
		if got != want {
			t.Errorf("%+v: %s, want %s", advice, got, want)
		}
	}
}

func TestCheckQuery(t *testing.T) {
	v4, v6, group := by("tcp 192.0.2.1:80", "198.51.100.1:80"), by("fwmark 7 inet6", "[2001:db8::1]:443"), by("tcp 192.0.2.1:80", "198.51.100.1:80")
	group.Group = "group WEB tcp"
	down := &status.Check{Type: "HTTP_GET", State: health.Down}
	for _, tt := range []struct {
		q         status.CheckQuery
		serves    []bool // v4, v6, group
		match     bool   // down
		wantError bool
	}{
		{status.CheckQuery{}, []bool{true, true, true}, true, false},
		{status.CheckQuery{Server: "198.51.100.1"}, []bool{true, false, true}, true, false},
		{status.CheckQuery{Server: "198.51.100.1:80"}, []bool{true, false, true}, true, false},
		{status.CheckQuery{Server: "::ffff:198.51.100.1"}, []bool{true, false, true}, true, false},
		{status.CheckQuery{Server: "198.51.100.1:8080"}, []bool{false, false, false}, true, false},
		{status.CheckQuery{Server: "2001:db8::1"}, []bool{false, true, false}, true, false},
		{status.CheckQuery{Server: "[2001:db8::1]"}, []bool{false, true, false}, true, false},
		{status.CheckQuery{Server: "[2001:db8::1]:443"}, []bool{false, true, false}, true, false},
		{status.CheckQuery{Service: "tcp 192.0.2.1:80"}, []bool{true, false, true}, true, false},
		{status.CheckQuery{Service: "TCP  192.0.2.1:80"}, []bool{true, false, true}, true, false},
		{status.CheckQuery{Service: "group WEB tcp"}, []bool{false, false, true}, true, false},
		{status.CheckQuery{Type: "HTTP_GET", State: "down"}, []bool{true, true, true}, true, false},
		{status.CheckQuery{Type: "TCP_CHECK"}, []bool{true, true, true}, false, false},
		{status.CheckQuery{State: "unchecked"}, []bool{true, true, true}, false, false},
		{status.CheckQuery{Server: "web1"}, nil, false, true},
		{status.CheckQuery{Server: "198.51.100.1:port"}, nil, false, true},
		{status.CheckQuery{Service: "WEB"}, nil, false, true},
		{status.CheckQuery{State: "bad"}, nil, false, true},
	} {
		f, err := tt.q.Filter()
		if err != nil != tt.wantError {
			t.Errorf("%+v: %v", tt.q, err)
		}
		if err != nil {
			continue
		}
		for i, s := range []status.CheckedBy{v4, v6, group} {
			if f.Serves(s) != tt.serves[i] {
				t.Errorf("%+v: of %+v: %t", tt.q, s, !tt.serves[i])
			}
		}
		if f.Match(down) != tt.match {
			t.Errorf("%+v: matches %t", tt.q, !tt.match)
		}
	}
}
