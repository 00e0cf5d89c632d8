//go:build kernel

package table

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Scenarios 14, 15 and 16 of the peers, and all other fields: ipvsadm sees what was configured, and nothing is left to do.
func TestKernelEveryField(t *testing.T) {
	const dir = "testdata/every-field/"
	config, err := os.ReadFile(dir + "ipvsd.toml")
	if err != nil {
		t.Fatal(err)
	}
	director := lab.NewHost(t, "director")
	d := ipvsd.Start(t, director, string(config))
	for file, options := range map[string]string{
		"saved": "-Sn", "listed": "-Ln", "thresholds": "-Ln --thresholds", "tunnels": "-Ln --tun-info",
	} {
		out := director.Run(append([]string{"ipvsadm"}, strings.Fields(options)...)...)
		if strings.HasPrefix(out, "IP Virtual Server version") { // and the size of the connection table: the kernel's own
			_, out, _ = strings.Cut(out, "\n")
		}
		golden.Check(t, dir+file+".golden", []byte(ipvsd.Trim(out)+"\n"))
	}
	if a := d.Planned(); len(a.Changes) > 0 || len(a.Waiting) > 0 {
		t.Errorf("the plan afterwards: %q, waiting %q", a.Changes, a.Waiting)
	}
	before := d.Snapshot().Table
	if a := d.Load(string(config)); len(a.Changes) > 0 {
		t.Errorf("a reload of the same: %q", a.Changes)
	}
	if s := d.Snapshot().Table; s.Changes != before.Changes || s.Drift != 0 || len(s.Foreign)+len(s.Refused) > 0 {
		t.Errorf("after some rounds: %+v", s)
	}
}

// A scheduler that the kernel lacks costs the services that ask for it, and no other.
func TestKernelSchedulerThatIsNotBuilt(t *testing.T) {
	director := lab.NewHost(t, "director")
	d := ipvsd.Start(t, director, `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "twos"
TCP_CHECK = false
real_servers = ["198.51.100.1:80"]

[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["198.51.100.1:80"]
`)
	if err := exec.Command("modinfo", "ip_vs_twos").Run(); err == nil { // few kernels are built without everything
		ipvsd.WaitSaved(t, director, `
-A -t 192.0.2.1:80 -s twos
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1
-A -t 192.0.2.2:80 -s rr
-a -t 192.0.2.2:80 -r 198.51.100.1:80 -m -w 1`)
		return
	}
	ipvsd.WaitSaved(t, director, "-A -t 192.0.2.2:80 -s rr\n-a -t 192.0.2.2:80 -r 198.51.100.1:80 -m -w 1")
	d.WaitStatus("a second attempt", func(s *status.Snapshot) error {
		r := s.Table.Refused
		if len(r) != 1 || r[0].Attempts < 2 || !strings.Contains(r[0].Reason, "twos") {
			return fmt.Errorf("refused: %+v", r)
		}
		return nil
	})
}

// edited is the configuration that TestKernelEditInPlace edits.
const edited = `
[[virtual_server]]
address = "192.168.1.202:7"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
[[virtual_server.real_server]]
address = "10.0.100.2:7"
lb_kind = "NAT"
weight = 1

[[virtual_server]]
address = "192.168.1.202:5060"
protocol = "UDP"
lb_algo = "rr"
persistence_timeout = 60
persistence_engine = "sip"
TCP_CHECK = false
real_servers = ["10.0.100.2:5060"]
weight = 2

[[virtual_server]]
fwmark = 7
ip_family = "inet6"
lb_algo = "sh"
TCP_CHECK = false
lb_kind = "TUN"
real_servers = ["10.0.100.2:80"]
weight = 3
`

// An edit replaces a text of the configuration, and with it one line of what ipvsadm shows.
type edit struct{ old, new, want string }

var edits = []edit{
	{`lb_algo = "rr"`, `lb_algo = "mh"`, "-A -t 192.168.1.202:7 -s mh -b mh-fallback"}, // which it has by default
	{`lb_algo = "mh"`, "lb_algo = 'mh'\nmh-fallback = false", "-A -t 192.168.1.202:7 -s mh"},
	{`mh-fallback = false`, "mh-fallback = false\nmh-port = true", "-A -t 192.168.1.202:7 -s mh -b mh-port"},
	{`mh-fallback = false`, "mh-fallback = true", "-A -t 192.168.1.202:7 -s mh -b mh-fallback,mh-port"},
	{`lb_algo = 'mh'`, "lb_algo = 'mh'\npersistence_timeout = 300", "-A -t 192.168.1.202:7 -s mh -p 300 -b mh-fallback,mh-port"},
	{`timeout = 300`, `granularity = 24`, "-A -t 192.168.1.202:7 -s mh -p 360 -M 255.255.255.0 -b mh-fallback,mh-port"},
	{"persistence_granularity = 24\nmh-fallback = true\nmh-port = true", "", "-A -t 192.168.1.202:7 -s mh -b mh-fallback"},
	{`weight = 1`, `weight = 70000`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 70000"},
	{`weight = 70000`, `weight = 2147483647`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 2147483647"},
	{`weight = 2147483647`, `weight = 0`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 0"},
	{`weight = 0`, `uthreshold = 10`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1 -x 10 -y 0"},
	{`uthreshold = 10`, "uthreshold = 10\nlthreshold = 5", "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1 -x 10 -y 5"},
	{"uthreshold = 10\nlthreshold = 5", "", "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1"},
	{`"NAT"`, `"DR"`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -g -w 1"},
	{`"DR"`, `"TUN type ipip"`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type ipip"},
	{`type ipip`, `type gue port 6080`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum"},
	{`port 6080`, `port 6081`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gue --tun-port 6081 --tun-nocsum"},
	{`port 6081`, `port 6081 csum`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gue --tun-port 6081 --tun-csum"},
	{`6081 csum`, `6081 remcsum`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gue --tun-port 6081 --tun-remcsum"},
	{`type gue port 6081 remcsum`, `type gre`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gre --tun-nocsum"},
	{`type gre`, `type gre csum`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -i -w 1 --tun-type gre --tun-csum"},
	{`"TUN type gre csum"`, `"NAT"`, "-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1"},

	// Every message that edits a service has to name its persistence engine, or the kernel drops it.
	{`weight = 2`, `weight = 20`, "-a -u 192.168.1.202:5060 -r 10.0.100.2:5060 -m -w 20"},
	{`lb_algo = "rr"`, `lb_algo = "wlc"`, "-A -u 192.168.1.202:5060 -s wlc -p 60 --pe sip"},
	{`timeout = 60`, `timeout = 61`, "-A -u 192.168.1.202:5060 -s wlc -p 61 --pe sip"},
	{"timeout = 61\n", "timeout = 61\nops = true\n", "-A -u 192.168.1.202:5060 -s wlc -p 61 --pe sip -o"},
	{"ops = true\n", "persistence_granularity = 16\n", "-A -u 192.168.1.202:5060 -s wlc -p 61 -M 255.255.0.0 --pe sip"},
	{"persistence_granularity = 16\n", "", "-A -u 192.168.1.202:5060 -s wlc -p 61 --pe sip"},
	{`persistence_engine = "sip"`, "", "-A -u 192.168.1.202:5060 -s wlc -p 61"},

	{`lb_algo = "sh"`, "lb_algo = 'sh'\nsh-fallback = true", "-A -f 7 -6 -s sh -b sh-fallback"},
	{`sh-fallback`, `sh-port`, "-A -f 7 -6 -s sh -b sh-port"},
	{"lb_algo = 'sh'\nsh-port = true", "lb_algo = 'lc'\nflag-1 = true", "-A -f 7 -6 -s lc -b flag-1"},
	{`flag-1 = true`, "flag-1 = true\npersistence_granularity = 64", "-A -f 7 -6 -s lc -p 360 -M 64 -b flag-1"},
	{`granularity = 64`, "granularity = 48", "-A -f 7 -6 -s lc -p 360 -M 48 -b flag-1"},
	{`granularity = 48`, "timeout = 86400\nops = true", "-A -f 7 -6 -s lc -p 86400 -o -b flag-1"},
	{`ops = true`, "ops = true\npersistence_engine = 'sip'", "-A -f 7 -6 -s lc -p 86400 --pe sip -o -b flag-1"},
	{`weight = 3`, `weight = 300`, "-a -f 7 -6 -r 10.0.100.2:80 -i -w 300 --tun-type ipip"},
	{`weight = 300`, "weight = 300\nuthreshold = 2000000000", "-a -f 7 -6 -r 10.0.100.2:80 -i -w 300 --tun-type ipip -x 2000000000 -y 0"},
	{`lb_kind = "TUN"`, `lb_kind = "TUN type gue port 1 csum"`,
		"-a -f 7 -6 -r 10.0.100.2:80 -i -w 300 --tun-type gue --tun-port 1 --tun-csum -x 2000000000 -y 0"},
}

// Scenario 16 of the peers, and the same for all other options: what can be edited is edited. Nothing is ever deleted for
// it, so that the flows of a server and its counters stay.
func TestKernelEditInPlace(t *testing.T) {
	c := lab.NewNATCluster(t)
	ipvsd.Echo(t, c.Web[0].Host, "10.0.100.2:7")
	config := edited
	d := ipvsd.Start(t, c.Director, config)
	f := ipvsd.OpenFlow(t, c.Client, netip.MustParseAddrPort("192.168.1.202:7"))
	last, before := ipvsd.CountersOf(t, c.Director), linesOf(t, c.Director)
	for _, e := range edits {
		when := fmt.Sprintf("with %q for %q", e.new, e.old)
		if !strings.Contains(config, e.old) {
			t.Fatalf("%s: there is no such text", when)
		}
		config = strings.Replace(config, e.old, e.new, 1)
		a := d.Load(config)
		if len(a.Changes) != 1 || !strings.HasPrefix(a.Changes[0], "edit ") {
			t.Errorf("%s the reload changed %q", when, a.Changes)
		}
		after := linesOf(t, c.Director)
		gone, come := ipvsd.Missing(before, after), ipvsd.Missing(after, before)
		if len(gone) != 1 || len(come) != 1 || come[0] != e.want {
			t.Errorf("%s:\nipvsadm shows  %q\nwant           %q\ninstead of     %q", when, come, e.want, gone)
		}
		f.Ping(when)
		now := ipvsd.CountersOf(t, c.Director)
		now.GrownFrom(t, when, last)
		before, last = after, now
	}
	lab.WaitFor(t, ipvsd.Patience, "the kernel's counters", func() error {
		// Two packets for the handshake, two for each line: itself and the acknowledgement of its return.
		if n := ipvsd.CountersOf(t, c.Director)["TCP 192.168.1.202:7 10.0.100.2:7"]; n[0] != 1 || n[1] < int64(2+f.Sent) {
			return fmt.Errorf("those of the flow are %d after %d lines", n, f.Sent)
		}
		return nil
	})
	if a := d.Planned(); len(a.Changes) > 0 {
		t.Errorf("the plan afterwards: %q", a.Changes)
	}
}

// linesOf is the table as commands, a line each, with the thresholds that ipvsadm -Sn leaves out.
func linesOf(t *testing.T, h *lab.Host) []string {
	t.Helper()
	lines := h.SavedTable()
	rows := h.Table("--thresholds")
	if len(rows) != len(lines) {
		t.Fatalf("%d rows, but %d commands: %q %q", len(rows), len(lines), rows, lines)
	}
	for i, r := range rows {
		if r.Server != "" && (r.Int(0) > 0 || r.Int(1) > 0) {
			lines[i] += fmt.Sprintf(" -x %d -y %d", r.Int(0), r.Int(1))
		}
	}
	return lines
}
