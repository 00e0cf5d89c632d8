//go:build kernel

package vipnl_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

const patience = time.Minute

// Watch knows what `ip address` did, in its own network namespace and in no other.
func TestKernelWatch(t *testing.T) {
	here, there := lab.NewHost(t, "here"), lab.NewHost(t, "there")
	for _, h := range []*lab.Host{here, there} {
		h.Run("ip", "link", "add", "d0", "type", "dummy")
		h.LinkUp("d0")
	}
	var mu sync.Mutex
	var addrs map[netip.Addr]bool
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- here.Do(func() error {
			vipnl.Namespace{}.Watch(ctx, func(now map[netip.Addr]bool, err error) {
				mu.Lock()
				defer mu.Unlock()
				addrs = now
				if err != nil {
					t.Error(err)
				}
			})
			return nil
		})
	}()
	wait := func(when string, yes bool, want ...string) {
		t.Helper()
		lab.WaitFor(t, patience, when, func() error {
			mu.Lock()
			defer mu.Unlock()
			var wrong []error
			for _, a := range want {
				if addrs[netip.MustParseAddr(a)] != yes {
					wrong = append(wrong, fmt.Errorf("%s: %v", a, !yes))
				}
			}
			return errors.Join(wrong...)
		})
	}
	wait("the beginning", true, "127.0.0.1")
	there.Run("ip", "address", "add", "192.0.2.9/32", "dev", "d0")
	here.Run("ip", "address", "add", "192.0.2.1/24", "dev", "d0")
	here.Run("ip", "address", "add", "192.0.2.2/32", "dev", "lo")
	here.Run("ip", "address", "add", "2001:db8::1/64", "dev", "d0")
	wait("addresses", true, "192.0.2.1", "192.0.2.2", "2001:db8::1")
	wait("another host's", false, "192.0.2.9")
	here.Run("ip", "address", "add", "192.0.2.2/24", "dev", "d0")
	here.Run("ip", "address", "del", "192.0.2.2/32", "dev", "lo")
	here.Run("ip", "address", "del", "192.0.2.1/24", "dev", "d0") // the secondary 192.0.2.2 goes with it
	wait("deletion", false, "192.0.2.1", "192.0.2.2")
	here.Run("ip", "link", "del", "d0")
	wait("the link's end", false, "2001:db8::1")

	// Far more at once than a socket's buffer holds.
	var batch strings.Builder
	var all []string
	for i := range 4000 {
		a := fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)
		all = append(all, a)
		fmt.Fprintf(&batch, "address add %s/32 dev lo\n", a)
	}
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	here.Run("ip", "-batch", file)
	wait("a flood", true, all...)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
