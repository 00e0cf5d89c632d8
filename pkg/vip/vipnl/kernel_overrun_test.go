//go:build kernel

package vipnl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// More news than the socket holds, and nobody to take it: the kernel says once that some was lost, and then all is read, so that what is known is
// what there is.
func TestKernelOverrun(t *testing.T) {
	h := lab.NewHost(t, "here")
	h.LinkUp("lo")
	var k *kernel
	err := h.Do(func() (err error) {
		k, err = openKernel(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.close() })
	if e := k.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	var known host
	if err := known.load(k); err != nil {
		t.Fatal(err)
	}
	h.Run("ip", "address", "add", "10.0.0.1/32", "dev", "lo")
	<-k.news() // and nobody looks at the socket, until more is waited for
	const addresses = 300
	var batch strings.Builder
	for i := range addresses {
		fmt.Fprintf(&batch, "address add 10.1.%d.%d/32 dev lo\n", i>>8, i&255)
	}
	h.Run("sh", "-c", "echo '"+batch.String()+"' | ip -force -batch -")
	k.more <- struct{}{}
	<-k.news()
	counted := &counting{kernel: k}
	if _, err := known.listen(counted); err != nil {
		t.Fatal(err)
	}
	if counted.lost == 0 {
		t.Error("nobody has heard that the kernel lost something")
	}
	for _, i := range known.interfaces() {
		if i.Name == "lo" && len(i.Addrs) <= addresses {
			t.Errorf("%d addresses are known, there are more than %d", len(i.Addrs), addresses)
		}
	}
}

// counting counts how often the kernel said that news was lost.
type counting struct {
	*kernel
	lost int
}

func (c *counting) receive() ([]message, error) {
	news, err := c.kernel.receive()
	if errors.Is(err, unix.ENOBUFS) {
		c.lost++
	}
	return news, err
}
