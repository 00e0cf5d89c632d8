//go:build kernel

package vipnl_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// Interfaces knows what `ip` did to links and addresses.
func TestKernelInterfaces(t *testing.T) {
	h := lab.NewHost(t, "here")
	h.Run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
	h.Run("ip", "link", "set", "v1", "up")
	var mu sync.Mutex
	var list []vip.Interface
	var at time.Time
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- h.Do(func() error {
			vipnl.Interfaces(ctx, func(now []vip.Interface, err error) {
				mu.Lock()
				defer mu.Unlock()
				list, at = now, time.Now()
				if err != nil {
					t.Error(err)
				}
			})
			return nil
		})
	}()
	is := func(name string) string {
		mu.Lock()
		defer mu.Unlock()
		for _, i := range list {
			if i.Name == name {
				i.Addrs = slices.DeleteFunc(slices.Clone(i.Addrs), func(p prefix) bool { return p.Addr().IsLinkLocalUnicast() })
				return fmt.Sprintf("up %v, MTU %d, no ARP %v, multicast %v, MAC %t, %v", i.Up, i.MTU, i.NoARP, i.Multicast, i.MAC != [6]byte{}, i.Addrs)
			}
		}
		return ""
	}
	wait := func(when, name, want string) {
		t.Helper()
		lab.WaitFor(t, patience, when, func() error {
			if got := is(name); got != want {
				return fmt.Errorf("%q, not %q", got, want)
			}
			return nil
		})
	}
	wait("the beginning", "v0", "up false, MTU 1500, no ARP false, multicast true, MAC true, []")
	h.Run("ip", "link", "set", "v0", "up", "mtu", "1400")
	wait("up", "v0", "up true, MTU 1400, no ARP false, multicast true, MAC true, []")
	for _, a := range []string{"10.0.0.9/24", "2001:db8::9/64", "10.0.0.1/24", "10.0.1.1/24", "2001:db8::1/64"} {
		h.Run("ip", "address", "add", a, "dev", "v0")
	}
	// The kernel has secondary addresses last.
	wait("addresses", "v0", "up true, MTU 1400, no ARP false, multicast true, MAC true, [10.0.0.9/24 10.0.1.1/24 10.0.0.1/24 2001:db8::9/64 2001:db8::1/64]")
	began := time.Now()
	h.LinkDown("v1") // no carrier
	done := time.Now()
	wait("no carrier", "v0", "up false, MTU 1400, no ARP false, multicast true, MAC true, [10.0.0.9/24 10.0.1.1/24 10.0.0.1/24 2001:db8::9/64 2001:db8::1/64]")
	mu.Lock()
	t.Logf("no carrier: the other end went down in %s, this was known %s later", done.Sub(began), at.Sub(done))
	mu.Unlock()
	h.Run("ip", "link", "set", "v0", "down") // which takes the IPv6 addresses
	h.Run("ip", "link", "set", "v0", "name", "w0")
	wait("renamed", "v0", "")
	h.Run("ip", "link", "add", "br0", "type", "bridge")
	h.Run("ip", "link", "set", "w0", "master", "br0")
	h.Run("ip", "link", "set", "w0", "nomaster") // of which the kernel says that a link of the bridge is gone
	h.Run("ip", "link", "set", "w0", "multicast", "off", "arp", "off")
	wait("still there", "w0", "up false, MTU 1400, no ARP true, multicast false, MAC true, [10.0.0.9/24 10.0.1.1/24 10.0.0.1/24]")
	h.Run("ip", "link", "del", "w0")
	wait("gone", "w0", "")

	// Far more at once than a socket's buffer holds.
	h.Run("ip", "link", "set", "lo", "up")
	var batch strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&batch, "address add 10.1.%d.%d/32 dev lo\n", i/250, i%250+1)
	}
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Run("ip", "-batch", file)
	lab.WaitFor(t, patience, "a flood", func() error {
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(list, func(i vip.Interface) bool { return i.Name == "lo" })
		if n := len(list[i].Addrs); n < 6000 {
			return fmt.Errorf("%d addresses", n)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
