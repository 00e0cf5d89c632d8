//go:build kernel

package probe_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// whatever is a weight that isn't looked at.
const whatever = -2

// keepalived runs keepalived with a virtual server for each check, and returns what waits until its table is as it should be: the
// weight of each server, -1 of one that isn't in it.
func keepalived(t *testing.T, trackFiles string, checks []string, targets []netip.AddrPort) (waitFor func(want []int64)) {
	t.Helper()
	sh(t, "ip link set lo up; modprobe ip_vs")
	here := lab.Here(t)
	conf := &strings.Builder{}
	fmt.Fprintf(conf, "global_defs {\n}\n%s", trackFiles)
	service := func(i int) string { return fmt.Sprintf("192.0.2.200:%d", i+1) }
	for i, check := range checks {
		fmt.Fprintf(conf, "virtual_server %s {\nprotocol UDP\ndelay_loop 1\nlvs_sched rr\nlvs_method NAT\nreal_server %s %d {\nweight 10\n%s\n}\n}\n",
			strings.Replace(service(i), ":", " ", 1), targets[i].Addr(), targets[i].Port(), check)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := here.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--check", "--use-file", path,
		"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers"))
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return func(want []int64) {
		t.Helper()
		lab.WaitFor(t, 2*time.Minute, "keepalived's table", func() error {
			got := make(map[string]int64)
			for _, row := range here.Table() {
				if row.Server != "" {
					got[strings.TrimPrefix(row.Service, "UDP ")] = row.Int(1)
				}
			}
			var err error
			for i, weight := range want {
				if has, in := got[service(i)]; weight != whatever && (!in && weight >= 0 || in && has != weight) {
					err = errors.Join(err, fmt.Errorf("%q: weight %d, in the table %v; want %d", checks[i], has, in, weight))
				}
			}
			return err
		})
	}
}

// serveAndCount starts servers, and returns what waits until each has been asked so many times.
func serveAndCount(t *testing.T, servers []func([]byte, func([]byte) error)) (at []netip.AddrPort, asked func(times int64)) {
	t.Helper()
	counts := make([]atomic.Int64, len(servers))
	for i, serve := range servers {
		address, end := serverUDP(t, func(b []byte, send func([]byte) error) {
			counts[i].Add(1)
			serve(b, send)
		})
		t.Cleanup(end)
		at = append(at, address)
	}
	return at, func(times int64) {
		t.Helper()
		lab.WaitFor(t, 2*time.Minute, "the requests", func() error {
			for i := range counts {
				if n := counts[i].Load(); n < times {
					return fmt.Errorf("server %d was asked %d times", i, n)
				}
			}
			return nil
		})
	}
}

// weightOf is what keepalived gives a server that passed, or didn't.
func weightOf(err error) int64 {
	if err != nil {
		return -1
	}
	return 10
}

func probeFor(t *testing.T, limit time.Duration, c health.Check) (health.Finding, error) {
	t.Helper()
	c.Timeout = limit
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return probe.Probe(ctx, c)
}

func TestKernelUDPCheckIsKeepalived(t *testing.T) {
	const head = "UDP_CHECK {\nconnect_timeout 1\nretry 0\nwarmup 0\n"
	var servers []func([]byte, func([]byte) error)
	var checks []string
	var specs []health.UDP
	for _, test := range udpCases {
		servers = append(servers, func(b []byte, send func([]byte) error) {
			for _, text := range test.answers {
				if text == "echo" {
					text = string(b)
				}
				send([]byte(text))
			}
		})
		checks = append(checks, head+test.keywords+"\n}")
		specs = append(specs, test.spec)
	}
	for _, keywords := range []string{"", "require_reply"} {
		servers = append(servers, func([]byte, func([]byte) error) {})
		checks = append(checks, head+keywords+"\n}")
		specs = append(specs, health.UDP{Require: keywords != ""})
	}
	targets, asked := serveAndCount(t, servers)
	// One where nobody listens, and one that isn't there.
	sh(t, "ip link add dummy0 type dummy; ip address add 192.0.2.129/25 dev dummy0; ip link set dummy0 up")
	t.Cleanup(func() { sh(t, "ip link del dummy0") })
	closed, end := serverUDP(t, nil)
	end()
	for _, target := range []netip.AddrPort{closed, netip.MustParseAddrPort("198.51.100.7:9")} {
		targets, checks, specs = append(targets, target), append(checks, head+"}"), append(specs, health.UDP{})
	}
	waitFor := keepalived(t, "", checks, targets)
	asked(4) // three have been judged
	want := make([]int64, len(specs))
	for i, spec := range specs {
		_, err := probeFor(t, time.Second, udpCheck(spec)(targets[i]))
		want[i] = weightOf(err)
	}
	waitFor(want)
}

func TestKernelDNSCheckIsKeepalived(t *testing.T) {
	code := func(r dnsmessage.RCode) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) { m.RCode = r }
	}
	wrong := func(b []byte) []byte { b = answering(nil)(b); b[0] ^= 1; return b }
	one := func(answer func([]byte) []byte) func([]byte, func([]byte) error) {
		return func(b []byte, send func([]byte) error) { send(answer(b)) }
	}
	cases := []struct {
		name   string
		serve  func([]byte, func([]byte) error)
		differ bool // keepalived passes it, we don't
	}{
		{"a record", one(answering(nil, a("192.0.2.1"))), false},
		{"no record", one(answering(nil)), false},
		{"NXDOMAIN", one(answering(code(dnsmessage.RCodeNameError))), false},
		{"REFUSED", one(answering(code(dnsmessage.RCodeRefused))), false},
		{"SERVFAIL", one(answering(code(dnsmessage.RCodeServerFailure))), false},
		{"truncated", one(answering(func(m *dnsmessage.Message) { m.Truncated = true })), false},
		{"wrong number", one(wrong), false},
		{"wrong number, then right", func(b []byte, send func([]byte) error) { send(wrong(b)); send(answering(nil)(b)) }, false},
		{"a question", one(answering(func(m *dnsmessage.Message) { m.Response = false })), false},
		{"four bytes", one(func(b []byte) []byte { return answering(nil)(b)[:4] }), false},
		{"no byte", one(func([]byte) []byte { return nil }), false},
		{"silence", func([]byte, func([]byte) error) {}, false},
		{"another question", one(answering(func(m *dnsmessage.Message) { m.Questions[0].Name = name("example.com.") })), true},
		{"no question", one(answering(func(m *dnsmessage.Message) { m.Questions = nil })), true},
		{"an answer that breaks off", one(func(b []byte) []byte { b = answering(nil, a("192.0.2.1"))(b); return b[:len(b)-1] }), true},
	}
	var servers []func([]byte, func([]byte) error)
	var checks []string
	for _, test := range cases {
		servers = append(servers, test.serve)
		checks = append(checks, "DNS_CHECK {\nconnect_timeout 1\nretry 0\ndelay_before_retry 1\nwarmup 0\ntype A\nname www.example.org\n}")
	}
	targets, asked := serveAndCount(t, servers)
	waitFor := keepalived(t, "", checks, targets)
	asked(4)
	want := make([]int64, len(cases))
	for i, test := range cases {
		_, err := probeFor(t, time.Second, dnsCheck(health.DNS{})(targets[i]))
		if want[i] = weightOf(err); test.differ {
			if err == nil {
				t.Errorf("%s: it passes", test.name)
			}
			want[i] = 10
		}
	}
	waitFor(want)
}

func TestKernelFileCheckIsKeepalived(t *testing.T) {
	dir := t.TempDir()
	weights := []struct {
		keyword string
		spec    health.File
	}{
		{"", health.File{Weighed: true, Weight: 1}}, // the default of track_file
		{"weight 0", health.File{}},
		{"weight 0 reverse", health.File{Reverse: true}},
		{"weight 3", health.File{Weighed: true, Weight: 3}},
		{"weight -2", health.File{Weighed: true, Weight: -2}},
		{"weight 1 reverse", health.File{Weighed: true, Weight: 1, Reverse: true}},
	}
	var trackFiles strings.Builder
	var checks []string
	var specs []health.File
	var targets []netip.AddrPort
	for i := range fileNumbers {
		path := filepath.Join(dir, fmt.Sprint(i))
		fmt.Fprintf(&trackFiles, "track_file f%d {\nfile %s\n}\n", i, path)
		for _, w := range weights {
			w.spec.Path = path
			checks = append(checks, fmt.Sprintf("FILE_CHECK {\ntrack_file f%d\n%s\n}", i, w.keyword))
			specs = append(specs, w.spec)
			targets = append(targets, netip.MustParseAddrPort("127.0.0.1:9"))
		}
	}
	var flipped bool // every file has been 0 and something else since keepalived began
	ours := func() []int64 {
		want := make([]int64, len(specs))
		for i, spec := range specs {
			f, err := probeFor(t, time.Minute, fileCheck(spec))
			if want[i] = weightOf(err); err == nil {
				want[i] = min(max(10+int64(f.Advice.Value), 0), math.MaxInt32)
			}
			switch n := fileNumbers[i/len(weights)]; {
			case n.number > 1<<20 || n.number < -1<<20:
				want[i] = whatever // keepalived loses count
			case spec == health.File{Path: spec.Path, Reverse: true} && !flipped:
				want[i] = whatever // it forgets reverse until the file changes for the first time
			case flipped && strings.HasSuffix(n.warning, "too large"):
				want[i] = whatever // and stays with what was there before
			}
		}
		return want
	}
	write := func(content func(i int) string) {
		t.Helper()
		for i := range fileNumbers {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(content(i)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(func(i int) string { return fileNumbers[i].content })
	waitFor := keepalived(t, trackFiles.String(), checks, targets)
	waitFor(ours())
	write(func(int) string { return "2" })
	waitFor(ours())
	for i := range fileNumbers {
		if err := os.Remove(filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(ours())
	write(func(int) string { return "3" })
	flipped = true
	waitFor(ours())
	write(func(i int) string { return fileNumbers[i].content })
	waitFor(ours())
}

func pingCheck(at string) health.Check {
	return health.Check{Type: "PING_CHECK", Target: netip.MustParseAddrPort(at)}
}

// pingGroups says who may open sockets for pings; "1 0" is nobody, as the kernel has it at first.
func pingGroups(t *testing.T, groups string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(groups), 0); err != nil {
		t.Fatal(err)
	}
}

// Both kinds of sockets, and both families. The sysctl stays as it is.
func TestKernelPingCheck(t *testing.T) {
	twins(t)
	t.Cleanup(func() { pingGroups(t, "1 0") })
	sh(t, "ip netns exec left sysctl -q net.ipv4.icmp_echo_ignore_all=1 net.ipv6.icmp.echo_ignore_all=1")
	lab.WaitFor(t, time.Minute, "addresses of the links", func() error { // which need a moment
		_, err := probeFor(t, time.Minute, health.Check{Target: netip.MustParseAddrPort("[fe80::9%right]:80"), Spec: health.TCP{}})
		if probe.Local(err) {
			return err
		}
		return nil
	})
	for _, groups := range []string{"1\t0\n", "0\t0\n"} {
		pingGroups(t, groups)
		for _, test := range []struct {
			check health.Check
			iface string
			want  string
		}{
			{pingCheck("127.0.0.1:0"), "", ""},
			{pingCheck("127.0.0.1:80"), "", ""},
			{pingCheck("[::1]:80"), "", ""},
			{pingCheck("192.0.2.9:80"), "left", "no answer within"},
			{pingCheck("192.0.2.9:80"), "right", ""},
			{pingCheck("[fe80::9%left]:0"), "", "no answer within"},
			{pingCheck("[fe80::9%right]:0"), "", ""},
			{pingCheck("[fe80::9]:0"), "right", ""},
			{pingCheck("192.0.2.10:80"), "", "no route to host"}, // nobody answers ARP
			{pingCheck("198.51.100.1:80"), "", "network is unreachable"},
			{pingCheck("192.0.2.9:80"), "nosuch0", "bind_if nosuch0: no such device"},
		} {
			test.check.Interface, test.check.Spec = test.iface, health.Ping{}
			limit := time.Minute
			if strings.HasPrefix(test.want, "no answer") {
				limit = time.Second
			}
			_, err := probeFor(t, limit, test.check)
			if err == nil && test.want != "" || err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("groups %q: %s by %q: %v; want %q", groups, test.check.Target, test.iface, err, test.want)
			}
		}
		if now, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range"); err != nil || string(now) != groups {
			t.Errorf("the sysctl was %q and is %q, %v", groups, now, err)
		}
	}
}

func TestKernelPingCheckHasSourceAndMark(t *testing.T) {
	twins(t)
	t.Cleanup(func() { pingGroups(t, "1 0") })
	sh(t, `ip address add 192.0.2.2/32 dev left
	ip netns exec left iptables-legacy -A INPUT -p icmp ! -s 192.0.2.2 -j DROP
	ip rule add fwmark 7 prohibit`)
	t.Cleanup(func() { sh(t, "ip rule del fwmark 7") })
	for _, groups := range []string{"1 0", "0 0"} {
		pingGroups(t, groups)
		c := pingCheck("192.0.2.9:0")
		c.Spec = health.Ping{}
		if _, err := probeFor(t, time.Second, c); err == nil || err.Error() != "no answer within 1s" {
			t.Errorf("from anywhere: %v", err)
		}
		c.Source = netip.MustParseAddrPort("192.0.2.2:7777")
		if _, err := probeFor(t, time.Minute, c); err != nil {
			t.Errorf("from %s: %v", c.Source, err)
		}
		c.FWMark = 7
		if _, err := probeFor(t, time.Minute, c); err == nil || err.Error() != "permission denied" {
			t.Errorf("with a mark that routes refuse: %v", err)
		}
	}
}

func TestKernelPingCheckWithoutPrivilege(t *testing.T) {
	sh(t, "ip link set lo up")
	got := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread's capabilities go with it
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			t.Error(err)
		}
		c := pingCheck("127.0.0.1:0")
		c.Spec, c.Timeout = health.Ping{}, time.Minute
		_, err := probe.Probe(t.Context(), c)
		got <- err
	}()
	const want = "neither CAP_NET_RAW nor the sysctl net.ipv4.ping_group_range let us send pings: socket: operation not permitted"
	if err := <-got; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// Many at once, each of which hears the answers to the others.
func TestKernelPingCheckOfThousands(t *testing.T) {
	sh(t, "ip link set lo up; sysctl -q net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=1000000")
	t.Cleanup(func() { pingGroups(t, "1 0") })
	for _, groups := range []string{"1 0", "0 0"} {
		pingGroups(t, groups)
		before := len(openFiles(t))
		var group sync.WaitGroup
		var failed atomic.Int64
		begin := time.Now()
		for i := range 2000 {
			group.Go(func() {
				c := pingCheck(fmt.Sprintf("127.1.%d.%d:0", i/250, 1+i%250))
				c.Spec = health.Ping{}
				if _, err := probeFor(t, 5*time.Minute, c); err != nil && failed.Add(1) < 5 {
					t.Errorf("%s: %v", c.Target, err)
				}
			})
		}
		group.Wait()
		t.Logf("groups %q: 2000 pings in %v, %d failed", groups, time.Since(begin), failed.Load())
		if after := len(openFiles(t)); after > before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	}
}

func TestKernelPingCheckIsKeepalived(t *testing.T) {
	twins(t)
	t.Cleanup(func() { pingGroups(t, "1 0") })
	sh(t, "ip netns exec left ip address add 192.0.2.11/24 dev eth0; ip netns exec left iptables-legacy -A INPUT -p icmp -d 192.0.2.11 -j DROP")
	var checks []string
	var targets []netip.AddrPort
	var want []int64
	for _, at := range []string{"192.0.2.9:80", "127.0.0.5:80", "192.0.2.10:80", "192.0.2.11:80"} {
		c := pingCheck(at)
		c.Spec = health.Ping{}
		_, err := probeFor(t, 4*time.Second, c)
		checks, targets = append(checks, "PING_CHECK {\nconnect_timeout 4\nretry 0\nwarmup 0\n}"), append(targets, c.Target)
		want = append(want, weightOf(err))
	}
	if fmt.Sprint(want) != "[10 10 -1 -1]" {
		t.Errorf("we say %v", want)
	}
	keepalived(t, "", checks, targets)(want)
}
