//go:build kernel

package vipnl_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// kept is a Keeper on a host of its own, with an Announcer and a Firewall that write down what they are told.
type kept struct {
	*lab.Host
	t      testing.TB
	keeper *vipnl.Keeper
	stop   func()

	mu      sync.Mutex
	reports []vipnl.Report
	told    []string
	at      []time.Time // of each of told
}

func (k *kept) Announce(owner string, now vip.Announcement) {
	var fresh []string
	for _, p := range now.Fresh {
		fresh = append(fresh, p.Addr.String()+"%"+p.Dev)
	}
	k.note(fmt.Sprintf("%s: %d places, fresh %s, repeat %d", owner, len(now.Places), strings.Join(fresh, " "), now.Repeat))
}

func (k *kept) Pace(map[string]vip.Pacing) {}
func (k *kept) Close() error               { k.note("closed"); return nil }
func (k *kept) Deny(addrs []addr) error    { k.note(fmt.Sprint("deny ", addrs)); return nil }

func (k *kept) note(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told, k.at = append(k.told, what), append(k.at, time.Now())
}

func (k *kept) notes() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

func (k *kept) reported(what vipnl.What) (list []vipnl.Report) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.reports {
		if r.What == what {
			list = append(list, r)
		}
	}
	return list
}

// newKept makes a host with the interfaces d0 and d1.
func newKept(t testing.TB) *kept {
	t.Helper()
	k := &kept{Host: lab.NewHost(t, "kept"), t: t}
	for _, dev := range []string{"d0", "d1"} {
		k.Run("ip", "link", "add", dev, "type", "dummy")
		k.LinkUp(dev)
	}
	k.LinkUp("lo")
	return k
}

// run begins to keep.
func (k *kept) run(setup vipnl.Setup) {
	k.keeper = vipnl.NewKeeper(vipnl.Options{Announcer: k, Firewall: k, Report: func(r vipnl.Report) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.reports = append(k.reports, r)
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	keeper := k.keeper
	keeper.Change(setup)
	go func() { ended <- k.Do(func() error { return keeper.Run(ctx) }) }()
	k.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			k.t.Error(err)
		}
	})
	k.t.Cleanup(k.stop)
}

func wish(t testing.TB, addresses, routes, rules []string) vip.Wish {
	t.Helper()
	w := vip.Wish{Owner: "VI", Announce: &vip.Announce{Repeat: 5}}
	parse(t, addresses, &w.Addresses, vip.ParseAddress)
	parse(t, routes, &w.Routes, vip.ParseRoute)
	parse(t, rules, &w.Rules, vip.ParseRule)
	return w
}

func parse[T any](t testing.TB, lines []string, list *[]T, read func(string) (T, error)) {
	t.Helper()
	for _, l := range lines {
		x, err := read(l)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		*list = append(*list, x)
	}
}

// addresses are the lines of `ip address` of an interface but for the link-local one and lifetimes without end, each in one line.
func (k *kept) addresses(dev string) []string {
	out, err := k.Output("ip", "-o", "-d", "address", "show", "dev", dev)
	if err != nil {
		return nil
	}
	var list []string
	for l := range strings.Lines(out) {
		if strings.Contains(l, "proto kernel_") || strings.Contains(l, " fe80:") || strings.Contains(l, " ::1/") || strings.Contains(l, " 127.0.0.1/") {
			continue
		}
		_, l, _ = strings.Cut(l, dev)
		l = strings.ReplaceAll(l, `\       valid_lft forever preferred_lft forever`, "")
		list = append(list, strings.Join(strings.Fields(strings.ReplaceAll(l, `\`, "")), " "))
	}
	slices.Sort(list)
	return list
}

func (k *kept) waitAddresses(when, dev string, want ...string) {
	k.t.Helper()
	slices.Sort(want)
	lab.WaitFor(k.t, patience, when, func() error {
		if got := k.addresses(dev); !slices.Equal(got, want) {
			return fmt.Errorf("%s has\n%s\nnot\n%s", dev, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

var blanks = regexp.MustCompile(`\s+`)

// routes are the lines of `ip route` of those that are ours.
func (k *kept) routes() []string {
	var list []string
	for _, family := range []string{"-4", "-6"} {
		out := k.Run("ip", family, "-d", "route", "show", "table", "all", "proto", "keepalived")
		out = strings.ReplaceAll(out, "\n\t", " ")
		for l := range strings.Lines(out) {
			list = append(list, strings.TrimSpace(blanks.ReplaceAllString(l, " ")))
		}
	}
	return list
}

func (k *kept) rules() []string {
	var list []string
	for _, family := range []string{"-4", "-6"} {
		for l := range strings.Lines(k.Run("ip", family, "-d", "rule", "show")) {
			if l = strings.TrimSpace(blanks.ReplaceAllString(l, " ")); strings.Contains(l, "proto keepalived") {
				list = append(list, l)
			}
		}
	}
	return list
}

func (k *kept) wait(when string, f func() []string, want ...string) {
	k.t.Helper()
	lab.WaitFor(k.t, patience, when, func() error {
		if got := f(); !slices.Equal(got, want) {
			return fmt.Errorf("it is\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

// monitor runs `ip monitor`. What it returns says what has been seen, but for what neither of us does.
func (k *kept) monitor() func() string {
	k.t.Helper()
	file := filepath.Join(k.t.TempDir(), "monitor")
	k.Start("sh", "-c", "exec ip -d monitor address route rule link >"+file)
	lab.WaitFor(k.t, patience, "ip monitor", func() error {
		k.Run("ip", "link", "set", "d1", "alias", "marker")
		if out, err := os.ReadFile(file); err != nil || !strings.Contains(string(out), "marker") {
			return errors.Join(err, errors.New("nothing yet"))
		}
		return nil
	})
	return func() string {
		k.t.Helper()
		k.Run("ip", "link", "set", "d1", "alias", "last")
		var seen string
		lab.WaitFor(k.t, patience, "ip monitor", func() error {
			out, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(out), "last") {
				return errors.Join(err, errors.New("not all yet"))
			}
			seen = ""
			for l := range strings.Lines(string(out)) {
				if !strings.Contains(l, "d1:") && !strings.HasPrefix(l, " ") {
					seen += l
				}
			}
			return nil
		})
		return seen
	}
}

func TestKernelKeeperAddresses(t *testing.T) {
	k := newKept(t)
	w := wish(t, []string{
		"10.0.0.1 dev d0", "10.0.0.2/24 brd + dev d0 label d0:two scope link", "10.0.1.1 peer 10.0.1.2/24 dev d0", "10.0.2.1/24 dev d1 noprefixroute",
		"10.0.2.2/24 dev d1 preferred_lft 0",
		"2001:db8::1 dev d0", "2001:db8::2/64 dev d0 home", "2001:db8::3/64 dev d0 -nodad", "2001:db8::4 preferred_lft forever dev d0",
	}, nil, nil)
	w.Denied = []addr{w.Addresses[0].Prefix.Addr()}
	k.run(vipnl.Setup{Universe: []vip.Wish{w}})
	k.keeper.Wish(w)
	d0 := []string{
		"inet 10.0.0.1/32 scope global d0", "inet 10.0.0.2/24 brd 10.0.0.255 scope link d0:two",
		"inet 10.0.1.1 peer 10.0.1.2/24 scope global d0",
		`inet6 2001:db8::1/128 scope global nodad deprecated valid_lft forever preferred_lft 0sec`,
		"inet6 2001:db8::2/64 scope global nodad home", "inet6 2001:db8::3/64 scope global",
		"inet6 2001:db8::4/128 scope global nodad",
	}
	k.waitAddresses("all", "d0", d0...)
	k.waitAddresses("all", "d1", "inet 10.0.2.1/24 scope global noprefixroute d1", "inet 10.0.2.2/24 scope global secondary deprecated d1")
	t.Log(k.notes())
	k.stop()
	k.waitAddresses("end", "d0")
	k.waitAddresses("end", "d1")
	t.Log(k.notes(), k.reports)
}

type (
	addr   = netip.Addr
	prefix = netip.Prefix
)
