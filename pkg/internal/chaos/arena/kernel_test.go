//go:build kernel

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

func arena(t *testing.T, seed uint64) *run {
	t.Helper()
	bin := t.TempDir()
	if err := lab.Programs(bin); err != nil {
		t.Fatal(err)
	}
	return newRun(t, chaos.NewWorld(seed), bin)
}

// TestKernelChaos is a short make chaos. make chaos SEED=396 MINUTES=0.65 does the same: a standby director killed,
// an active one that hears nobody, a slow server, and an upgrade of the active director.
func TestKernelChaos(t *testing.T) {
	const length = 39 * time.Second
	r := arena(t, 396)
	stood := r.run(r.world.Schedule(length), length)
	var report strings.Builder
	r.report(&report)
	t.Log(report.String())
	if !stood {
		t.Error("something was seen that no fault explains")
	}
}

// sabotage is something that nobody tells the judge of.
type sabotage struct {
	name string
	do   func() (undo func())
	want []string // what is found
}

// TestKernelSabotage: of each thing that is to hold, it is found when it does not.
func TestKernelSabotage(t *testing.T) {
	r := arena(t, 11)
	end := r.begin()
	defer end()
	for _, s := range r.sabotages() {
		undo := s.do()
		for _, want := range s.want {
			lab.WaitFor(t, patience, s.name+" to be found", func() error { return r.found(want) })
		}
		undo()
		r.settle()
		r.mu.Lock() // from here on anew
		r.judge, r.breaches, r.broken = r.world.NewJudge(virtual...), nil, make(chan struct{})
		r.mu.Unlock()
	}
}

// looked returns an error as long as no process was compared with what it was.
func (r *run) looked() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if judged := r.judge.Judged(); judged.Vitals == 0 {
		return fmt.Errorf("%+v", judged)
	}
	return nil
}

// found returns an error as long as nothing was seen that reads like this.
func (r *run) found(want string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.breaches, func(b chaos.Breach) bool { return strings.Contains(b.What, want) }) {
		return nil
	}
	return fmt.Errorf("%q is not among %v", want, r.breaches)
}

// occupy keeps so many connections to a socket open. A daemon that closes one as nothing comes of it has another one.
func occupy(socket string, n int) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				var d net.Dialer
				c, err := d.DialContext(ctx, "unix", socket)
				if err != nil {
					return
				}
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				_, _ = io.Copy(io.Discard, c)
				stop()
				_ = c.Close()
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

func (r *run) sabotages() []sabotage {
	first, second := r.directors[0], r.directors[1]
	return []sabotage{
		{"a virtual address on a server", func() func() {
			r.Web[2].Host.AddAddress("eth0", virtual[0]+"/32")
			return func() { r.Web[2].Host.Run("ip", "address", "delete", virtual[0]+"/32", "dev", "eth0") }
		}, []string{"web3 has " + virtual[0]}},
		{"a server that nobody asked for", func() func() {
			row := []string{"-t", services["web"].address, "-r", "10.0.100.99:80"}
			second.Run(append([]string{"ipvsadm", "-a", "-m"}, row...)...)
			return func() { second.Run(append([]string{"ipvsadm", "-d"}, row...)...) } // ipvsd leaves strangers alone
		}, []string{"that nobody asked for"}},
		{"descriptors that nobody closes", func() func() {
			lab.WaitFor(r.tb, patience, "processes that were looked at twice", r.looked)
			return occupy(second.Path("socket"), 40)
		}, []string{second.Name + " had "}},
		{"requests that fail", func() func() { r.Web[0].Stop(); return r.Web[0].Start }, []string{"a request for web that began"}},
		{"a switchover", func() func() {
			if out, err := first.Ctl("switchover", "VG1"); err != nil {
				r.tb.Fatalf("%v\n%s", err, out)
			}
			return func() { r.ctl(second, "switchover", "VG1") }
		}, []string{"which has the higher priority"}},
		{"a director that hears nobody", func() func() {
			for _, b := range []*lab.Bridge{r.External, r.Internal} {
				b.Deafen(second.Host)
			}
			return func() {
				for _, b := range []*lab.Bridge{r.External, r.Internal} {
					b.Mend(second.Host)
				}
			}
		}, []string{"have the virtual addresses at once", "came from 2 directors"}},
		{"a daemon that ended", func() func() {
			if err := syscall.Kill(second.pid(), syscall.SIGKILL); err != nil {
				r.tb.Fatalf("%v", err)
			}
			return func() { second.begin() }
		}, []string{second.Name + " ended by itself"}},
	}
}
