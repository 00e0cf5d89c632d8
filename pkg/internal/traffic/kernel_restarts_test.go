//go:build kernel

package traffic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// What TestKernelRestartsUnderLoad does, which is more in make endurance.
var (
	restarts = flag.Int("restarts", 2, "so many restarts under load, every other by kill -9")
	upgrades = flag.Int("upgrades", 2, "so many upgrades in place under load")
	reloads  = flag.Int("reloads", 10, "so many reloads under load")
)

// reshaped is the nth of a series of configurations, and its table. Each differs from the one before in weights, scheduler, checks and
// timeouts; the third servers take part in two and drain in the next two.
func reshaped(n int) (config, table string) {
	algo := []string{"rr", "wrr", "wlc", "mh", "sh", "lc"}[n%6]
	service := func(protocol string, option, vip, check string, port, first int) {
		config += fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = %q\nlb_algo = %q\ndelay_loop = %d\nretry = %d\ndrain_timeout = 3600\n%s\n",
			vip, protocol, algo, 1+n%3, 3+n%2, check)
		table += fmt.Sprintf("-A %s %s -s %s", option, vip, algo)
		if algo == "sh" || algo == "mh" { // or clients of a server that drains would get no other
			table += fmt.Sprintf(" -b %s-fallback", algo)
		}
		table += "\n"
		for i := range 3 {
			if i == 2 && n%4 > 1 {
				break
			}
			at, weight := fmt.Sprintf("10.0.100.%d:%d", first+i, port), 1+(n+i)%5
			config += fmt.Sprintf("[[virtual_server.real_server]]\naddress = %q\nweight = %d\n", at, weight)
			table += fmt.Sprintf("-a %s %s -r %s -m -w %d\n", option, vip, at, weight)
		}
	}
	config = fmt.Sprintf("[global_defs]\nlvs_sysctl_restore = true\nlvs_timeouts = \"udp %d\"\n", 5+n%2)
	service("TCP", "-t", lab.WebVIP.String(), "TCP_CHECK = { connect_timeout = 30 }", 80, 2)
	service("UDP", "-u", lab.DNSVIP.String(), `DNS_CHECK = { type = "A", name = "www.lab.local", connect_timeout = 30 }`, 53, 5)
	return config, table
}

// lives is a daemon that is restarted and upgraded.
type lives struct {
	t *testing.T
	*ipvsd.Daemon
	shape int // n of reshaped
}

// leave waits until the daemon has ended, whoever started it.
func (l *lives) leave(end func(pid int)) {
	l.t.Helper()
	pid := l.Snapshot().PID
	end(pid)
	lab.WaitFor(l.t, ipvsd.Patience, "the end of the daemon", func() error {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/fd/0", pid)); err == nil { // a zombie has none
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
}

func (l *lives) stop() {
	l.t.Helper()
	l.leave(func(pid int) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			l.t.Fatal(err)
		}
	})
	if log := l.Process.Log(); !strings.Contains(log, "stopped; ") {
		l.t.Fatalf("it has not stopped cleanly:\n%s", log)
	}
}

func (l *lives) restart() { l.stop(); l.Start() }

func (l *lives) crash() { l.leave(func(int) { l.Kill() }); l.Start() }

func (l *lives) replace() {
	l.t.Helper()
	l.leave(func(pid int) {
		u, err := l.Upgrade(l.t.Context())
		if err != nil || u.PID == pid {
			l.t.Fatalf("upgrade: %+v, %v\n%s", u, err, l.Process.Log())
		}
	})
}

func (l *lives) reload() {
	l.t.Helper()
	l.shape++
	config, _ := reshaped(l.shape)
	if a := l.Load(config); len(a.Changes) == 0 {
		l.t.Fatalf("reload %d has changed nothing", l.shape)
	}
}

// vitals are what a process has that must not grow.
func (l *lives) vitals() (v struct{ descriptors, goroutines, kB int }, err error) {
	s, err := l.Status(l.t.Context())
	if err != nil {
		return v, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID))
	if err != nil {
		return v, err
	}
	memory, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	if err != nil {
		return v, err
	}
	client := http.Client{Timeout: ipvsd.Patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", l.Path("socket"))
		},
	}}
	answer, err := client.Get("http://ipvsd/metrics")
	if err != nil {
		return v, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	metrics, err := io.ReadAll(answer.Body)
	number := func(text []byte, pattern string) int {
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			err = errors.Join(err, fmt.Errorf("no %s in\n%s", pattern, text))
			return 0
		}
		n, _ := strconv.Atoi(string(m[1])) // it is one
		return n
	}
	v.descriptors, v.goroutines, v.kB = len(files), number(metrics, `(?m)^go_goroutines (\d+)`), number(memory, `VmRSS:\s*(\d+)`)
	return v, err
}

// kernelSettings is what a stop is to leave as it was before the first start: an upgrade hands on what that was.
func kernelSettings(h *lab.Host) string {
	return h.Run("sh", "-c", "ipvsadm -L --timeout; "+
		"cd /proc/sys/net/ipv4/vs && grep -H . conn_reuse_mode expire_nodest_conn expire_quiescent_template sloppy_tcp")
}

// TestKernelRestartsUnderLoad: while ab and dnsperf ask, the daemon is stopped, killed, upgraded and given other configurations. No request
// fails and no query is lost; the daemon has no more of anything than at first, the table is the configuration's, and the last stop puts
// back what was set before the first start.
func TestKernelRestartsUnderLoad(t *testing.T) {
	c := lab.NewNATCluster(t)
	before := kernelSettings(c.Director)
	config, table := reshaped(0)
	l := &lives{t: t, Daemon: ipvsd.Start(t, c.Director, config)}
	ipvsd.WaitSaved(t, c.Director, table)
	if kernelSettings(c.Director) == before {
		t.Fatal("the daemon has set nothing that a stop could put back")
	}
	ab, stopAB := bench(t, c.Client, lab.WebVIP)
	dns, stopDNS := dnsperf(t, c.Client, lab.DNSVIP)
	felt := func() {
		t.Helper()
		requests, queries := ab.made.Load(), dns.made.Load()
		lab.WaitFor(t, ipvsd.Patience, "answers", func() error { // of a run that began after that, too
			if ab.broken.Load() || dns.broken.Load() || ab.made.Load() > requests+60 && dns.made.Load() > queries+80 {
				return nil
			}
			return errors.New("the clients have not had enough")
		})
	}
	felt()

	steps := []struct {
		name  string
		times int
		do    func()
		heard bool // whether clients are waited for
		done  int
	}{
		{"reload", *reloads, l.reload, false, 0},
		{"stop and start", (*restarts + 1) / 2, l.restart, true, 0},
		{"kill -9 and start", *restarts / 2, l.crash, true, 0},
		{"upgrade", *upgrades, l.replace, true, 0},
	}
	// One of each, then what is furthest behind.
	total, first := *restarts+*upgrades+*reloads, struct{ descriptors, goroutines, kB int }{}
	var last []string
	for i := range total {
		next, behind := 0, -1
		for k := range steps {
			owed := (i+1)*steps[k].times - total*steps[k].done
			if s := &steps[k]; i < len(steps) && s.done == 0 && s.times > 0 {
				owed += total * total
			}
			if owed > behind {
				next, behind = k, owed
			}
		}
		s := &steps[next]
		last = append(last, time.Now().Format(time.StampMilli)+" "+s.name)
		s.do()
		s.done++
		if s.heard {
			felt()
		}
		if i == min(len(steps), total)-1 {
			var err error
			if first, err = l.vitals(); err != nil {
				t.Fatal(err)
			}
		}
		if ab.broken.Load() || dns.broken.Load() {
			break
		}
		if (i+1)%100 == 0 {
			t.Logf("%d of %d, %d requests, %d queries", i+1, total, ab.made.Load(), dns.made.Load())
		}
	}
	felt()
	stopAB()
	stopDNS()
	for _, failed := range append(ab.failed, dns.failed...) {
		t.Errorf("%s: %s", strings.Join(last[max(0, len(last)-5):], ", "), failed)
	}
	if t.Failed() {
		return
	}
	for l.shape%4 != 0 { // until the third servers are back
		l.reload()
	}
	_, table = reshaped(l.shape)
	ipvsd.WaitSaved(t, c.Director, table)
	lab.WaitFor(t, ipvsd.Patience, "the daemon to have no more than at first", func() error {
		now, err := l.vitals()
		if err == nil && (now.descriptors > first.descriptors+8 || now.goroutines > first.goroutines+16 || now.kB > first.kB+16<<10) {
			err = fmt.Errorf("it has %+v, and had %+v", now, first)
		}
		return err
	})
	now, _ := l.vitals()
	l.replace()
	l.stop()
	if after := kernelSettings(c.Director); after != before {
		t.Errorf("after an upgrade and a stop the kernel has\n%s\nand had before the first start\n%s", after, before)
	}
	if log := l.Process.Log(); strings.Contains(log, "panic") {
		t.Error(log)
	}
	t.Logf("%d restarts, %d upgrades, %d reloads: %d requests of ab, none failed; %d queries of dnsperf, none lost; at first %+v, at the end %+v",
		steps[1].done+steps[2].done, steps[3].done, steps[0].done, ab.made.Load(), dns.made.Load(), first, now)
}
