package vrrpio

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// After a time in which the thread did not run, it hears all sockets before it looks at its timers: none of their adverts may be
// taken for missing.
func TestAllSocketsAreHeard(t *testing.T) {
	n, err := newKernel()
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	const sockets = 300
	heard := 0
	packet := make([]byte, 28)
	packet[0] = 0x45
	for range sockets {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = unix.Close(pair[0]), unix.Close(pair[1]) })
		if err := n.listen(&rawSocket{fd: pair[0]}, func(vrrp.Packet) { heard++ }); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(pair[1], packet); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.wait(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n.receive(); heard != sockets {
		t.Errorf("%d of %d sockets were heard", heard, sockets)
	}
}
