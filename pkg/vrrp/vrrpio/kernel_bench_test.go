//go:build kernel

package vrrpio

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// period is for how long adverts are counted.
const period = 20 * time.Second

// BenchmarkKernelAdverts measures what many active instances cost, and how late their adverts are; and what keepalived takes for the same.
func BenchmarkKernelAdverts(b *testing.B) {
	for _, size := range []struct {
		instances int
		interval  time.Duration
	}{{1000, time.Second}, {250, 100 * time.Millisecond}, {1, 10 * time.Millisecond}} {
		name := fmt.Sprintf("%dEvery%v", size.instances, size.interval)
		b.Run(name+"/ipvsd", func(b *testing.B) {
			h := dummies(b)
			d := newDirector(b, h)
			var all []vrrp.Instance
			for i := range size.instances {
				all = append(all, virtual(uint8(i%250+1), 150, func(in *vrrp.Instance) {
					in.Name, in.Interface = fmt.Sprintf("VI_%d", i), fmt.Sprintf("dummy%d", i/250)
					in.AdvertInterval = size.interval
				}))
			}
			d.Change(all, nil)
			d.becomes(vrrp.Active)
			sent := func() (n uint64, late uint64, latest time.Duration) {
				for _, s := range d.statuses() {
					n, late, latest = n+s.Counters.Sent, late+s.Counters.Late, max(latest, s.Counters.Latest)
				}
				return n, late, latest
			}
			for b.Loop() {
				n, late, _ := sent()
				cpu := processorTime(b, os.Getpid())
				<-time.After(period)
				cpu = processorTime(b, os.Getpid()) - cpu
				n2, late2, latest := sent()
				b.ReportMetric(float64(n2-n)/period.Seconds(), "adverts/s")
				b.ReportMetric(float64(cpu.Microseconds())/float64(n2-n), "cpu-µs/advert")
				b.ReportMetric(100*cpu.Seconds()/period.Seconds(), "cpu-%")
				b.ReportMetric(float64(late2-late), "late")
				b.ReportMetric(float64(latest.Microseconds()), "latest-µs")
			}
		})
		b.Run(name+"/keepalived", func(b *testing.B) {
			h := dummies(b)
			var conf strings.Builder
			conf.WriteString("global_defs {\nvrrp_version 3\nvrrp_garp_master_repeat 0\nvrrp_garp_master_delay 0\n}\n")
			for i := range size.instances {
				fmt.Fprintf(&conf, "vrrp_instance VI_%d {\ninterface dummy%d\nvirtual_router_id %d\npriority 150\nadvert_int %v\nvirtual_ipaddress {\n203.0.113.%d dev lo\n}\n}\n",
					i, i/250, i%250+1, size.interval.Seconds(), i%250+1)
			}
			tmp := b.TempDir()
			if err := os.WriteFile(filepath.Join(tmp, "conf"), []byte(conf.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			p := h.Start("keepalived", "--vrrp", "--dont-fork", "--log-console", "--use-file", filepath.Join(tmp, "conf"),
				"--pid", filepath.Join(tmp, "pid"), "--vrrp_pid", filepath.Join(tmp, "vrrp.pid"))
			last := fmt.Sprintf("(VI_%d) Entering MASTER STATE", size.instances-1)
			p.WaitLog(patience, last)
			pid, err := os.ReadFile(filepath.Join(tmp, "vrrp.pid"))
			if err != nil {
				b.Fatal(err)
			}
			number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				n := dummySent(b, h)
				cpu := processorTime(b, number)
				<-time.After(period)
				cpu = processorTime(b, number) - cpu
				n = dummySent(b, h) - n
				b.ReportMetric(float64(n)/period.Seconds(), "adverts/s")
				b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-µs/advert")
				b.ReportMetric(100*cpu.Seconds()/period.Seconds(), "cpu-%")
			}
		})
	}
}

// dummies is a host with four interfaces that lead nowhere.
func dummies(tb testing.TB) *lab.Host {
	tb.Helper()
	h := lab.NewHost(tb, "director")
	for i := range 4 {
		name := fmt.Sprintf("dummy%d", i)
		h.Run("ip", "link", "add", name, "type", "dummy")
		h.Run("ip", "addr", "add", fmt.Sprintf("192.0.%d.1/24", i+2), "dev", name)
		h.Run("ip", "link", "set", name, "up", "multicast", "on")
	}
	return h
}

// dummySent is how many packets left by those.
func dummySent(tb testing.TB, h *lab.Host) (n int) {
	tb.Helper()
	for line := range strings.Lines(h.Run("cat", "/proc/net/dev")) {
		name, counters, _ := strings.Cut(line, ":")
		if fields := strings.Fields(counters); strings.HasPrefix(strings.TrimSpace(name), "dummy") {
			one, err := strconv.Atoi(fields[9])
			if err != nil {
				tb.Fatal(err)
			}
			n += one
		}
	}
	return n
}

// processorTime is what a process has used.
func processorTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}
