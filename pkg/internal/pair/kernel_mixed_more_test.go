//go:build kernel

package pair

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
	"golang.org/x/sys/unix"
)

func unicastIPv6(x *table) {
	to := func(own, peer int) func(*Instance) {
		return func(i *Instance) {
			i.Version, i.Addresses = 3, []string{"2001:db8:1::200/64"}
			i.Source, i.Peers = fmt.Sprintf("2001:db8:1::10%d", own+1), []string{fmt.Sprintf("2001:db8:1::10%d", peer+1)}
		}
	}
	high, low := one("BACKUP", 150).with(to(0, 1)), one("BACKUP", 100).with(to(1, 0))
	x.start(high, low)
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
	x.Directors[0].Stop()
	WaitActive(x.t, low, x.Directors[1], x.Directors[0])
	x.Directors[0].Start()
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
}

// preemptDelay: for four seconds the one with the lower priority goes on, and is heard.
func preemptDelay(x *table) {
	high, low := one("BACKUP", 150, "preempt_delay 4"), one("BACKUP", 100)
	x.write(high, low)
	x.Directors[1].Start()
	x.active(1, low)
	x.Directors[0].Start()
	from := len(x.capture.Packets())
	x.active(0, high)
	heard := 0
	for _, line := range x.capture.Packets()[from:] {
		m := advert.FindStringSubmatch(line)
		if m != nil && m[1] == addresses[0]["eth0"] {
			break
		}
		heard++
	}
	if heard < 2 {
		x.t.Errorf("the other was heard %d times before it was preempted", heard)
	}
}

// vmac: clients never learn another MAC address.
func vmac(x *table) {
	own := func(i *Instance) { i.VMAC, i.Version = "vrrp.51", 3 }
	for _, d := range x.Directors {
		if d.Tool == Keepalived {
			d.Sysctl("net.ipv4.conf.eth0.arp_announce", "2") // else eth0 asks in the name of the address
		}
	}
	high, low := one("BACKUP", 150).with(own), one("BACKUP", 100).with(own)
	x.start(high, low)
	reaches := func() {
		x.t.Helper()
		lab.WaitFor(x.t, patience, "an answer from the address", func() error {
			ctx, cancel := context.WithTimeout(x.t.Context(), time.Second)
			defer cancel()
			conn, err := x.Observer.DialContext(ctx, "tcp", "192.168.1.200:9")
			if errors.Is(err, unix.ECONNREFUSED) {
				return nil
			}
			return errors.Join(err, fmt.Errorf("connected to %v", conn))
		})
		if out := x.Observer.Run("ip", "neighbour", "show", "192.168.1.200"); !strings.Contains(out, "lladdr 00:00:5e:00:01:33") {
			x.t.Errorf("its neighbours believe %q", out)
		}
	}
	x.active(0, high)
	reaches()
	x.Directors[0].Stop()
	x.active(1, low)
	reaches()
	x.Directors[0].Start()
	x.active(0, high)
	reaches()
}

// enemyAddr is whose adverts count for nothing.
const enemyAddr = "192.168.1.66"

// hostilePackets: while somebody sends all that should not be believed, both stay what they are.
func hostilePackets(x *table) {
	pass := func(i *Instance) { i.Auth = "PASS" }
	high, low := one("MASTER", 150).with(pass), one("BACKUP", 100).with(pass)
	x.start(high, low)
	x.active(0, high)
	transitions := regexp.MustCompile(`Entering \w+ STATE|virtual router changed`)
	stalls := regexp.MustCompile(`this host was too busy|this host did not run`)
	// logged counts the lines of each director.
	logged := func(what *regexp.Regexp) (n [2]int) {
		for i, d := range x.Directors {
			n[i] = len(what.FindAllString(d.Process.Log(), -1))
		}
		return n
	}

	enemy := lab.NewHost(x.t, "enemy")
	enemy.Connect(x.External, "eth0", enemyAddr+"/24")
	stop, done := make(chan struct{}), make(chan error, 1)
	pause := 10 * time.Millisecond
	switch {
	case x.Directors[0].Tool == Keepalived:
		pause = 2 * time.Second // after each packet that it drops, an active keepalived 2.2.7 waits a whole interval anew
	case x.Directors[1].Tool == Keepalived:
		pause = 100 * time.Millisecond // among a thousand packets a second a backup keepalived misses adverts
	}
	go func() { done <- storm(enemy, pause, stop) }()
	for try := range 5 { // where a director says itself that its host stood still, packets are not to blame
		before, stalled := logged(transitions), logged(stalls)
		for range 2 {
			x.active(0, high)
		}
		for i := range x.Directors {
			for _, why := range []string{"length", "ttl", "version", "auth_type", "password", "interval", "type", "checksum"} {
				x.shows(i, "rejected", " for "+why+": ")
			}
		}
		after := logged(transitions)
		if after == before {
			break
		}
		if try == 4 || logged(stalls) == stalled {
			x.t.Errorf("transitions: %d before, %d after", before, after)
			break
		}
	}
	close(stop)
	if err := <-done; err != nil {
		x.t.Error(err)
	}
}

// storm sends packets that nobody should believe, and those of others once more as they are, until it is told to stop.
func storm(enemy *lab.Host, every time.Duration, stop <-chan struct{}) error {
	group := netip.MustParseAddr("224.0.0.18")
	good := func(change func(*vrrp.Instance)) []byte {
		in := vrrp.Instance{
			VRID: 51, Version: 2, AdvertInterval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.200")},
			Auth: vrrp.Auth{Type: vrrp.AuthPASS, Password: [8]byte([]byte("mypasswd"))},
		}
		change(&in)
		a := vrrp.Advert{Version: in.Version, VRID: in.VRID, Priority: 254, Interval: in.AdvertInterval, Addrs: in.Addresses}
		return vrrp.NewCodec(&in).Encode(a, netip.MustParseAddr(enemyAddr), group, time.Now())
	}
	spoilt := func(at int, value byte) []byte {
		b := good(func(*vrrp.Instance) {})
		b[at] = value
		return b
	}
	huge := append(spoilt(0, 0x45), make([]byte, 1400)...)
	binary.BigEndian.PutUint16(huge[2:], uint16(len(huge)))
	packets := [][]byte{
		huge,
		spoilt(0, 0x45)[:30],
		spoilt(8, 254),
		spoilt(20, 0x22),
		spoilt(22, 253),
		spoilt(23, 200), // addresses
		good(func(in *vrrp.Instance) { in.Version, in.Auth = 3, vrrp.Auth{} }),
		good(func(in *vrrp.Instance) { in.Auth = vrrp.Auth{} }),
		good(func(in *vrrp.Instance) { in.Auth.Password[0] = 'M' }),
		good(func(in *vrrp.Instance) { in.AdvertInterval = 2 * time.Second }),
		good(func(in *vrrp.Instance) { in.VRID = 8 }),
	}
	return enemy.Do(func() error {
		out, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(out)
		ears, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, vrrp.ProtocolVRRP)
		if err != nil {
			return err
		}
		defer unix.Close(ears)
		err = errors.Join(unix.BindToDevice(out, "eth0"),
			unix.SetsockoptIPMreqn(ears, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: group.As4(), Address: netip.MustParseAddr(enemyAddr).As4()}))
		if err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		pause := time.NewTicker(every)
		defer pause.Stop()
		heard := make([]byte, 2048)
		for {
			all := packets
			if n, _, err := unix.Recvfrom(ears, heard, 0); err == nil {
				all = append(slices.Clip(packets), heard[:n], heard[:n], heard[:n])
			}
			for _, p := range all {
				if err := unix.Sendto(out, p, 0, &unix.SockaddrInet4{Addr: group.As4()}); err != nil {
					return os.NewSyscallError("sendto", err)
				}
			}
			select {
			case <-stop:
				return nil
			case <-pause.C:
			}
		}
	})
}

// TestKernelMixedMany: all that an interface can have.
func TestKernelMixedMany(t *testing.T) {
	for _, tools := range [][2]Tool{{IPVSD, Keepalived}, {Keepalived, IPVSD}} {
		t.Run(fmt.Sprintf("%s %s", tools[0], tools[1]), func(t *testing.T) {
			t.Parallel()
			x := newTable(t, tools[0], tools[1])
			x.pause = time.NewTicker(time.Second)
			defer x.pause.Stop()
			setup := func(state string, priority int) Setup {
				var s Setup
				for vrid := 1; vrid <= 255; vrid++ {
					s.Instances = append(s.Instances, Instance{
						Name: fmt.Sprintf("VI_%d", vrid), Interface: "eth0", VRID: vrid, Priority: priority, State: state, Interval: "1",
						Addresses: []string{fmt.Sprintf("192.168.2.%d/32", vrid)},
					})
				}
				return s
			}
			high, low := setup("MASTER", 150), setup("BACKUP", 100)
			active := func(n int, s Setup) {
				t.Helper()
				holds := func() error { x.rest(); return HeldBy(s, x.Directors[n], x.Directors[1-n]) }
				lab.WaitFor(t, patience, "all addresses on "+x.Directors[n].Name, holds)
				x.watch() // lest there are too many to look through
				x.alone(n, s)
				if err := holds(); err != nil {
					t.Error(err)
				}
			}
			x.start(high, low)
			active(0, high)
			x.Directors[0].Stop()
			active(1, low)
			x.Directors[0].Start()
			active(0, high)
		})
	}
}
