package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// joined is what a virtual server says of its servers after some have joined it, and of those that can't.
func joined(t *testing.T, text string, pools ...string) string {
	t.Helper()
	c := accept(t, text)
	reloads(t, c)
	vs := c.VirtualServers[0]
	before := fmt.Sprint(*vs)
	list := make([]member.Pool, len(vs.Members))
	for i, pool := range pools {
		for word := range strings.FieldsSeq(pool) {
			at, weight, weighed := strings.Cut(word, "*")
			m, err := member.At(at)
			if err != nil {
				t.Fatal(err)
			}
			if weighed {
				var n int64
				if _, err := fmt.Sscan(weight, &n); err != nil {
					t.Fatal(err)
				}
				m.Weigh(n)
			}
			m.Describe("web7", "a", "b")
			list[i].Members = append(list[i].Members, member.Pooled{Member: m, From: vs.Members[i].Sources[0].String()})
		}
	}
	with, unfit := vs.Join(list)
	var lines []string
	for _, rs := range with.RealServers {
		line := rs.Destination.String()
		for _, id := range rs.Checks {
			k := id.Check()
			line += fmt.Sprintf("; %s %s", k.Type, k.Target)
			if k.Source.IsValid() {
				line += " from " + k.Source.String()
			}
		}
		if rs.From != "" {
			line += fmt.Sprintf("; %s %v of %s", rs.Name, rs.Tags, rs.From)
		}
		lines = append(lines, line)
	}
	for _, u := range unfit {
		lines = append(lines, u.Addr.String()+": "+u.Why)
	}
	if after := fmt.Sprint(*vs); after != before {
		t.Errorf("what was loaded has changed:\n%s\n%s", before, after)
	}
	if c.VirtualServers[0] = with; string(Format(c)) != string(Format(accept(t, text))) {
		t.Errorf("who joined is printed:\n%s", Format(c))
	}
	return strings.Join(lines, "\n")
}

func TestJoin(t *testing.T) {
	const (
		virtual = "[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\n"
		dns     = "[[virtual_server.members]]\ndns = \"web.example.org\"\n"
	)
	for _, tt := range []struct {
		name, text string
		pools      []string
		want       string
	}{
		{"as the virtual server says", virtual + "weight = 3\n[virtual_server.TCP_CHECK]\nconnect_timeout = 1\n" + dns, []string{"10.0.0.1 10.0.0.2:8080*7"},
			"10.0.0.1:80 NAT weight 3; TCP_CHECK 10.0.0.1:80; web7 [a b] of dns web.example.org\n10.0.0.2:8080 NAT weight 7; TCP_CHECK 10.0.0.2:8080; web7 [a b] of dns web.example.org"},
		{"as the table says", virtual + "TCP_CHECK = true\n" + dns + "port = 81\nweight = 2\nuthreshold = 9\n[virtual_server.members.HTTP_GET]\nconnect_port = 8000\n", []string{"10.0.0.1 10.0.0.2:8080"},
			"10.0.0.1:81 NAT weight 2 thresholds 0..9; HTTP_GET 10.0.0.1:8000; web7 [a b] of dns web.example.org\n10.0.0.2:8080 NAT weight 2 thresholds 0..9; HTTP_GET 10.0.0.2:8000; web7 [a b] of dns web.example.org"},
		{"who is in the file stays as there", virtual + "real_servers = [\"10.0.0.1\"]\nPING_CHECK = true\n" + dns + "weight = 2\n" + strings.Replace(dns, "web", "www", 1),
			[]string{"10.0.0.1 10.0.0.2", "10.0.0.2 10.0.0.3"},
			"10.0.0.1:80 NAT weight 1; PING_CHECK 10.0.0.1:0\n10.0.0.2:80 NAT weight 2; PING_CHECK 10.0.0.2:0; web7 [a b] of dns web.example.org\n" +
				"10.0.0.3:80 NAT weight 1; PING_CHECK 10.0.0.3:0; web7 [a b] of dns www.example.org"},
		{"a check elsewhere", virtual + "[virtual_server.TCP_CHECK]\nconnect_ip = \"10.9.9.9\"\n" + dns, []string{"10.0.0.1:8080"},
			"10.0.0.1:8080 NAT weight 1; TCP_CHECK 10.9.9.9:8080; web7 [a b] of dns web.example.org"},
		{"the other family", virtual + "TCP_CHECK = true\n" + dns, []string{"2001:db8::1 10.0.0.1"},
			"10.0.0.1:80 NAT weight 1; TCP_CHECK 10.0.0.1:80; web7 [a b] of dns web.example.org\n2001:db8::1: it is IPv6, and the service is not"},
		{"the other family in a tunnel", virtual + "lb_kind = \"TUN\"\n[virtual_server.TCP_CHECK]\nbind_port = 40000\n" + dns, []string{"2001:db8::1 10.0.0.1"},
			"[2001:db8::1]:80 TUN weight 1; TCP_CHECK [2001:db8::1]:80 from [::]:40000; web7 [a b] of dns web.example.org\n" +
				"10.0.0.1:80 TUN weight 1; TCP_CHECK 10.0.0.1:80 from 0.0.0.0:40000; web7 [a b] of dns web.example.org"},
		{"from another family", virtual + "lb_kind = \"TUN\"\n[virtual_server.TCP_CHECK]\nbindto = \"10.0.0.9\"\n" + dns, []string{"2001:db8::1"},
			"2001:db8::1: bindto of TCP_CHECK is of the other family"},
		{"another port under DR", virtual + "lb_kind = \"DR\"\nTCP_CHECK = true\n" + dns, []string{"10.0.0.1 10.0.0.2:80 10.0.0.3:81"},
			"10.0.0.1:80 DR weight 1; TCP_CHECK 10.0.0.1:80; web7 [a b] of dns web.example.org\n10.0.0.2:80 DR weight 1; TCP_CHECK 10.0.0.2:80; web7 [a b] of dns web.example.org\n" +
				"10.0.0.3: under DR a server has the service's port 80, not 81: packets are not changed"},
		{"a mark", "[[virtual_server]]\nfwmark = 7\nip_family = \"inet\"\nTCP_CHECK = true\n" + dns, []string{"10.0.0.1 10.0.0.2:81"},
			"10.0.0.2:81 NAT weight 1; TCP_CHECK 10.0.0.2:81; web7 [a b] of dns web.example.org\n10.0.0.1: it has no port that TCP_CHECK could connect to"},
		{"a mark and a protocol with a port", "[[virtual_server]]\nfwmark = 7\nip_family = \"inet\"\nHTTP_GET = true\n" + dns, []string{"10.0.0.1"},
			"10.0.0.1:0 NAT weight 1; HTTP_GET 10.0.0.1:80; web7 [a b] of dns web.example.org"},
		{"link-local", "[[virtual_server]]\naddress = \"[2001:db8::1]:80\"\nprotocol = \"TCP\"\nTCP_CHECK = true\n" + dns, []string{"fe80::1"},
			"fe80::1: TCP_CHECK needs bind_if for a link-local address"},
		{"nobody", virtual + "TCP_CHECK = true\nreal_servers = [\"10.0.0.1\"]\n" + dns, nil, "10.0.0.1:80 NAT weight 1; TCP_CHECK 10.0.0.1:80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, joined(t, tt.text, tt.pools...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where members come from, with all that goes with it.
func TestMembers(t *testing.T) {
	c := accept(t, `[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
TCP_CHECK = true
quorum = 9 # nobody knows how many there will be
[[virtual_server.members]]
dns = ["a.example.org", "b.example.org."]
name_server = "10.0.0.53"
minimum = "50%"
[[virtual_server.members]]
etcd = ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
certificate = "/etc/c.pem"
user = "u"
password_file = "/etc/p"
tags = ["web", "env=prod", "web"]
minimum = 0
[[virtual_server.members]]
consul = "http://127.0.0.1:8500"
service = "web"
token_file = "/etc/t"
[[virtual_server.members]]
directory = "/etc/ipvsd/servers.d"
`)
	reloads(t, c)
	vs := c.VirtualServers[0]
	name := func(s string) member.Source {
		return member.Source{Kind: member.DNS, Name: s, At: "10.0.0.53:53", IPv4: true}
	}
	want := [][]member.Source{
		{name("a.example.org"), name("b.example.org.")},
		{{Kind: member.Etcd, Name: "/ipvsd/servers/", At: "https://10.0.0.1:2379,https://10.0.0.2:2379",
			Access: member.Access{Certificate: "/etc/c.pem", Key: "/etc/c.pem", User: "u", Secret: "/etc/p"}}},
		{{Kind: member.Consul, Name: "web", At: "http://127.0.0.1:8500", Access: member.Access{Secret: "/etc/t"}}},
		{{Kind: member.Directory, Name: "/etc/ipvsd/servers.d"}},
	}
	for i := range want {
		want[i] = slices.Clone(want[i])
		for j := range want[i] {
			want[i][j].Name = strings.TrimSuffix(want[i][j].Name, ".")
		}
		if got := vs.Members[i].Sources; len(got) != len(want[i]) || strings.TrimSuffix(got[0].Name, ".") != want[i][0].Name || got[0].At != want[i][0].At || got[0].Access != want[i][0].Access || got[0].IPv4 != want[i][0].IPv4 {
			t.Errorf("table %d: got %+v, want %+v", i, got, want[i])
		}
	}
	if vs.Quorum.Needed != 9 || vs.Members[0].Minimum.Percent != 50 || vs.Members[1].Minimum.Count != 0 || vs.Members[3].Minimum.Count != 1 ||
		!slices.Equal(vs.Members[1].Tags, []string{"env=prod", "web"}) {
		t.Errorf("got %+v", vs)
	}
	if at := vs.Members[0].Server.Checks[0].Check(); at.Target != netip.MustParseAddrPort("0.0.0.0:0") || at.DelayLoop != 5*time.Second {
		t.Errorf("got %+v", at)
	}
}
