//go:build kernel

package ipvsnl

import (
	"context"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// namespace puts the test into a new network namespace. The thread stays locked, so that it ends with the test.
func namespace(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		tb.Fatal("new network namespace: ", err)
	}
	// Where no interface ever was up there is no table of local addresses, and the kernel takes all for broadcast.
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		tb.Fatalf("ip link set lo up: %v\n%s", err, out)
	}
}

// client returns a client in a namespace of its own, without services and sync daemons again after the test: the namespace
// may live on with its thread, and they keep the module in use.
func client(tb testing.TB) *Client {
	tb.Helper()
	namespace(tb)
	c, err := Open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		table, err := c.Snapshot(context.Background())
		if err != nil {
			tb.Error(err)
		}
		var del []ipvs.Command
		for _, s := range table {
			del = append(del, ipvs.Command{Op: ipvs.DelService, Service: s.Service})
		}
		apply(tb, c, del)
		for _, role := range []ipvs.SyncRole{ipvs.SyncMaster, ipvs.SyncBackup} {
			if err := c.StopSyncDaemon(context.Background(), role); err != nil {
				tb.Error(err)
			}
		}
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func apply(tb testing.TB, c *Client, commands []ipvs.Command) {
	tb.Helper()
	refused, err := c.Apply(context.Background(), commands)
	if err != nil || len(refused) > 0 {
		tb.Fatalf("apply: %v, refused %d, first %v", err, len(refused), refused[:min(1, len(refused))])
	}
}
