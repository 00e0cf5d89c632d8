package track

import (
	"context"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// followLinks asks drivers that don't tell the kernel of their links: linkbeat_interfaces.
func (w *watch) followLinks(ctx context.Context, wanted map[string]string, _ <-chan struct{}) {
	last := make(map[string]bool)
	for ctx.Err() == nil {
		for name, how := range wanted {
			up := linkOf(name, how)
			if was, told := last[name]; !told || was != up {
				last[name] = up
				w.see(ctx, vrrp.Object{Kind: vrrp.TrackInterface, Name: name}, vrrp.Reading{Known: true, Up: up})
			}
		}
		pause(ctx)
	}
}

// linkOf asks a driver for the link in one way, or in all of them until one is answered. Who answers none is believed to have
// one: what else is known of the interface decides.
func linkOf(name, how string) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	for _, way := range []struct {
		name string
		ask  func(fd int, name string) (up, answered bool)
	}{{"MII", miiLink}, {"ETHTOOL", ethtoolLink}} { // IOCTL is what the kernel says by netlink, too
		if how == "" || how == way.name {
			if up, answered := way.ask(fd, name); answered {
				return up
			}
		}
	}
	return true
}

// ifreq is struct ifreq (netdevice(7)), with what the requests here have after the name.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	mii  [4]uint16 // PHY, register, in, out: struct mii_ioctl_data
	_    [16]byte
}

type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

const (
	bmsr       = 1      // basic mode status register (IEEE 802.3, 22.2.4.2)
	bmsrLink   = 0x0004 // latches a loss: the second reading is what is now
	getLink    = 0xa    // ETHTOOL_GLINK
	getMIIPHY  = 0x8947
	readMIIReg = 0x8948
)

func miiLink(fd int, name string) (up, answered bool) {
	var r ifreq
	copy(r.name[:unix.IFNAMSIZ-1], name)
	if !ioctl(fd, getMIIPHY, unsafe.Pointer(&r)) {
		return false, false
	}
	for range 2 {
		r.mii[1] = bmsr
		if !ioctl(fd, readMIIReg, unsafe.Pointer(&r)) {
			return false, false
		}
	}
	return r.mii[3]&bmsrLink != 0, true
}

func ethtoolLink(fd int, name string) (up, answered bool) {
	value := struct{ cmd, data uint32 }{cmd: getLink}
	r := ifreqData{data: unsafe.Pointer(&value)}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	answered = ioctl(fd, unix.SIOCETHTOOL, unsafe.Pointer(&r))
	runtime.KeepAlive(&value)
	return value.data != 0, answered
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) bool {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno == 0
}
