//go:build kernel

package ipvsnl

import (
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace puts the test into a new network namespace. The thread stays locked, so that it ends with the test.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal("new network namespace: ", err)
	}
	// Where no interface ever was up there is no table of local addresses, and the kernel takes all for broadcast.
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip link set lo up: %v\n%s", err, out)
	}
}
