//go:build kernel

package vrrpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

// kind is a way to speak VRRP; the number is the host's.
type kind struct {
	name   string
	change func(in *vrrp.Instance, number int)
}

func peers(format string, number int) []vrrp.Peer {
	return []vrrp.Peer{{Addr: netip.MustParseAddr(fmt.Sprintf(format, 3-number)), MaxTTL: 255}}
}

func ipv6(in *vrrp.Instance) {
	in.IPv6, in.Multicast = true, group6
	in.Addresses = []netip.Addr{netip.MustParseAddr("fe80::100"), netip.MustParseAddr("2001:db8::100")}
}

var kinds = []kind{
	{"version 2", func(in *vrrp.Instance, _ int) { in.Version, in.AdvertInterval = 2, time.Second }},
	{"version 2 PASS", func(in *vrrp.Instance, _ int) {
		in.Version, in.AdvertInterval, in.Auth = 2, time.Second, vrrp.Auth{Type: vrrp.AuthPASS, Password: [8]byte{'x'}}
	}},
	{"version 2 AH", func(in *vrrp.Instance, _ int) {
		in.Version, in.AdvertInterval, in.Auth = 2, time.Second, vrrp.Auth{Type: vrrp.AuthAH, Password: [8]byte{'x'}}
	}},
	{"version 2 unicast AH", func(in *vrrp.Instance, number int) {
		in.Version, in.AdvertInterval, in.Auth = 2, time.Second, vrrp.Auth{Type: vrrp.AuthAH, Password: [8]byte{'x'}}
		in.Peers, in.CheckSource = peers("192.0.2.%d", number), true
	}},
	{"version 3", func(*vrrp.Instance, int) {}},
	{"another group", func(in *vrrp.Instance, _ int) { in.Multicast = netip.MustParseAddr("224.0.0.99") }},
	{"unicast", func(in *vrrp.Instance, number int) {
		in.Peers, in.CheckSource, in.ReceiveBuffer = peers("192.0.2.%d", number), true, 1<<18
	}},
	{"unicast without interface", func(in *vrrp.Instance, number int) {
		in.Peers, in.Interface = peers("192.0.2.%d", number), ""
		in.Source = netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", number))
	}},
	{"IPv6", func(in *vrrp.Instance, _ int) { ipv6(in) }},
	{"IPv6 unicast", func(in *vrrp.Instance, number int) {
		ipv6(in)
		in.Peers, in.TTL = peers("2001:db8::%d", number), 42
		in.Peers[0].MinTTL, in.Peers[0].MaxTTL = 42, 42
		in.Source = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", number))
	}},
	{"IPv6 HMAC", func(in *vrrp.Instance, _ int) {
		ipv6(in)
		in.HMAC = &vrrp.HMAC{Keys: map[uint8][]byte{1: []byte("0123456789abcdef0123456789abcdef")}, Active: 1, TimeWindow: 5 * time.Second}
	}},
	{"VMAC", func(in *vrrp.Instance, _ int) { in.Interface, in.Parent = "vrrp.7", "eth0" }},
	{"VMAC of IPv6", func(in *vrrp.Instance, _ int) {
		ipv6(in)
		in.Interface, in.Parent = "vrrp.7", "eth0"
	}},
	{"vmac_xmit_base", func(in *vrrp.Instance, _ int) { in.Interface, in.Parent, in.Base = "vrrp.7", "eth0", "eth0" }},
	{"HMAC", func(in *vrrp.Instance, _ int) {
		in.HMAC = &vrrp.HMAC{Keys: map[uint8][]byte{1: []byte("0123456789abcdef0123456789abcdef")}, Active: 1, TimeWindow: 5 * time.Second}
	}},
}

// couple is two directors on a switch.
type couple struct {
	bridge *lab.Bridge
	one    *director
	two    *director
}

func newCouple(tb testing.TB) *couple {
	tb.Helper()
	c := &couple{bridge: lab.NewBridge(tb, "sw", 1500)}
	for i, d := range []**director{&c.one, &c.two} {
		h := lab.NewHost(tb, fmt.Sprintf("director%d", i+1))
		h.Connect(c.bridge, "eth0", fmt.Sprintf("192.0.2.%d/24", i+1), fmt.Sprintf("2001:db8::%d/64", i+1))
		*d = newDirector(tb, h)
	}
	return c
}

func TestKernelElection(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c := newCouple(t)
			for i, d := range []*director{c.one, c.two} {
				d.host.Run("ip", "link", "add", "vrrp.7", "link", "eth0", "address", "00:00:5e:00:01:07", "type", "macvlan", "mode", "private")
				// Both have the same MAC address, which the kernel would make the same link-local address of.
				d.host.Run("ip", "link", "set", "vrrp.7", "addrgenmode", "none", "up")
				d.host.AddAddress("vrrp.7", fmt.Sprintf("fe80::7:%d/64", i+1))
				in := virtual(7, uint8(150-50*i), func(in *vrrp.Instance) { in.AdvertInterval = 500 * time.Millisecond })
				k.change(&in, i+1)
				d.Change([]vrrp.Instance{in}, nil)
			}
			c.one.becomes(vrrp.Active)
			c.two.becomes(vrrp.Backup)
			lab.WaitFor(t, patience, "adverts", func() error {
				if s := c.two.status("VI_7"); s.Heard != c.one.status("VI_7").Source || s.Counters.Received < 3 {
					return fmt.Errorf("%v was heard: %+v", s.Heard, s.Counters)
				}
				return nil
			})
			c.bridge.Silence(c.one.host)
			c.two.becomes(vrrp.Active)
			c.bridge.Hear(c.one.host)
			c.two.becomes(vrrp.Backup)
			c.one.becomes(vrrp.Active)

			before := c.two.status("VI_7").Counters
			one := c.one.status("VI_7")
			c.one.stop()
			c.two.becomes(vrrp.Active)
			after := c.two.status("VI_7").Counters
			if after.PriorityZeroReceived != before.PriorityZeroReceived+1 || len(after.Rejected)+len(one.Counters.Rejected) != 0 {
				t.Errorf("before %+v, after %+v, the other %+v", before, after, one.Counters)
			}
			if one.Counters.SendErrors != 0 {
				t.Errorf("%+v", one.Counters)
			}
			t.Logf("adverts at most %v late", max(one.Counters.Latest, after.Latest))
		})
	}
}

func TestKernelInterfaceComesAndGoes(t *testing.T) {
	c := newCouple(t)
	for i, d := range []*director{c.one, c.two} {
		d.Change([]vrrp.Instance{virtual(7, uint8(150-50*i)), virtual(8, uint8(150-50*i), ipv6)}, nil)
	}
	c.one.becomes(vrrp.Active)
	c.two.becomes(vrrp.Backup)
	c.one.host.Run("ip", "link", "del", "eth0")
	c.one.becomes(vrrp.Fault)
	c.two.becomes(vrrp.Active)
	c.one.host.Connect(c.bridge, "eth0", "192.0.2.1/24")
	c.one.becomes(vrrp.Active)
	c.two.becomes(vrrp.Backup)
	c.one.host.DeleteAddress("eth0", "192.0.2.1/24") // without which IPv4 can't be
	lab.WaitFor(t, patience, "fault", func() error {
		if v4, v6 := c.one.status("VI_7"), c.one.status("VI_8"); v4.State != vrrp.Fault || v6.State != vrrp.Active {
			return fmt.Errorf("IPv4 is %v, IPv6 is %v", v4.State, v6.State)
		}
		return nil
	})
	c.one.host.AddAddress("eth0", "192.0.2.9/24")
	c.one.becomes(vrrp.Active)
	if s := c.one.status("VI_7"); s.Source != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("source is %v", s.Source)
	}
}

// Whatever a host of the same link sends, the one that is active stays so, and counts why it believed nothing.
func TestKernelHostilePackets(t *testing.T) {
	c := newCouple(t)
	key := vrrp.Auth{Type: vrrp.AuthPASS, Password: [8]byte{'s', 'e', 'c', 'r', 'e', 't'}}
	conf := virtual(7, 150, func(in *vrrp.Instance) { in.Version, in.Auth, in.ReceiveBuffer = 2, key, 1<<22 })
	c.one.Change([]vrrp.Instance{conf}, nil)
	c.one.becomes(vrrp.Active)

	enemy := lab.NewHost(t, "enemy")
	enemy.Connect(c.bridge, "eth0", "192.0.2.66/24")
	from := netip.MustParseAddr("192.0.2.66")
	good := func(change ...func(*vrrp.Instance)) []byte {
		in := conf
		for _, f := range change {
			f(&in)
		}
		a := vrrp.Advert{Version: in.Version, VRID: in.VRID, Priority: 254, Interval: in.AdvertInterval, Addrs: in.Addresses}
		return vrrp.NewCodec(&in).Encode(a, from, group4, time.Now())
	}
	spoilt := func(at int, value byte) []byte {
		b := good()
		b[at] = value
		return b
	}
	packets := map[vrrp.Reject][]byte{
		vrrp.RejectLength:      good()[:30],
		vrrp.RejectTTL:         spoilt(8, 254),
		vrrp.RejectVersion:     good(func(in *vrrp.Instance) { in.Version, in.Auth = 3, vrrp.Auth{} }),
		vrrp.RejectAuthType:    good(func(in *vrrp.Instance) { in.Auth = vrrp.Auth{} }),
		vrrp.RejectPassword:    good(func(in *vrrp.Instance) { in.Auth.Password[0] = 'S' }),
		vrrp.RejectInterval:    good(func(in *vrrp.Instance) { in.AdvertInterval = 2 * time.Second }),
		vrrp.RejectType:        spoilt(20, 0x22),
		vrrp.RejectChecksum:    spoilt(22, 253),
		vrrp.RejectUnknownVRID: good(func(in *vrrp.Instance) { in.VRID = 8 }),
	}
	const times = 100
	err := enemy.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.BindToDevice(fd, "eth0"); err != nil {
			return err
		}
		huge := append(good(), make([]byte, 1400)...)
		binary.BigEndian.PutUint16(huge[2:], uint16(len(huge)))
		for range times {
			for _, p := range packets {
				if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: group4.As4()}); err != nil {
					return err
				}
			}
			if err := unix.Sendto(fd, huge, 0, &unix.SockaddrInet4{Addr: group4.As4()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lab.WaitFor(t, patience, "rejects", func() error {
		rejected := c.one.status("VI_7").Counters.Rejected
		for why := range packets {
			want := uint64(times)
			if why == vrrp.RejectLength {
				want *= 2
			}
			if rejected[why] != want {
				err = errors.Join(err, fmt.Errorf("%v: %d instead of %d", why.String(), rejected[why], want))
			}
		}
		defer func() { err = nil }()
		return err
	})
	s := c.one.status("VI_7")
	if s.State != vrrp.Active || len(s.Transitions) != 2 || s.Counters.Received != 0 {
		t.Errorf("%v, %+v, %+v", s.State, s.Transitions, s.Counters)
	}
	if strings.Contains(c.one.log.String(), "secret") {
		t.Error("the password is in the log")
	}
}

func TestKernelAllVRIDsOfAnInterface(t *testing.T) {
	c := newCouple(t)
	for i, d := range []*director{c.one, c.two} {
		var all []vrrp.Instance
		for vrid := 1; vrid <= 255; vrid++ {
			all = append(all, virtual(uint8(vrid), uint8(150-50*i), func(in *vrrp.Instance) { in.ReceiveBuffer = 1 << 20 }))
		}
		d.Change(all, nil)
	}
	c.one.becomes(vrrp.Active)
	c.two.becomes(vrrp.Backup)
	c.one.stop()
	c.two.becomes(vrrp.Active)
	var latest time.Duration
	for _, s := range c.two.statuses() {
		latest = max(latest, s.Counters.Latest)
		if s.Counters.PriorityZeroReceived != 1 || s.Counters.SendErrors != 0 {
			t.Errorf("%s: %+v", s.Name, s.Counters)
		}
	}
	t.Logf("adverts at most %v late", latest)
}

// An interface that takes its time gets all adverts that are due at once.
func TestKernelSlowInterface(t *testing.T) {
	c := newCouple(t)
	c.one.host.Run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "4mbit", "burst", "3000", "limit", "10000000")
	var all []vrrp.Instance
	for vrid := 1; vrid <= 255; vrid++ {
		all = append(all, virtual(uint8(vrid), 150, func(in *vrrp.Instance) {
			for i := range 60 {
				in.Addresses = append(in.Addresses, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
			}
		}))
	}
	c.one.Change(all, nil)
	c.one.becomes(vrrp.Active)
	for _, s := range c.one.statuses() {
		if s.Counters.SendErrors != 0 {
			t.Fatalf("%s: %d adverts did not leave: %s", s.Name, s.Counters.SendErrors, s.Counters.LastSendError)
		}
	}
}

const keepalived = `
vrrp_instance VI_7 {
	interface eth0
	virtual_router_id 7
	priority %d
	state BACKUP
	virtual_ipaddress { 203.0.113.7 }
}
`

// With keepalived at the other end, each one takes over from the other.
func TestKernelWithKeepalived(t *testing.T) {
	c := newCouple(t)
	tmp := t.TempDir()
	start := func(priority int) *lab.Process {
		if err := os.WriteFile(filepath.Join(tmp, "conf"), fmt.Appendf(nil, keepalived, priority), 0o600); err != nil {
			t.Fatal(err)
		}
		p := c.two.host.Start("keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail", "--use-file", filepath.Join(tmp, "conf"),
			"--pid", filepath.Join(tmp, "pid"), "--vrrp_pid", filepath.Join(tmp, "vrrp.pid"))
		p.WaitLog(patience, "Startup complete")
		return p
	}
	c.two.stop()
	c.one.Change([]vrrp.Instance{virtual(7, 100, func(in *vrrp.Instance) { in.Version = 2 })}, nil)
	c.one.becomes(vrrp.Active)
	better := start(150)
	better.WaitLog(patience, "Entering MASTER STATE")
	c.one.becomes(vrrp.Backup)
	better.Stop() //nolint:errcheck // however it ends
	c.one.becomes(vrrp.Active)
	worse := start(50)
	before := c.one.status("VI_7").Counters.Sent
	lab.WaitFor(t, patience, "adverts", func() error {
		if sent := c.one.status("VI_7").Counters.Sent; sent < before+6 {
			return fmt.Errorf("%d were sent", sent-before)
		}
		return nil
	})
	if strings.Contains(worse.Log(), "MASTER STATE") {
		t.Errorf("keepalived with the lower priority became master:\n%s", worse.Log())
	}
	c.one.stop()
	worse.WaitLog(patience, "Entering MASTER STATE")
}
