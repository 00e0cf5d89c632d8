//go:build kernel

package doctorhost_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/choice"
)

// explained are services by port, with their servers' weights and thresholds as ipvsadm takes them.
var explained = []struct {
	port    int
	service string
	servers [2]string
}{
	{8001, "-s sh", [2]string{"-w 1", "-w 1"}},
	{8002, "-s sh -b sh-fallback", [2]string{"-w 3", "-w 1"}},
	{8003, "-s sh -b sh-fallback", [2]string{"-w 0", "-w 1"}},
	{8004, "-s sh -b sh-port", [2]string{"-w 1", "-w 2"}},
	{8005, "-s mh", [2]string{"-w 1", "-w 1"}},
	{8006, "-s mh -b mh-port", [2]string{"-w 2", "-w 5"}},
	{8007, "-s dh", [2]string{"-w 1", "-w 1"}},
	{8008, "-s sh", [2]string{"-w 0", "-w 1"}},
	{8009, "-s mh -b mh-fallback", [2]string{"-w 4 -x 1", "-w 3"}},
	{8010, "-s lc", [2]string{"-w 1", "-w 9"}},
	{8011, "-s wlc", [2]string{"-w 2", "-w 5"}},
	{8012, "-s sed", [2]string{"-w 2", "-w 5"}},
	{8013, "-s nq", [2]string{"-w 2", "-w 5"}},
	{8014, "-s fo", [2]string{"-w 2 -x 3", "-w 1"}},
	{8015, "-s ovf", [2]string{"-w 3", "-w 2"}},
	{8016, "-s wlc -p 60 -M 255.255.255.254", [2]string{"-w 1", "-w 1"}},
	{8017, "-s rr", [2]string{"-w 0", "-w 1"}},
}

// TestKernelExplain: ipvsctl says which server a client would get, and the kernel gives it that one.
func TestKernelExplain(t *testing.T) {
	n := newNetwork(t)
	n.route()
	const clients = 6
	for i := range clients {
		n.client.AddAddress("eth0", fmt.Sprintf("192.0.2.%d/24", 100+7*i))
		n.client.AddAddress("eth0", fmt.Sprintf("2001:db8:1::%x:1/64", 100+7*i))
	}
	n.director.AddAddress("eth0", "192.0.2.80/32")
	n.director.AddAddress("eth0", "2001:db8:1::80/128")
	for _, s := range explained {
		for i, weight := range s.servers {
			at := fmt.Sprintf("-t 192.0.2.80:%d ", s.port)
			if i == 0 {
				adm(n.director, "-A "+at+s.service)
			}
			adm(n.director, "-a "+at+fmt.Sprintf("-r 198.51.100.%d:7 -m ", 11+i)+weight)
		}
	}
	for _, scheduler := range []string{"sh", "mh"} {
		at := map[string]string{"sh": "-t [2001:db8:1::80]:8001 ", "mh": "-t [2001:db8:1::80]:8005 "}[scheduler]
		adm(n.director, "-A "+at+"-s "+scheduler)
		adm(n.director, "-a "+at+"-r [2001:db8:2::11]:7 -m")
		adm(n.director, "-a "+at+"-r [2001:db8:2::12]:7 -m")
	}
	for _, s := range explained {
		by := map[string]int{}
		for i := range clients {
			by[n.predict(fmt.Sprintf("192.0.2.%d", 100+7*i), fmt.Sprintf("192.0.2.80:%d", s.port), strings.Contains(s.service, "-port"))]++
		}
		t.Logf("%d %s %v: %v", s.port, s.service, s.servers, by)
	}
	for _, port := range []int{8001, 8005} {
		for i := range clients {
			n.predict(fmt.Sprintf("2001:db8:1::%x:1", 100+7*i), fmt.Sprintf("[2001:db8:1::80]:%d", port), false)
		}
	}
}

// predict asks which server a client would get, connects and compares, and once for each service asks again about the connection that there is
// now. It stays.
// It returns the server's name; empty: the client was refused, as it should be.
func (n *network) predict(client, service string, ports bool) string {
	n.t.Helper()
	at := netip.MustParseAddr(client)
	from := n.client.From(at)
	source := client
	if ports {
		// The port has to be known beforehand.
		source = fmt.Sprintf("%s:%d", client, 20000+int(at.As4()[3])*17+int(netip.MustParseAddrPort(service).Port()))
		from = nil
	}
	foreseen := n.explain(source, service)
	if !foreseen.Certain {
		n.t.Errorf("%s to %s: not certain: %+v", source, service, foreseen)
	}
	var name string
	var err error
	local := source
	if from == nil {
		name, err = n.fromPort(source, service)
	} else {
		conn, who, e := dial(n.t, from, service, n.wait(foreseen))
		if name, err = who, e; e == nil {
			local = conn.LocalAddr().String()
		}
	}
	if foreseen.How == choice.ByNobody {
		if err == nil {
			n.t.Errorf("%s to %s: foreseen nobody, served by %s: %q", source, service, name, foreseen.Reasons)
		}
		return ""
	}
	server := map[string]string{"server1": "11", "server2": "12"}[name]
	if got := foreseen.Server.Addr().String(); err != nil || !strings.HasSuffix(got, "."+server) && !strings.HasSuffix(got, ":"+server) {
		n.t.Errorf("%s to %s: foreseen %s, served by %s: %v: %q", source, service, got, name, err, foreseen.Reasons)
	}
	if asked := n.asked[service]; !asked {
		n.asked[service] = true
		if is := n.explain(local, service); err == nil && (is.How != choice.ByConnection || is.Server != foreseen.Server) {
			n.t.Errorf("%s to %s: now %+v, before %+v", local, service, is, foreseen)
		}
	}
	return name
}

// wait is how long to wait for what is foreseen.
func (n *network) wait(foreseen *choice.Answer) time.Duration {
	if foreseen.How == choice.ByNobody {
		return short
	}
	return long
}

func (n *network) explain(client, service string) *choice.Answer {
	n.t.Helper()
	a := &choice.Answer{}
	out := n.ctl(n.director, 0, "explain", client, "tcp", service, "-o", "json")
	if err := json.Unmarshal([]byte(out), a); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	return a
}
