//go:build kernel

package probe_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

const (
	benchServers  = 20
	benchInterval = 100 * time.Millisecond
	benchTime     = 15 * time.Second
)

// BenchmarkKernelHTTP has ipvsd's engine and keepalived, one after the other, send the same checks to an nginx, 200 a second, and
// compares the processor time that each takes for one. Of the digest and the regex ipvsd's are exact.
func BenchmarkKernelHTTP(b *testing.B) {
	dir := b.TempDir()
	ca := newAuthority(b, dir, "ca")
	ca.issue("good", time.Now().AddDate(1, 0, 0), ca, "www.example.org")
	serveNginx(b, dir)
	encrypted := page(digest(md5OfContent))
	encrypted.TLS = health.TLS{Mode: health.Implicit, SNI: "www.example.org"}
	for _, test := range []struct {
		name, kind string
		port       uint16
		spec       health.HTTP
	}{
		{"HTTP_GET", "HTTP_GET", 80, page(digest(md5OfContent))},
		{"SSL_GET", "SSL_GET", 443, encrypted},
	} {
		b.Run(test.name, func(b *testing.B) {
			targets := make([]netip.AddrPort, benchServers)
			for i := range targets {
				targets[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), test.port)
			}
			for b.Loop() {
				us, calls := ourShare(b, targets, test.spec)
				b.ReportMetric(us, "ipvsd-cpu-us/check")
				b.ReportMetric(calls, "ipvsd-calls/check")
				us, calls = keepalivedShare(b, dir, test.kind, targets)
				b.ReportMetric(us, "keepalived-cpu-us/check")
				b.ReportMetric(calls, "keepalived-calls/check")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func serveNginx(b *testing.B, dir string) {
	b.Helper()
	conf := `daemon off; user root; worker_processes 1; pid DIR/pid; events { worker_connections 256; }
	http { access_log off; ssl_certificate DIR/good.pem; ssl_certificate_key DIR/good.pem; ssl_session_cache shared:s:1m;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server { listen 80; listen 443 ssl; location / { return 200 "content"; } location = /status { stub_status; } } }`
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	started(b, "nginx", "-e", "stderr", "-p", dir, "-c", file)
	lab.WaitFor(b, time.Minute, "nginx", func() error { _, err := served(); return err })
}

// started starts a program that ends with the benchmark, and returns what ends it before.
func started(b *testing.B, args ...string) (pid int, stop func()) {
	b.Helper()
	c := exec.Command(args[0], args[1:]...)
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
		}
	}
	b.Cleanup(stop)
	return c.Process.Pid, stop
}

// served returns how many requests nginx has answered.
func served() (int, error) {
	out, err := exec.Command("curl", "-sS", "http://127.0.0.1/status").Output()
	if err != nil {
		return 0, err
	}
	words := strings.Fields(string(out)) // ... requests ACCEPTED HANDLED REQUESTS Reading: ...
	for i, word := range words {
		if word == "Reading:" {
			return strconv.Atoi(words[i-1])
		}
	}
	return 0, fmt.Errorf("%q", out)
}

// share returns the processor time in microseconds that some processes take for one request, while they send them, and then how
// many system calls.
func share(b *testing.B, processes func() []string) (us, calls float64) {
	b.Helper()
	<-time.After(2 * time.Second) // so that all that is made once is made
	during := func(what func()) (requests float64) {
		before, err := served()
		what()
		after, err2 := served()
		if err != nil || err2 != nil || after-before < benchServers*10 {
			b.Fatalf("%d requests; %v, %v", after-before, err, err2)
		}
		return float64(after - before)
	}
	pids := processes()
	used := ticks(b, pids)
	requests := during(func() { <-time.After(benchTime) })
	used = ticks(b, pids) - used
	b.Logf("%.0f requests", requests)
	list := filepath.Join(b.TempDir(), "calls")
	traced := during(func() {
		_, stop := started(b, append([]string{"strace", "-f", "-c", "-o", list, "-p"}, strings.Join(pids, ","))...)
		<-time.After(benchTime)
		stop()
	})
	text, err := os.ReadFile(list)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s", text)
	for line := range strings.Lines(string(text)) { // %, seconds, µs of a call, calls, with or without errors, name
		if words := strings.Fields(line); len(words) > 3 && words[len(words)-1] == "total" {
			calls, _ = strconv.ParseFloat(words[3], 64)
		}
	}
	const tick = 10_000 // in microseconds, USER_HZ
	return float64(used*tick) / requests, calls / traced
}

// ticks returns the processor time of processes, in ticks.
func ticks(b *testing.B, pids []string) (sum int) {
	b.Helper()
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		words := strings.Fields(rest)
		user, _ := strconv.Atoi(words[11])
		system, _ := strconv.Atoi(words[12])
		sum += user + system
	}
	return sum
}

func ourShare(b *testing.B, targets []netip.AddrPort, spec health.HTTP) (us, calls float64) {
	b.Helper()
	checks := make([]health.ID, len(targets))
	for i, target := range targets {
		checks[i] = health.Check{Type: "HTTP_GET", Target: target, Timeout: 3 * time.Second, Spec: spec,
			Policy: health.Policy{DelayLoop: benchInterval}}.ID()
	}
	connector, err := probe.NewConnector()
	if err != nil {
		b.Fatal(err)
	}
	e := engine.New(probe.Probe, func(r engine.Report) {
		if r.Checker.Reason() != "" {
			b.Error(r.Checker.Reason())
		}
	}, engine.ConnectBy(connector))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	e.Change(nil, checks)
	us, calls = share(b, func() []string { return []string{strconv.Itoa(os.Getpid())} })
	cancel()
	<-done
	return us, calls
}

func keepalivedShare(b *testing.B, dir, kind string, targets []netip.AddrPort) (us, calls float64) {
	b.Helper()
	var conf strings.Builder
	fmt.Fprintf(&conf, "virtual_server 192.0.2.1 80 {\n delay_loop %v\n lb_algo rr\n lb_kind NAT\n protocol TCP\n", benchInterval.Seconds())
	for _, t := range targets {
		fmt.Fprintf(&conf, " real_server %s %d {\n  %s {\n   connect_timeout 3\n   warmup 0\n   url {\n    path /\n    digest %s\n   }\n  }\n }\n",
			t.Addr(), t.Port(), kind, md5OfContent)
	}
	conf.WriteString("}\n")
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	pid, stop := started(b, "keepalived", "--check", "--dont-fork", "--use-file", file, "--pid", dir+"/keepalived.pid", "--checkers_pid", dir+"/checkers.pid")
	defer stop()
	children := fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)
	return share(b, func() []string {
		list, err := os.ReadFile(children)
		if err != nil {
			b.Fatal(err)
		}
		return append(strings.Fields(string(list)), strconv.Itoa(pid))
	})
}
