//go:build kernel

package pair

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// The addresses of the two directors, by interface.
var addresses = [2]map[string]string{
	{"eth0": "192.168.1.101", "eth1": "10.0.100.1"},
	{"eth0": "192.168.1.102", "eth1": "10.0.100.50"},
}

// table is two directors on two networks, and an observer on the first.
type table struct {
	t                  *testing.T
	External, Internal *lab.Bridge
	Directors          [2]*Director
	Observer           *lab.Host
	capture            *lab.Capture
	pause              *time.Ticker // nil: it takes no time to look
}

// newTable lays it for two tools.
func newTable(t *testing.T, first, second Tool) *table {
	t.Helper()
	x := &table{t: t, External: lab.NewBridge(t, "external", 1500), Internal: lab.NewBridge(t, "internal", 1500)}
	for i, tool := range [2]Tool{first, second} {
		h := lab.NewHost(t, fmt.Sprintf("director%d", i+1))
		h.Connect(x.External, "eth0", addresses[i]["eth0"]+"/24", fmt.Sprintf("2001:db8:1::10%d/64", i+1))
		h.Connect(x.Internal, "eth1", addresses[i]["eth1"]+"/24")
		x.Directors[i] = NewDirector(t, h, tool, bin)
	}
	x.Observer = lab.NewHost(t, "observer")
	x.Observer.Connect(x.External, "eth0", "192.168.1.10/24")
	x.watch()
	return x
}

// rest has who looks again and again leave time for the others, if looking takes long.
func (x *table) rest() {
	if x.pause != nil {
		<-x.pause.C
	}
}

// watch has the observer see what the directors send, from now on.
func (x *table) watch() {
	if x.capture != nil {
		x.capture.Stop()
	}
	x.capture = lab.NewCapture(x.Observer, "eth0", "(ip proto 112 or ip proto 51 or ip6 proto 112) and not src host "+enemyAddr)
}

// start writes what both are told and starts them, the first one first.
func (x *table) start(first, second Setup) {
	x.t.Helper()
	x.write(first, second)
	for _, d := range x.Directors {
		d.Start()
	}
}

func (x *table) write(setups ...Setup) {
	for i, s := range setups {
		x.Directors[i].Write(s)
	}
}

// active waits until director n, and it alone, has all addresses, and then for five rounds of adverts of its own without any
// of another one.
func (x *table) active(n int, s Setup) {
	x.t.Helper()
	WaitActive(x.t, s, x.Directors[n], x.Directors[1-n])
	x.alone(n, s)
}

var advert = regexp.MustCompile(`(?:IP6?) \(?.*?(\S+) > (\S+?): .*vrid (\d+), prio (\d+)`)

// alone sees the adverts that follow: five at least of each instance on the external network, and all from director n.
func (x *table) alone(n int, s Setup) {
	x.t.Helper()
	seen := make(map[string]int)
	for _, i := range s.Instances {
		if i.Interface == "eth0" {
			seen[fmt.Sprint(i.VRID)] = 0
		}
	}
	from := len(x.capture.Packets())
	lab.WaitFor(x.t, patience, "adverts of "+x.Directors[n].Name+" alone", func() error {
		x.rest()
		for vrid := range seen {
			seen[vrid] = 0
		}
		packets := x.capture.Packets()
		for i, line := range packets[from:] {
			m := advert.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if _, ours := seen[m[3]]; !ours {
				continue
			}
			if m[1] != addresses[n]["eth0"] {
				from += i + 1 // not yet
				return fmt.Errorf("%s", line)
			}
			seen[m[3]]++
		}
		for vrid, count := range seen {
			if count < 5 {
				return fmt.Errorf("%d of VRID %s in\n%s", count, vrid, strings.Join(packets[from:], "\n"))
			}
		}
		return nil
	})
}

// one is a single instance on eth0.
func one(state string, priority int, words ...string) Setup {
	return Setup{Instances: []Instance{{
		Name: "VI_E", Interface: "eth0", VRID: 51, Priority: priority, State: state, Interval: "1",
		Addresses: []string{"192.168.1.200/24"}, Words: words,
	}}}
}

// with changes a setup of a single instance.
func (s Setup) with(f func(*Instance)) Setup {
	i := s.Instances[0]
	f(&i)
	s.Instances = []Instance{i}
	return s
}

// Mixed pairs, each role each way, through what happens to pairs.
func TestKernelMixedPairs(t *testing.T) {
	for _, tools := range [][2]Tool{{IPVSD, Keepalived}, {Keepalived, IPVSD}, {IPVSD, IPVSD}} {
		for _, c := range []struct {
			name string
			test func(*table)
		}{
			{"start order", startOrder},
			{"preempt and clean stop", preemptAndStop},
			{"nopreempt", nopreempt},
			{"priority by tracking", byTracking},
			{"crash", crash},
			{"link cut", linkCut},
			{"split brain", splitBrain},
			{"equal priority", equalPriority},
			{"auth mismatch", authMismatch},
			{"VRID clash", clash},
			{"interval mismatch v2", intervalV2},
			{"interval mismatch v3", intervalV3},
			{"20 addresses, version 3", manyAddresses},
			{"group", group},
			{"unicast", unicast},
			{"AH", ah},
			{"IPv6", ipv6},
			{"unicast IPv6", unicastIPv6},
			{"preempt_delay", preemptDelay},
			{"VMAC", vmac},
			{"hostile packets", hostilePackets},
		} {
			t.Run(fmt.Sprintf("%s %s/%s", tools[0], tools[1], c.name), func(t *testing.T) {
				t.Parallel()
				c.test(newTable(t, tools[0], tools[1]))
			})
		}
	}
}

// shows waits until ipvsctl has a line of such a label and text about the instance, where there is ipvsctl.
func (x *table) shows(n int, label, text string) {
	x.t.Helper()
	d := x.Directors[n]
	if d.Tool != IPVSD {
		return
	}
	line := regexp.MustCompile(`(?m)^ *` + label + ` +[1-9]\d*` + text)
	lab.WaitFor(x.t, patience, line.String(), func() error {
		out, err := d.Ctl("vrrp", "VI_E")
		if err == nil && !line.MatchString(out) {
			err = errors.New(out)
		}
		return err
	})
}

func startOrder(x *table) {
	low, high := one("BACKUP", 100), one("BACKUP", 150)
	x.write(high, low)
	x.Directors[1].Start()
	x.active(1, low)
	x.Directors[0].Start()
	x.active(0, high)
}

func preemptAndStop(x *table) {
	high, low := one("MASTER", 150), one("BACKUP", 100)
	x.start(high, low)
	x.active(0, high)
	x.Directors[0].Stop()
	x.active(1, low)
	x.Directors[0].Start()
	x.active(0, high)
	x.Directors[1].Stop()
	x.active(0, high)
}

func nopreempt(x *table) {
	high, low := one("BACKUP", 150, "nopreempt"), one("BACKUP", 100, "nopreempt")
	x.start(high, low)
	x.active(0, high)
	x.Directors[0].Stop()
	x.active(1, low)
	x.Directors[0].Start()
	x.active(1, low)
	x.Directors[1].Stop()
	x.active(0, high)
}

func byTracking(x *table) {
	var setups [2]Setup
	for i := range setups {
		s := one("BACKUP", 150-50*i)
		flag := x.Directors[i].Path("healthy")
		x.Observer.Run("touch", flag)
		s.Scripts = []Script{{"chk", "/usr/bin/test -e " + flag, -80}}
		s.Instances[0].Scripts = []string{"chk"}
		setups[i] = s
	}
	x.start(setups[0], setups[1])
	x.active(0, setups[0])
	x.Observer.Run("rm", x.Directors[0].Path("healthy"))
	x.active(1, setups[1])
	x.Observer.Run("touch", x.Directors[0].Path("healthy"))
	x.active(0, setups[0])
}

func crash(x *table) {
	high, low := one("MASTER", 150), one("BACKUP", 100)
	x.start(high, low)
	x.active(0, high)
	x.Directors[0].Crash()
	lab.WaitFor(x.t, patience, "the address on the other", func() error { return x.Directors[1].Holds(low, true) })
	x.alone(1, low)
	x.Directors[0].Start()
	x.active(0, high)
}

func linkCut(x *table) {
	high, low := one("MASTER", 150), one("BACKUP", 100)
	x.start(high, low)
	x.active(0, high)
	x.External.Unplug(x.Directors[0].Host)
	x.active(1, low)
	x.External.Plug(x.Directors[0].Host)
	x.active(0, high)
}

// splitBrain lasts until both have sent adverts that the other could not hear. It ends between two adverts of the lower one, whose addresses
// the neighbours believe: if that is ipvsd, the higher one hears of it and tells them again.
func splitBrain(x *table) {
	high, low := one("MASTER", 150), one("BACKUP", 100)
	x.start(high, low)
	x.active(0, high)
	x.External.Silence(x.Directors[0].Host)
	lab.WaitFor(x.t, patience, "both to have the address", func() error {
		if err := x.Directors[0].Holds(high, true); err != nil {
			return err
		}
		return x.Directors[1].Holds(low, true)
	})
	x.alone(1, low) // five seconds of it, as the observer hears
	announced := lab.NewCapture(x.Observer, "eth0", "arp and src host 192.168.1.200 and ether src "+x.Directors[0].MAC("eth0"))
	said := len(x.capture.Packets())
	lab.WaitFor(x.t, patience, "one more advert", func() error {
		if len(x.capture.Packets()) == said {
			return errors.New("none")
		}
		return nil
	})
	x.External.Hear(x.Directors[0].Host)
	x.active(0, high)
	if x.Directors[1].Tool == Keepalived {
		return // it does so with vrrp_higher_prio_send_advert only
	}
	lab.WaitFor(x.t, patience, "gratuitous ARP", func() error {
		if len(announced.Packets()) == 0 {
			return errors.New("none")
		}
		return nil
	})
}

func equalPriority(x *table) {
	same := one("BACKUP", 100)
	x.start(same, same)
	lab.WaitFor(x.t, patience, "the address on one of them", func() error {
		for i, d := range x.Directors {
			if d.Holds(same, true) == nil && x.Directors[1-i].Holds(same, false) == nil {
				return nil
			}
		}
		return fmt.Errorf("on none, or on both")
	})
	// Between two that are active the higher address stays.
	x.External.Silence(x.Directors[0].Host)
	lab.WaitFor(x.t, patience, "both to have the address", func() error {
		if err := x.Directors[0].Holds(same, true); err != nil {
			return err
		}
		return x.Directors[1].Holds(same, true)
	})
	x.External.Hear(x.Directors[0].Host)
	x.active(1, same)
}

// authMismatch: both believe to be alone, as long as the passwords differ.
func authMismatch(x *table) {
	high := one("MASTER", 150).with(func(i *Instance) { i.Auth = "PASS" })
	low := one("BACKUP", 100)
	x.start(high, low)
	lab.WaitFor(x.t, patience, "both to have the address", func() error {
		if err := x.Directors[0].Holds(high, true); err != nil {
			return err
		}
		return x.Directors[1].Holds(low, true)
	})
	for i := range x.Directors {
		x.shows(i, "rejected", " for auth_type: .*; set the same auth_type on all routers of the VRID")
	}
	agreed := low.with(func(i *Instance) { i.Auth = "PASS" })
	x.write(high, agreed)
	x.Directors[1].Reload()
	x.active(0, high)
}

// clash: another cluster's VRID. The lower one yields, and has its own address no more: that is what a clash costs with both tools.
func clash(x *table) {
	high := one("MASTER", 150)
	other := one("BACKUP", 100).with(func(i *Instance) { i.Addresses = []string{"192.168.1.210/24"} })
	x.start(high, other)
	x.active(0, high)
	x.shows(1, "mismatch", " adverts with other addresses than ours")
}

// intervalV2: version 2 drops what has another interval.
func intervalV2(x *table) {
	high := one("MASTER", 150).with(func(i *Instance) { i.Interval = "2" })
	low := one("BACKUP", 100)
	x.start(high, low)
	lab.WaitFor(x.t, patience, "both to have the address", func() error {
		if err := x.Directors[0].Holds(high, true); err != nil {
			return err
		}
		return x.Directors[1].Holds(low, true)
	})
	for i := range x.Directors {
		x.shows(i, "rejected", " for interval: .*; version 2 demands the same advert_int on all routers of the VRID")
	}
}

// intervalV3: a backup learns the interval.
func intervalV3(x *table) {
	v3 := func(interval string) func(*Instance) {
		return func(i *Instance) { i.Version, i.Interval = 3, interval }
	}
	high, low := one("MASTER", 150).with(v3("1")), one("BACKUP", 100).with(v3("0.2"))
	x.start(high, low)
	x.active(0, high)
	x.Directors[0].Stop()
	x.active(1, low)
	x.Directors[0].Start()
	x.active(0, high)
}

func manyAddresses(x *table) {
	many := func(i *Instance) {
		i.Version, i.Interval, i.Addresses = 3, "0.2", nil
		for n := range 20 {
			i.Addresses = append(i.Addresses, fmt.Sprintf("192.168.1.%d/32", 200+n))
		}
		i.Excluded = []string{"192.168.1.230/32", "2001:db8:1::230/128"}
	}
	high, low := one("MASTER", 150).with(many), one("BACKUP", 100).with(many)
	x.start(high, low)
	x.active(0, high)
	x.Directors[0].Stop()
	x.active(1, low)
	x.Directors[0].Start()
	x.active(0, high)
}

// group: a cut on the internal network moves the external address, too.
func group(x *table) {
	setup := func(master bool) Setup {
		s := Scenario1(master, 2, "1")
		s.Services, s.Sync = false, ""
		return s
	}
	x.start(setup(true), setup(false))
	x.active(0, setup(true))
	x.Internal.Unplug(x.Directors[0].Host)
	x.active(1, setup(false))
	x.Internal.Plug(x.Directors[0].Host)
	x.active(0, setup(true))
	x.Directors[0].Stop()
	x.active(1, setup(false))
}

func unicast(x *table) {
	to := func(own, peer int) func(*Instance) {
		return func(i *Instance) {
			i.Source, i.Peers = addresses[own]["eth0"], []string{addresses[peer]["eth0"]}
		}
	}
	high, low := one("MASTER", 150).with(to(0, 1)), one("BACKUP", 100).with(to(1, 0))
	x.start(high, low)
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
	x.Directors[0].Stop()
	WaitActive(x.t, low, x.Directors[1], x.Directors[0])
	x.Directors[0].Start()
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
}

func ah(x *table) {
	withAH := func(i *Instance) { i.Auth = "AH" }
	high, low := one("BACKUP", 150).with(withAH), one("BACKUP", 100).with(withAH)
	x.start(high, low)
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
	x.Directors[0].Stop()
	WaitActive(x.t, low, x.Directors[1], x.Directors[0])
	x.Directors[0].Start()
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
}

func ipv6(x *table) {
	v6 := func(i *Instance) { i.Version, i.Addresses = 3, []string{"2001:db8:1::200/64"} }
	high, low := one("BACKUP", 150).with(v6), one("BACKUP", 100).with(v6)
	x.start(high, low)
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
	x.Directors[0].Crash()
	lab.WaitFor(x.t, patience, "the address on the other", func() error { return x.Directors[1].Holds(low, true) })
	x.Directors[0].Start()
	WaitActive(x.t, high, x.Directors[0], x.Directors[1])
}
