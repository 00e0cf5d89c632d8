//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// benched is ab, run over and over. It counts what failed.
type benched struct {
	runs   chan struct{} // one comes with each run
	made   atomic.Int64  // requests that did not fail
	broken atomic.Bool   // some did
	failed []string      // read it when ab was stopped
}

// count takes in a run.
func (b *benched) count(requests int64, good bool, out string, err error) {
	if good && err == nil {
		b.made.Add(requests)
	} else {
		b.failed = append(b.failed, fmt.Sprintf("until %s: %v\n%s", time.Now().Format(time.StampMilli), err, out))
		b.broken.Store(true)
	}
	select {
	case b.runs <- struct{}{}:
	default:
	}
}

// bench has ab ask for a page, each time over a new connection, until stop is called.
func bench(t *testing.T, h *lab.Host, at netip.AddrPort) (b *benched, stop func()) {
	b = &benched{runs: make(chan struct{}, 1)}
	return b, ipvsd.Until(t.Context(), func() {
		out, err := h.Output("ab", "-q", "-l", "-n", "60", "-c", "4", fmt.Sprintf("http://%s/", at))
		words := strings.Join(strings.Fields(out), " ")
		b.count(60, strings.Contains(words, "Complete requests: 60 Failed requests: 0") && !strings.Contains(words, "Non-2xx"), out, err)
	})
}

// wait waits until ab has run a few times from beginning to end.
func (b *benched) wait(t *testing.T) {
	t.Helper()
	for range 3 {
		select {
		case <-b.runs:
		case <-time.After(ipvsd.Patience):
			t.Fatal("ab does not end")
		}
	}
}

// Scenario 11 of the peers: while ab asks, a server is drained by ipvsctl, under schedulers that go round, count, and hash, and with
// persistence. No request fails, the server gets no new connection, its connections end, and that holds while the daemon restarts or dies.
func TestKernelScenario11Drain(t *testing.T) {
	c := lab.NewNATCluster(t)
	services := []string{"lb_algo = 'rr'\n", "lb_algo = 'wlc'\n", "lb_algo = 'mh'\n", "lb_algo = 'sh'\n", "lb_algo = 'rr'\npersistence_timeout = 300\n", "lb_algo = 'wrr'\n",
		"lb_algo = 'lc'\n"}
	config := ""
	for i, options := range services {
		config += fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\n%sTCP_CHECK = false\n", port(lab.WebVIP, uint16(7000+i)), options)
		for _, s := range c.Web {
			config += fmt.Sprintf("[[virtual_server.real_server]]\naddress = %q\nname = %q\n", s.Addr, s.Host.Name)
		}
	}
	d := ipvsd.Start(t, c.Director, config)
	for i, options := range services {
		vip := port(lab.WebVIP, uint16(7000+i))
		service := "TCP " + vip.String()
		answer, err := c.Client.Get(vip)
		if err != nil {
			t.Fatal(err)
		}
		name := answer.Server
		var own *lab.Server // whom this client has under all but rr and wlc
		for _, s := range c.Web {
			if s.Host.Name == name {
				own = s
			}
		}
		ab, stop := bench(t, c.Client, vip)
		ab.wait(t)
		out := d.Ctl("drain", name, "--service", strings.ToLower(service), "--reason", "new kernel", "--deadline", "1h", "--wait")
		if !strings.Contains(out, "drained after") {
			t.Errorf("%s: %s", options, out)
		}
		seen := lab.NewCapture(own.Host, "eth0", "dst port 80 and tcp[tcpflags] & tcp-syn != 0")
		ab.wait(t)
		switch i {
		case 0:
			d.Stop()
			d.Start()
		case 1, 2:
			d.Kill()
			d.Start()
		}
		ab.wait(t)
		stop()
		for _, failed := range ab.failed {
			t.Errorf("%s: %s", options, failed)
		}
		if syns := seen.Stop(); len(syns) > 0 {
			t.Errorf("%s: %s drains, but has %d new connections: %s", options, name, len(syns), syns[0])
		}
		if row := d.Row(service, own.Addr.String()); !strings.HasPrefix(row, "Masq 0 0 ") {
			t.Errorf("%s: %s is %q", options, name, row)
		}
		if out := d.Ctl("drains"); !strings.Contains(out, "drained") || !strings.Contains(out, "new kernel, disabled in 5") {
			t.Errorf("%s: %s", options, out)
		}
		d.Ctl("undrain", name, "--service", strings.ToLower(service))
		if row := d.Row(service, own.Addr.String()); !strings.HasPrefix(row, "Masq 1 ") {
			t.Errorf("%s: after that %s is %q", options, name, row)
		}
		if again, err := c.Client.Get(vip); err != nil || i > 1 && i < 4 && again.Server != name {
			t.Errorf("%s: after that %s answers: %v", options, again.Server, err)
		}
	}
}

// A connection that is open lives through a drain, and through the death of the daemon. With --wait ipvsctl tells of it, and ends with it;
// at the deadline it is cut, and the client knows at once.
func TestKernelDrainWaits(t *testing.T) {
	c := lab.NewNATCluster(t)
	vip := port(lab.WebVIP, 7100)
	config := fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nTCP_CHECK = false\nreal_servers = [", vip)
	for _, s := range c.Web[:2] {
		at := port(s.Addr, vip.Port()).String()
		ipvsd.Echo(t, s.Host, at)
		config += fmt.Sprintf("%q, ", at)
	}
	d := ipvsd.Start(t, c.Director, config+"]\n")
	service, first := "TCP "+vip.String(), port(c.Web[0].Addr, vip.Port()).String()
	// open returns a connection with the first server.
	open := func() *ipvsd.Flow {
		t.Helper()
		for range 4 {
			before := d.Row(service, first)
			f := ipvsd.OpenFlow(t, c.Client, vip)
			if d.Row(service, first) != before {
				return f
			}
			_ = f.Close()
		}
		t.Fatal("the first server has none")
		return nil
	}
	f := open()
	waiting := c.Director.Start(d.CtlLine("drain", first, "--wait")...)
	waiting.WaitLog(ipvsd.Patience, "connections left: 1")
	d.Kill()
	waiting.WaitLog(ipvsd.Patience, "the daemon does not run")
	f.Ping("while it drains and no daemon runs")
	d.Start()
	f.Ping("while it drains")
	if row := d.Row(service, first); !strings.HasPrefix(row, "Masq 0 1 ") {
		t.Errorf("the server is %q", row)
	}
	_ = f.Close()
	if err := waiting.Err(); err != nil || !strings.Contains(waiting.Log(), "drained after") {
		t.Errorf("%v\n%s", err, waiting.Log())
	}
	d.Ctl("undrain", first)

	f = open()
	cut := c.Director.Start(d.CtlLine("drain", first, "--wait", "--deadline", "3s")...)
	if err := cut.Err(); err == nil || !strings.Contains(cut.Log(), "the deadline has come: disabled, connections cut: 1") {
		t.Errorf("%v\n%s", err, cut.Log())
	}
	if row := d.Row(service, first); row != "gone" {
		t.Errorf("the server is %q", row)
	}
	if err := f.SetDeadline(time.Now().Add(ipvsd.Patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte("is anybody there?\n"))
	if n, err := f.Read(make([]byte, 64)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection goes on: %d, %v", n, err)
	}
	d.Kill()
	d.Start()
	if row := d.Row(service, first); row != "gone" {
		t.Errorf("after kill -9 the server is %q", row)
	}
	if out := d.Ctl("drains"); !strings.Contains(out, "disabled at its deadline, connections cut: 1") {
		t.Errorf("%s", out)
	}
}

// Scenario 12 of the peers: a steady client of a name server that is drained has its answers until the deadline, then another one's; new
// ones have another one's at once.
func TestKernelScenario12DrainUDP(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.Start(t, c.Director, fmt.Sprintf("[global_defs]\nlvs_timeouts = \"udp 3600\"\n[[virtual_server]]\naddress = %q\nprotocol = \"UDP\"\nlb_algo = \"rr\"\n"+
		"TCP_CHECK = false\nreal_servers = [\"10.0.100.5:53\", \"10.0.100.6:53\"]\n", lab.DNSVIP))
	const first = "10.0.100.5:53"
	service := "UDP " + lab.DNSVIP.String()
	var steady *lab.Resolver
	for steady == nil {
		r, err := c.Client.NewResolver(lab.DNSVIP)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		if name, err := r.Query(); err != nil {
			t.Fatal(err)
		} else if name == "dns1" {
			steady = r
		}
	}
	d.Ctl("drain", first)
	for range 3 {
		if name, err := steady.Query(); err != nil || name != "dns1" {
			t.Errorf("a steady client: %q, %v", name, err)
		}
		if name, err := c.Query(); err != nil || name != "dns2" {
			t.Errorf("a new client: %q, %v", name, err)
		}
	}
	if row := d.Row(service, first); !strings.HasPrefix(row, "Masq 0 0 ") {
		t.Errorf("the server is %q", row)
	}
	if out := d.Ctl("drains"); !strings.Contains(out, "draining") {
		t.Errorf("%s", out)
	}
	cut := c.Director.Start(d.CtlLine("drain", first, "--wait", "--deadline", "1s")...)
	if err := cut.Err(); err == nil || !strings.Contains(cut.Log(), "the deadline has come: disabled, connections cut: ") {
		t.Errorf("%v\n%s", err, cut.Log())
	}
	if row := d.Row(service, first); row != "gone" {
		t.Errorf("the server is %q", row)
	}
	// What the kernel still knows of the client goes with its next packet at the latest.
	lab.WaitFor(t, ipvsd.Patience, "the other server's answer", func() error {
		name, err := steady.Query()
		if err == nil && name != "dns2" {
			err = fmt.Errorf("%s answers", name)
		}
		return err
	})
}

// With one-packet scheduling there is nothing to wait for: no datagram goes to a server that drains, and dnsperf, which asks all the time, loses
// no query.
func TestKernelScenario12DrainOPS(t *testing.T) {
	c := lab.NewDirectCluster(t)
	d := ipvsd.Start(t, c.Director, fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"UDP\"\nlb_algo = \"rr\"\nlb_kind = \"DR\"\nops = true\n"+
		"TCP_CHECK = false\nreal_servers = [\"192.168.1.21:53\", \"192.168.1.22:53\"]\n", lab.DNSVIP))
	socket, err := c.Client.NewResolver(lab.DNSVIP)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close() //nolint:errcheck // nothing was left unsaid
	ask := socket.Query
	if got := asked(t, ask, ask, ask, ask); turns(got) != "abab" {
		t.Fatalf("before, one socket was answered by %s", got)
	}
	load, stop := dnsperf(t, c.Client, lab.DNSVIP)
	load.wait(t)
	if out := d.Ctl("drain", "192.168.1.21", "--wait"); !strings.Contains(out, "drained after") {
		t.Errorf("%s", out)
	}
	for i, name := range asked(t, ask, ask, ask, ask) {
		if name != c.DNS[1].Host.Name {
			t.Errorf("query %d was answered by %s", i, name)
		}
	}
	seen := lab.NewCapture(c.DNS[0].Host, "eth0", "udp dst port 53")
	load.wait(t)
	if queries := seen.Stop(); len(queries) > 0 {
		t.Errorf("it drains, but is asked: %s", queries[0])
	}
	stop()
	for _, failed := range load.failed {
		t.Error(failed)
	}
	d.Ctl("undrain", "192.168.1.21")
	if got := asked(t, ask, ask, ask, ask); turns(got) != "abab" && turns(got) != "baba" {
		t.Errorf("after that, one socket was answered by %s", got)
	}
}
