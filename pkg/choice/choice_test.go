package choice

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var (
	addr = netip.MustParseAddrPort
	vip  = addr("192.0.2.80:80")
)

// server is "10.0.0.1:80 weight active inactive upper lower", as numbers.
func server(last byte, weight int32, n ...uint32) status.KernelServer {
	n = append(n, 0, 0, 0, 0)
	return status.KernelServer{
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 80), Weight: weight, Rank: int(last),
		ActiveConns: n[0], InactiveConns: n[1], UpperThreshold: n[2], LowerThreshold: n[3],
	}
}

func question(scheduler string, flags ipvs.ServiceFlags, servers ...status.KernelServer) *Question {
	return &Question{
		Client: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.9"), 0), Release: "6.1", Wide: true,
		Sysctls: ipvs.Sysctls{"conn_reuse_mode": "1", "expire_quiescent_template": "1", "expire_nodest_conn": "1"},
		Service: &status.KernelService{Key: ipvs.AddressKey(ipvs.TCP, vip), Scheduler: scheduler, Flags: flags, Options: []string{scheduler}, Granularity: 32, Servers: servers},
	}
}

// short is what an answer says.
func short(a *Answer) string {
	s := string(a.How)
	if a.Server.IsValid() {
		s += " " + a.Server.String()
	}
	if a.Certain {
		s += " certain"
	}
	return s
}

func TestSchedulers(t *testing.T) {
	for _, c := range []struct {
		name string
		q    *Question
		want string
	}{
		{"no server", question("rr", 0), "nobody certain"},
		{"none open", question("rr", 0, server(1, 0), server(2, 1, 5, 0, 5)), "nobody certain"},
		{"rr", question("rr", 0, server(1, 1), server(2, 1)), "scheduler"},
		{"rr, one left", question("rr", 0, server(1, 1), server(2, 0)), "scheduler 10.0.0.1:80 certain"},
		{"rr, one left, perhaps", question("rr", 0, server(1, 1, 4, 0, 5, 2), server(2, 0)), "scheduler 10.0.0.1:80"},
		{"twos", question("twos", 0, server(1, 1), server(2, 1)), "scheduler"},
		{"lc: an active one counts as 256", question("lc", 0, server(1, 1, 1), server(2, 9, 0, 255)), "scheduler 10.0.0.2:80 certain"},
		{"lc: of equals the first", question("lc", 0, server(1, 1, 2), server(2, 9, 2)), "scheduler 10.0.0.1:80 certain"},
		{"wlc", question("wlc", 0, server(1, 1, 2), server(2, 3, 5)), "scheduler 10.0.0.2:80 certain"},
		{"wlc: of equals the first", question("wlc", 0, server(1, 1, 1), server(2, 2, 2)), "scheduler 10.0.0.1:80 certain"},
		{"sed: the one that comes counts", question("sed", 0, server(1, 1, 0), server(2, 3, 1)), "scheduler 10.0.0.2:80 certain"},
		{"nq: never one that works while another one is idle", question("nq", 0, server(1, 9, 1), server(2, 1, 0), server(3, 9, 0)), "scheduler 10.0.0.2:80 certain"},
		{"nq: all work", question("nq", 0, server(1, 1, 1), server(2, 3, 1)), "scheduler 10.0.0.2:80 certain"},
		{"fo", question("fo", 0, server(1, 1), server(2, 5, 9), server(3, 5)), "scheduler 10.0.0.2:80 certain"},
		{"ovf", question("ovf", 0, server(1, 1, 0), server(2, 5, 6), server(3, 4, 4)), "scheduler 10.0.0.3:80 certain"},
		{"ovf, all flow over", question("ovf", 0, server(1, 1, 2)), "nobody certain"},
		{"a full server", question("lc", 0, server(1, 1, 3, 0, 3, 1), server(2, 1, 9)), "scheduler 10.0.0.2:80 certain"},
		{"perhaps still full", question("lc", 0, server(1, 1, 2, 0, 3, 1), server(2, 1, 9)), "scheduler"},
		{"perhaps still full, and no matter", question("lc", 0, server(1, 1, 2, 0, 3, 1), server(2, 1, 1)), "scheduler 10.0.0.2:80 certain"},
		{"no lower threshold: three quarters", question("lc", 0, server(1, 1, 2, 0, 4), server(2, 1, 9)), "scheduler 10.0.0.1:80 certain"},
		{"no lower threshold: more than three quarters", question("lc", 0, server(1, 1, 3, 0, 4), server(2, 1, 9)), "scheduler"},
		{"sh, on an old kernel", func() *Question { q := question("sh", 0, server(1, 1)); q.Release = "4.9"; return q }(), "scheduler"},
		{"mh, on 32 bits", func() *Question { q := question("mh", 0, server(1, 1)); q.Wide = false; return q }(), "scheduler"},
		{"mh, without weight", question("mh", 0, server(1, 0)), "nobody"},
		{"mh, of a weight that was", question("mh", ipvs.MHFallback, server(1, 0), server(2, 1)), "scheduler 10.0.0.2:80"},
		{"sh, port not given", question("sh", ipvs.SHPort, server(1, 1)), "scheduler"},
		{"sh, without fallback", question("sh", 0, server(1, 0)), "nobody certain"},
		{"sh, with fallback", question("sh", ipvs.SHFallback, server(1, 0), server(2, 1)), "scheduler 10.0.0.2:80 certain"},
		{"sh, nobody to fall back to", question("sh", ipvs.SHFallback, server(1, 0)), "nobody certain"},
		{"dh, full", question("dh", 0, server(1, 1, 2, 0, 2)), "nobody certain"},
	} {
		a := Explain(c.q)
		if got := short(a); got != c.want {
			t.Errorf("%s: %s, want %s: %q", c.name, got, c.want, a.Reasons)
		}
		if len(a.Reasons) == 0 {
			t.Errorf("%s: no reason", c.name)
		}
	}
}

func TestShares(t *testing.T) {
	for name, want := range map[string][]float64{"rr": {0.5, 0, 0.5}, "wrr": {0.25, 0, 0.75}, "lblc": {0, 0, 0}} {
		for i, c := range Explain(question(name, 0, server(1, 1), server(2, 0), server(3, 3))).Candidates {
			if c.Share != want[i] {
				t.Errorf("%s: %s has a share of %v, want %v", name, c.Server, c.Share, want[i])
			}
		}
	}
}

func TestKnown(t *testing.T) {
	entry := func(client, server, state string) connection.Connection {
		return connection.Connection{Protocol: "tcp", Client: addr(client), Virtual: vip, Server: addr(server), State: state, Expires: time.Minute}
	}
	ask := func(change func(*Question), entries ...connection.Connection) *Answer {
		q := question("rr", 0, server(1, 1), server(2, 0))
		q.Connections = entries
		change(q)
		return Explain(q)
	}
	port := func(q *Question) { q.Client = addr("198.51.100.9:4000") }
	anyPort := func(q *Question) {
		port(q)
		q.Service.Key.Addr = addr("192.0.2.80:0")
		for i := range q.Service.Servers {
			s := &q.Service.Servers[i]
			s.Addr = netip.AddrPortFrom(s.Addr.Addr(), 0)
		}
	}
	sticky := func(q *Question) { q.Service.Persistence = time.Minute }
	network := func(q *Question) { q.Service.Persistence, q.Service.Granularity = time.Minute, 24 }
	for _, c := range []struct {
		name, want, reason string
		got                *Answer
	}{
		{"a connection", "connection 10.0.0.2:80 certain", "ESTABLISHED", ask(port, entry("198.51.100.9:4000", "10.0.0.2:80", "ESTABLISHED"))},
		{"another port", "scheduler 10.0.0.1:80 certain", "no connection from port", ask(port, entry("198.51.100.9:4001", "10.0.0.2:80", "ESTABLISHED"))},
		{"no port", "scheduler 10.0.0.1:80 certain", "stay with their servers: 1 to 10.0.0.2:80", ask(func(*Question) {}, entry("198.51.100.9:4001", "10.0.0.2:80", "ESTABLISHED"))},
		{"a server that is gone", "nobody certain", "not in the table any more", ask(port, entry("198.51.100.9:4000", "10.0.0.3:80", "ESTABLISHED"))},
		{"a connection of any port", "connection 10.0.0.2:8080 certain", "ESTABLISHED", ask(anyPort, entry("198.51.100.9:4000", "10.0.0.2:8080", "ESTABLISHED"))},
		{"any port, another service's", "scheduler 10.0.0.1:0 certain", "no connection", ask(anyPort, entry("198.51.100.9:4000", "10.0.0.7:80", "ESTABLISHED"))},
		{"any port, another service's persistence", "scheduler 10.0.0.1:0 certain", "nothing is remembered",
			ask(func(q *Question) { anyPort(q); sticky(q) }, entry("198.51.100.9:0", "10.0.0.2:80", "NONE"))},
		{"FTP's persistence", "persistence 10.0.0.1:80 certain", "had 10.0.0.1:80", ask(func(q *Question) {
			sticky(q)
			q.Service.Key.Addr = addr("192.0.2.80:21")
		}, func() connection.Connection {
			c := entry("198.51.100.9:0", "10.0.0.1:80", "NONE")
			c.Virtual = addr("192.0.2.80:0")
			return c
		}())},
		{"persistence", "persistence 10.0.0.1:80 certain", "had 10.0.0.1:80 before", ask(sticky, entry("198.51.100.9:0", "10.0.0.1:80", "NONE"))},
		{"persistence of a network", "persistence 10.0.0.1:80 certain", "198.51.100.0/24", ask(network, entry("198.51.100.0:0", "10.0.0.1:80", "NONE"))},
		{"persistence of none", "scheduler 10.0.0.1:80 certain", "nothing is remembered", ask(sticky)},
		{"persistence of a quiescent server", "scheduler 10.0.0.1:80 certain", "expire_quiescent_template", ask(sticky, entry("198.51.100.9:0", "10.0.0.2:80", "NONE"))},
		{"persistence that stays", "persistence 10.0.0.2:80 certain", "Weight", ask(func(q *Question) {
			sticky(q)
			q.Sysctls["expire_quiescent_template"] = "0"
		}, entry("198.51.100.9:0", "10.0.0.2:80", "NONE"))},
		{"persistence of a server that is gone", "scheduler 10.0.0.1:80 certain", "not in the table any more", ask(sticky, entry("198.51.100.9:0", "10.0.0.3:80", "NONE"))},
		{"an engine", "scheduler 10.0.0.1:80 certain", "", ask(func(q *Question) { sticky(q); q.Service.Engine = "sip" }, entry("198.51.100.9:0", "10.0.0.2:80", "NONE"))},
	} {
		if got := short(c.got); got != c.want || !strings.Contains(strings.Join(c.got.Reasons, "\n"), c.reason) {
			t.Errorf("%s: %s, want %s: %q", c.name, got, c.want, c.got.Reasons)
		}
	}
	if over := ask(port, entry("198.51.100.9:4000", "10.0.0.1:80", "TIME_WAIT")); len(over.Doubts) != 1 {
		t.Errorf("a connection that is over: %q", over.Doubts)
	}
}

// The vector is that of Linux's own test (lib/test_siphash.c): the bytes 0 to 3, with a key of 0 to 15.
func TestSipHash(t *testing.T) {
	if got := sipHash13(0x03020100, 0x0706050403020100, 0x0f0e0d0c0b0a0908); got != 0x88d38328 {
		t.Errorf("%#x", got)
	}
}

// The tables have as many places for each server as the kernel gives them; that they are the kernel's own the lab shows.
func TestTables(t *testing.T) {
	places := func(table []int) map[int]int {
		n := map[int]int{}
		for _, i := range table {
			n[i]++
		}
		return n
	}
	three := candidates(question("sh", 0, server(1, 1), server(2, 3), server(3, 0)).Service)
	if n := places(weightedTurns(three)); n[0] != 52 || n[1] != 153 || n[2] != 51 {
		t.Errorf("sh: %v", n)
	}
	if n := places(turns(3)); n[0] != 86 || n[1] != 85 || n[2] != 85 {
		t.Errorf("dh: %v", n)
	}
	if n := places(maglev(three)); n[0] != 1024 || n[1] != 3069 || n[2] != 0 {
		t.Errorf("mh: %v", n)
	}
	huge := candidates(question("mh", 0, server(1, 2000000000), server(2, 1)).Service)
	if n := places(maglev(huge)); n[1] == 0 || n[0] < 58*n[1] {
		t.Errorf("mh with weights that are far apart: %v", n)
	}
}

func TestText(t *testing.T) {
	q := question("wlc", 0, server(1, 1, 3, 10), server(2, 2, 3, 10), server(3, 0), server(4, 1, 2, 0, 3, 1))
	q.Connections = []connection.Connection{{Client: addr("198.51.100.9:1"), Virtual: vip, Server: addr("10.0.0.1:80")}}
	a := Explain(q)
	var text bytes.Buffer
	if err := a.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, q := range []*Question{
		question("rr", 0, server(1, 1), server(2, 1)), question("sh", 0, server(1, 0), server(2, 0)), question("mh", ipvs.MHFallback, server(1, 0), server(2, 1)),
	} {
		text.WriteByte('\n')
		if err := Explain(q).Text(&text); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, "testdata/answers.txt", text.Bytes())
	j, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/answer.json", append(j, '\n'))
	if !slices.Contains(a.Reasons, "The client's connections stay with their servers: 1 to 10.0.0.1:80. What follows is for a new one.") {
		t.Errorf("%q", a.Reasons)
	}
}
