//go:build kernel

package traffic

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// threePolicies are three services of one server that differ in what a stop does with them.
const threePolicies = `
[[virtual_server]]
address = "192.168.1.201:7"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = true
real_servers = ["10.0.100.2:7"]

[[virtual_server]]
address = "192.168.1.202:7"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = true
on_stop = "quiesce"
real_servers = ["10.0.100.2:7"]

[[virtual_server]]
address = "192.168.1.203:7"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = true
on_stop = "remove"
real_servers = ["10.0.100.2:7"]
`

const threeServe = `
-A -t 192.168.1.201:7 -s rr
-a -t 192.168.1.201:7 -r 10.0.100.2:7 -m -w 1
-A -t 192.168.1.202:7 -s rr
-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1
-A -t 192.168.1.203:7 -s rr
-a -t 192.168.1.203:7 -r 10.0.100.2:7 -m -w 1
`

// A stop leaves a service, quiesces or removes it, as the service says, and the next start has all of them serve. keepalived, and a
// keepalived.conf that ipvsd reads, remove them.
func TestKernelStop(t *testing.T) {
	external, internal := lab.NewBridge(t, "external", 1500), lab.NewBridge(t, "internal", 1500)
	client, director, server := lab.NewHost(t, "client"), lab.NewHost(t, "director"), lab.NewHost(t, "server")
	client.Connect(external, "eth0", "192.168.1.10/24")
	director.Connect(external, "eth0", "192.168.1.101/24", "192.168.1.201/32", "192.168.1.202/32", "192.168.1.203/32")
	director.Connect(internal, "eth1", "10.0.100.1/24")
	director.Sysctl("net.ipv4.ip_forward", "1")
	server.Connect(internal, "eth0", "10.0.100.2/24")
	server.DefaultRoute(netip.MustParseAddr("10.0.100.1"))
	ipvsd.Echo(t, server, "10.0.100.2:7")
	at := func(n int) netip.AddrPort { return netip.MustParseAddrPort(fmt.Sprintf("192.168.1.20%d:7", n)) }
	refused := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), ipvsd.Patience)
		defer cancel()
		if conn, err := client.DialContext(ctx, "tcp", at(n).String()); err == nil {
			_ = conn.Close()
			t.Errorf("after the stop %v takes a connection", at(n))
		}
	}

	d := ipvsd.Start(t, director, threePolicies)
	ipvsd.WaitSaved(t, director, threeServe)
	told := d.Ctl("status")
	for _, want := range []string{"1 left in the table", "1 quiesced", "1 removed from the table"} {
		if !strings.Contains(told, want) {
			t.Errorf("ipvsctl status has no %q:\n%s", want, told)
		}
	}
	left, quiesced, removed := ipvsd.OpenFlow(t, client, at(1)), ipvsd.OpenFlow(t, client, at(2)), ipvsd.OpenFlow(t, client, at(3))
	d.Stop()
	stopped, _, _ := strings.Cut(strings.Replace(threeServe, "-t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1", "-t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 0", 1), "-A -t 192.168.1.203")
	if got, err := ipvsd.Saved(director); err != nil || got != ipvsd.Trim(stopped) {
		t.Errorf("after the stop the table is\n%s\n%v", got, err)
	}
	left.Ping("after a stop that left it")
	quiesced.Ping("after a stop that quiesced it")
	ipvsd.OpenFlow(t, client, at(1))
	refused(2)
	refused(3)
	if err := removed.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil { // it is only to be seen that nobody answers
		t.Fatal(err)
	}
	_, _ = removed.Write([]byte("?\n"))
	if n, err := removed.Read(make([]byte, 1)); err == nil {
		t.Errorf("a removed service answered with %d bytes", n)
	}

	d.Start()
	ipvsd.WaitSaved(t, director, threeServe)
	left.Ping("after the next start")
	quiesced.Ping("after the next start")
	for n := range 3 {
		ipvsd.OpenFlow(t, client, at(n+1))
	}

	// With a keepalived.conf all goes, as with keepalived.
	d.Stop()
	for _, service := range []string{"192.168.1.201:7", "192.168.1.202:7"} {
		director.Run("ipvsadm", "-D", "-t", service)
	}
	conf := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(`
virtual_server 192.168.1.201 7 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	real_server 10.0.100.2 7 {
	}
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	one, _, _ := strings.Cut(threeServe, "-A -t 192.168.1.202")
	for _, command := range [][]string{
		{"keepalived", "--dont-fork", "--log-console", "--check", "--use-file", conf, "--pid", d.Path("pid"), "--checkers_pid", d.Path("checkers")},
		{ipvsd.Program, "-f", conf, "--socket", d.Path("socket"), "--state-dir", d.Path("state")},
	} {
		p := director.Start(command...)
		ipvsd.WaitSaved(t, director, one)
		flow := ipvsd.OpenFlow(t, client, at(1))
		if err := p.Stop(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, p.Log())
		}
		if got, err := ipvsd.Saved(director); err != nil || got != "" {
			t.Errorf("%s left\n%s\n%v", command[0], got, err)
		}
		_ = flow.Close()
		refused(1)
	}
}
