//go:build kernel

package reconcile_test

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

func TestKernelLaws(t *testing.T) {
	// The thread is given up with its namespace: it is never unlocked.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	client, err := ipvsnl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	laws(t, 30, func(testing.TB) reconcile.Kernel { return client })
}
