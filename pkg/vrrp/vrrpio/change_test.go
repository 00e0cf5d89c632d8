package vrrpio

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

func TestInterfaceComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		r.Change([]vrrp.Instance{virtual(7, 150), virtual(8, 150)}, nil)
		time.Sleep(time.Minute)
		r.is("VI_7", vrrp.Initialize) // whether there is an interface is not known yet
		r.Interfaces(nil)
		synctest.Wait()
		r.is("VI_7", vrrp.Fault)
		if s := r.status("VI_7"); s.Reason != "there is no interface eth0" {
			t.Errorf("reason %q", s.Reason)
		}
		r.Interfaces(eth0(1, 1))
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		r.is("VI_8", vrrp.Active)
		if s := r.status("VI_7"); s.Source != r.addr || s.Counters.SendErrors != 0 {
			t.Errorf("source %v, %+v", s.Source, s.Counters)
		}
		if _, ever := r.sockets(); ever != 1 {
			t.Errorf("%d sockets", ever)
		}
		r.Interfaces(eth0(2, 1)) // made anew between two looks at it
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		if s := r.status("VI_7"); len(s.Transitions) != 3 || s.Counters.SendErrors != 0 {
			t.Errorf("%+v", s)
		}
		if open, ever := r.sockets(); ever != 2 || len(open) != 1 {
			t.Errorf("%d sockets, %d of them open", ever, len(open))
		}
		r.Interfaces(nil)
		synctest.Wait()
		r.is("VI_8", vrrp.Fault)
		if open, _ := r.sockets(); len(open) != 0 {
			t.Errorf("%d sockets are open", len(open))
		}
		r.cancel()
	})
}

func TestSocketCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		r.set(func(p *port) { p.refuse = errRefused })
		r.Interfaces(eth0(1, 1))
		r.Change([]vrrp.Instance{virtual(7, 150, func(in *vrrp.Instance) { in.Source = r.addr })}, nil)
		time.Sleep(time.Minute)
		r.is("VI_7", vrrp.Fault) // and not active without hearing anybody
		if s := r.status("VI_7"); s.Reason != "its socket can't be opened: refused" {
			t.Errorf("reason %q", s.Reason)
		}
		if n := strings.Count(r.log.String(), "can't be opened"); n != 1 {
			t.Errorf("%d lines of it in the log:\n%s", n, r.log)
		}
		r.set(func(p *port) { p.refuse = nil })
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		r.cancel()
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150), virtual(8, 150))
		backup := n.start(t, 2, virtual(7, 100), virtual(8, 100))
		time.Sleep(10 * time.Second)
		r.took()
		// One is renamed, the other one goes, and leaves its name to a third.
		r.Change([]vrrp.Instance{
			virtual(7, 150, func(in *vrrp.Instance) { in.Name = "renamed" }),
			virtual(9, 150, func(in *vrrp.Instance) { in.Name = "VI_8" }),
		}, nil)
		synctest.Wait()
		r.is("renamed", vrrp.Active)
		r.is("VI_8", vrrp.Backup)
		if s := backup.status("VI_8"); s.Counters.PriorityZeroReceived != 1 {
			t.Errorf("%+v", s.Counters)
		}
		time.Sleep(10 * time.Second)
		backup.is("VI_8", vrrp.Active)
		if c := r.status("renamed").Counters; c.Rejected[vrrp.RejectUnknownVRID] == 0 {
			t.Errorf("it still knows VRID 8: %+v", c)
		}
		backup.is("VI_7", vrrp.Backup)
		if s := backup.status("VI_7"); s.Counters.PriorityZeroReceived != 0 {
			t.Errorf("%+v", s.Counters)
		}
		r.Change(nil, nil)
		synctest.Wait()
		if s := backup.status("VI_7"); s.Counters.PriorityZeroReceived != 1 {
			t.Errorf("%+v", s.Counters)
		}
		if open, _ := r.sockets(); len(open) != 0 {
			t.Errorf("%d sockets are open", len(open))
		}
		r.cancel()
		backup.cancel()
	})
}

func TestReloadOfTheCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		with := func(password byte) func(*vrrp.Instance) {
			return func(in *vrrp.Instance) {
				in.Version, in.Auth = 2, vrrp.Auth{Type: vrrp.AuthPASS, Password: [8]byte{password}}
			}
		}
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150, with('a')))
		other := n.start(t, 2, virtual(7, 100, with('a')))
		time.Sleep(10 * time.Second)
		other.Change([]vrrp.Instance{virtual(7, 100, with('b'))}, nil)
		time.Sleep(2 * time.Second)
		r.Change([]vrrp.Instance{virtual(7, 150, with('b'))}, nil)
		time.Sleep(time.Minute)
		if c := other.status("VI_7").Counters; c.Rejected[vrrp.RejectPassword] != 2 || c.BecameActive != 0 ||
			c.LastRejected.Why != vrrp.RejectPassword || c.LastRejected.From != r.status("VI_7").Source || time.Since(c.LastRejected.At) < time.Minute {
			t.Errorf("%+v", c)
		}
		r.cancel()
		other.cancel()
	})
}

func TestSocketComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		r.set(func(p *port) { p.slow = time.Second })
		r.Interfaces(eth0(1, 1))
		r.Change([]vrrp.Instance{virtual(7, 150)}, nil)
		time.Sleep(500 * time.Millisecond)
		r.Change(nil, nil)
		time.Sleep(10 * time.Second)
		if open, ever := r.sockets(); len(open) != 0 || ever != 1 {
			t.Errorf("%d of %d sockets are open", len(open), ever)
		}
		r.set(func(p *port) { p.refuse = errRefused })
		r.Change([]vrrp.Instance{virtual(7, 150)}, nil)
		time.Sleep(10 * time.Second)
		r.Change(nil, nil)
		time.Sleep(10 * time.Second)
		r.set(func(p *port) { p.refuse = nil })
		time.Sleep(10 * time.Second)
		if _, ever := r.sockets(); ever != 1 {
			t.Errorf("%d sockets", ever)
		}
		r.cancel()
	})
}

func TestReceiveBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 150), virtual(8, 150, func(in *vrrp.Instance) { in.ReceiveBuffer = 1 << 20 }))
		other := n.start(t, 2, virtual(7, 100), virtual(8, 100))
		time.Sleep(10 * time.Second)
		if open, _ := r.sockets(); len(open) != 1 || open[0].buffer != 1<<20 {
			t.Errorf("%+v", open)
		}
		r.Change([]vrrp.Instance{virtual(7, 150), virtual(8, 150)}, nil)
		time.Sleep(10 * time.Second)
		if open, _ := r.sockets(); len(open) != 1 || open[0].buffer != 0 {
			t.Errorf("%+v", open)
		}
		for _, name := range []string{"VI_7", "VI_8"} {
			r.is(name, vrrp.Active)
			other.is(name, vrrp.Backup)
			if s := other.status(name); len(s.Counters.Rejected) != 0 || len(s.Transitions) != 1 {
				t.Errorf("%+v", s)
			}
		}
		r.cancel()
		other.cancel()
	})
}
