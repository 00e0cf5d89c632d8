//go:build kernel

package bfdio

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

const patience = 2 * time.Minute

// router is a Runner with one session on a host, and what it reports.
type router struct {
	*Runner
	t    *testing.T
	stop context.CancelFunc
	done chan error

	mu   sync.Mutex
	news []bool
}

func newRouter(t *testing.T, on *lab.Host, c bfd.Config) *router {
	r := &router{t: t, done: make(chan error, 1)}
	r.Runner = New(Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Report: func(_ string, up bool, _ string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.news = append(r.news, up)
	}})
	c.Name, c.MinRx, c.MinTx, c.IdleTx, c.Multiplier = "them", 50*time.Millisecond, 50*time.Millisecond, time.Second, 5
	r.Change(map[string]*bfd.Config{"them": &c})
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.done <- on.Do(func() error { return r.Run(ctx) }) }()
	return r
}

// is waits until the session is up or not, and that was reported.
func (r *router) is(up bool) {
	r.t.Helper()
	lab.WaitFor(r.t, patience, fmt.Sprintf("session up: %v", up), func() error {
		s, err := r.Status(r.t.Context())
		if err != nil || len(s) == 0 {
			return fmt.Errorf("%v, %w", s, err)
		}
		if (s[0].State == bfd.Up) != up {
			return fmt.Errorf("%+v", s[0])
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.news); r.news[n-1] != up {
		r.t.Errorf("%v was reported last, of %d", !up, n)
	}
}

// end ends the Runner.
func (r *router) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
}

// A session with keepalived 2.2.7: it comes up, both notice that the network is cut, and that it is back, and each that the
// other one ends.
func TestKernelSessionWithKeepalived(t *testing.T) {
	for _, c := range []struct {
		name, ours, theirs string
		words              []string
		change             func(*bfd.Config)
	}{
		{name: "IPv4", ours: "192.0.2.1", theirs: "192.0.2.2"},
		{name: "IPv6", ours: "2001:db8::1", theirs: "2001:db8::2"},
		{name: "TTL", ours: "192.0.2.1", theirs: "192.0.2.2", words: []string{"ttl 250", "max_hops 5"},
			change: func(c *bfd.Config) { c.TTL, c.MaxHops = 250, 5 }},
		{name: "passive", ours: "192.0.2.1", theirs: "192.0.2.2", words: []string{"passive"}},
		{name: "slower than we", ours: "192.0.2.1", theirs: "192.0.2.2", words: []string{"min_tx 100", "min_rx 200", "multiplier 3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			network := lab.NewBridge(t, "network", 1500)
			we, they := lab.NewHost(t, "we"), lab.NewHost(t, "they")
			we.Connect(network, "eth0", "192.0.2.1/24", "2001:db8::1/64")
			they.Connect(network, "eth0", "192.0.2.2/24", "2001:db8::2/64")
			dir := t.TempDir()
			conf := fmt.Sprintf("bfd_instance us {\n  neighbor_ip %s\n  source_ip %s\n  %s\n}\n", c.ours, c.theirs, strings.Join(c.words, "\n  "))
			if err := os.WriteFile(dir+"/keepalived.conf", []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			start := func() *lab.Process {
				_ = os.Remove(dir + "/pid")
				return they.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--use-file", dir+"/keepalived.conf",
					"--pid", dir+"/pid", "--vrrp_pid", dir+"/vrrp", "--checkers_pid", dir+"/check", "--bfd_pid", dir+"/bfd")
			}
			keepalived := start()

			config := bfd.Config{Neighbor: netip.MustParseAddr(c.theirs), Source: netip.MustParseAddr(c.ours)}
			if c.change != nil {
				c.change(&config)
			}
			ours := newRouter(t, we, config)
			says := func(state string, times int) {
				t.Helper()
				lab.WaitFor(t, patience, "keepalived to say "+state, func() error {
					if log := keepalived.Log(); strings.Count(log, "Entering "+state+" state") < times {
						return fmt.Errorf("it says\n%s", log)
					}
					return nil
				})
			}
			ours.is(true)
			says("Up", 1)
			network.Silence(they)
			ours.is(false)
			says("Down", 1)
			network.Hear(they)
			ours.is(true)
			says("Up", 2)
			if err := keepalived.Stop(); err == nil {
				t.Log("keepalived ended with 0")
			}
			ours.is(false)
			keepalived = start()
			ours.is(true)
			says("Up", 1)
			ours.end()
			keepalived.WaitLog(patience, "Entering Down state")
		})
	}
}

// A session over a router, which RFC 5883 has on a port of its own: it comes up where as many hops are allowed, ends with the
// network behind the router, and one that allows none never begins.
func TestKernelMultihop(t *testing.T) {
	near, far := lab.NewBridge(t, "near", 1500), lab.NewBridge(t, "far", 1500)
	we, between, they := lab.NewHost(t, "we"), lab.NewHost(t, "between"), lab.NewHost(t, "they")
	we.Connect(near, "eth0", "192.0.2.1/25")
	between.Connect(near, "eth0", "192.0.2.126/25")
	between.Connect(far, "eth1", "192.0.2.254/25")
	they.Connect(far, "eth0", "192.0.2.129/25")
	between.Sysctl("net.ipv4.ip_forward", "1")
	we.DefaultRoute(netip.MustParseAddr("192.0.2.126"))
	they.DefaultRoute(netip.MustParseAddr("192.0.2.254"))
	addresses := [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.129")}
	begin := func(on *lab.Host, own, hops int) *router {
		return newRouter(t, on, bfd.Config{Neighbor: addresses[1-own], Source: addresses[own], Multihop: true, MaxHops: hops})
	}
	packets := lab.NewCapture(between, "eth0", "udp port 4784")
	ours, theirs := begin(we, 0, 1), begin(they, 1, 0)
	theirs.is(false)
	ours.is(false)
	lab.WaitFor(t, patience, "packets of both", func() error {
		s, err := ours.Status(t.Context())
		if err != nil || s[0].Received < 3 || s[0].Sent < 3 {
			return fmt.Errorf("%+v, %w", s, err)
		}
		return nil
	})
	if s, err := theirs.Status(t.Context()); err != nil || s[0].Received > 0 || s[0].State != bfd.Down {
		t.Errorf("packets from two networks away count where no hop is allowed: %+v, %v", s, err)
	}
	theirs.end()
	ours.is(false)

	theirs = begin(they, 1, 1)
	ours.is(true)
	theirs.is(true)
	far.Silence(they)
	ours.is(false)
	theirs.is(false)
	far.Hear(they)
	ours.is(true)
	theirs.is(true)
	theirs.end()
	ours.is(false)
	ours.end()
	if len(packets.Stop()) == 0 {
		t.Error("nothing went to port 4784")
	}
}
