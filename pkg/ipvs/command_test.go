package ipvs_test

import (
	"errors"
	"io/fs"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

var (
	web    = ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Scheduler: "wlc", Granularity: 32}
	server = ipvs.Destination{Addr: netip.MustParseAddrPort("198.51.100.1:8080"), Weight: 1}
)

func TestCommandString(t *testing.T) {
	full := web
	full.Flags, full.Persistence, full.Granularity, full.Engine = ipvs.OnePacket|ipvs.Scheduler3, 5*time.Minute, 24, "sip"
	single := web
	single.Persistence = time.Second
	tunnel := ipvs.Destination{
		Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Forward: ipvs.Tun, Weight: math.MaxInt32, UpperThreshold: 9,
		Tunnel: ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.Csum | ipvs.RemCsum},
	}
	gre := tunnel
	gre.Tunnel = ipvs.Tunnel{Type: ipvs.GRE}
	for _, c := range []struct {
		command ipvs.Command
		want    string
	}{
		{ipvs.Command{Op: ipvs.NewService, Service: web}, "add service tcp 192.0.2.1:80 wlc"},
		{
			ipvs.Command{Op: ipvs.SetService, Service: full},
			"edit service tcp 192.0.2.1:80 wlc ops flag-3 persistent 5m0s /24 pe sip",
		},
		{ipvs.Command{Op: ipvs.SetService, Service: single}, "edit service tcp 192.0.2.1:80 wlc persistent 1s"},
		{ipvs.Command{Op: ipvs.DelService, Service: full}, "delete service tcp 192.0.2.1:80"},
		{
			ipvs.Command{Op: ipvs.NewDestination, Service: web, Destination: server},
			"add server 198.51.100.1:8080 NAT weight 1 of tcp 192.0.2.1:80",
		},
		{
			ipvs.Command{Op: ipvs.SetDestination, Service: web, Destination: tunnel},
			"edit server [2001:db8::1]:80 TUN type gue port 6080 csum remcsum weight 2147483647 thresholds 0..9" +
				" of tcp 192.0.2.1:80",
		},
		{
			ipvs.Command{Op: ipvs.NewDestination, Service: web, Destination: gre},
			"add server [2001:db8::1]:80 TUN type gre weight 2147483647 thresholds 0..9 of tcp 192.0.2.1:80",
		},
		{
			ipvs.Command{Op: ipvs.DelDestination, Service: web, Destination: server},
			"delete server 198.51.100.1:8080 of tcp 192.0.2.1:80",
		},
	} {
		if got := c.command.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestServiceFlagNames(t *testing.T) {
	all := ipvs.OnePacket | ipvs.Scheduler1 | ipvs.Scheduler2 | ipvs.Scheduler3
	for scheduler, want := range map[string][]string{
		"sh": {"ops", "sh-fallback", "sh-port", "flag-3"},
		"mh": {"ops", "mh-fallback", "mh-port", "flag-3"},
		"rr": {"ops", "flag-1", "flag-2", "flag-3"},
	} {
		if got := all.Names(scheduler); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", scheduler, got, want)
		}
	}
	if got := (ipvs.Persistent | ipvs.Hashed).Names("rr"); len(got) > 0 {
		t.Errorf("flags that are not settable are named %v", got)
	}
}

func TestErrorText(t *testing.T) {
	sip := web
	sip.Engine = "sip"
	other := ipvs.Destination{Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Weight: 1, Forward: ipvs.Tun}
	for _, c := range []struct {
		err  ipvs.Error
		want string
	}{
		{
			ipvs.Error{Command: ipvs.Command{Op: ipvs.NewDestination, Service: web, Destination: server}, Errno: ipvs.EEXIST},
			"add server 198.51.100.1:8080 NAT weight 1 of tcp 192.0.2.1:80: exists already (EEXIST)",
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.NewDestination, Service: web, Destination: other}, Errno: ipvs.EINVAL},
			"add server [2001:db8::1]:80 TUN weight 1 of tcp 192.0.2.1:80: a server may be of another IP family than its service only " +
				"under TUN, and only while no sync daemon runs, be it somebody else's (ipvsadm -L --daemon) (EINVAL)",
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.SetDestination, Service: web, Destination: server}, Errno: ipvs.EINVAL},
			"edit server 198.51.100.1:8080 NAT weight 1 of tcp 192.0.2.1:80: the kernel holds this combination of settings to be invalid (EINVAL)",
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.DelDestination, Service: web, Destination: server}, Errno: ipvs.ENOENT},
			"delete server 198.51.100.1:8080 of tcp 192.0.2.1:80: no such server (ENOENT)",
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.NewService, Service: web}, Errno: ipvs.ENOENT},
			`add service tcp 192.0.2.1:80 wlc: the kernel has no scheduler "wlc": load its module (modprobe ip_vs_wlc) (ENOENT)`,
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.SetService, Service: sip}, Errno: ipvs.ENOENT},
			`edit service tcp 192.0.2.1:80 wlc pe sip: the kernel has no scheduler "wlc" or no persistence engine "sip":` +
				` load its module (modprobe ip_vs_wlc) (ENOENT)`,
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.DelService, Service: web}, Errno: ipvs.ESRCH, Detail: "gone"},
			"delete service tcp 192.0.2.1:80: no such service (ESRCH): gone",
		}, {
			ipvs.Error{Command: ipvs.Command{Op: ipvs.DelService, Service: web}, Errno: 71},
			"delete service tcp 192.0.2.1:80: errno 71",
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	targets := []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, ipvs.EINVAL}
	for errno, target := range map[ipvs.Errno]int{
		ipvs.ENOENT: 0, ipvs.ESRCH: 0, ipvs.EEXIST: 1, ipvs.EPERM: 2, ipvs.EINVAL: 3, ipvs.ERANGE: -1,
	} {
		for i, err := range targets {
			if got, want := errors.Is(&ipvs.Error{Errno: errno}, err), i == target; got != want {
				t.Errorf("errno %d is %v: %t, want %t", errno, err, got, want)
			}
		}
	}
}

// Every number has words of its own.
func TestErrnoTexts(t *testing.T) {
	seen := map[string]ipvs.Errno{}
	for _, e := range []ipvs.Errno{
		ipvs.EPERM, ipvs.ENOENT, ipvs.ESRCH, ipvs.ENOMEM, ipvs.EEXIST, ipvs.EINVAL, ipvs.ERANGE, ipvs.EOPNOTSUPP,
		ipvs.EAFNOSUPPORT, 71,
	} {
		if other, ok := seen[e.Error()]; ok {
			t.Errorf("%d and %d are both %q", e, other, e)
		}
		seen[e.Error()] = e
	}
}

func TestKnownScheduler(t *testing.T) {
	if !ipvs.KnownScheduler("mh") || ipvs.KnownScheduler("MH") || ipvs.KnownScheduler("") {
		t.Error("mh is known, MH and the empty name are not")
	}
}
