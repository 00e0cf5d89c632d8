//go:build kernel

package ipvsnl

import (
	"os/exec"
	"testing"
)

// syncInterface makes an interface that multicast packets can leave by, with an MTU of 1500 and no one behind it.
func syncInterface(tb testing.TB) string {
	tb.Helper()
	run(tb, "ip", "link", "add", "sync0", "type", "dummy")
	run(tb, "ip", "address", "add", "192.0.2.77/24", "dev", "sync0")
	run(tb, "ip", "link", "set", "sync0", "up")
	return "sync0"
}

func run(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}
