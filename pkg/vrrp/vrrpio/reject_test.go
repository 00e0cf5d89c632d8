package vrrpio

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Routers that take turns in being believed, as two active ones do, or whoever invents senders, don't fill the log with a third.
func TestRejectsDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.start(t, 1, virtual(7, 100))
		in := virtual(7, 200)
		codec := vrrp.NewCodec(&in)
		tell := func(from byte, broken bool) {
			source := netip.AddrFrom4([4]byte{192, 0, 2, from})
			advert := vrrp.Advert{Version: 3, VRID: 7, Priority: 200, Interval: time.Second, Addrs: in.Addresses}
			packet := bytes.Clone(codec.Encode(advert, source, in.Multicast, time.Now()))
			if broken {
				packet[8] = 7 // its TTL
			}
			n.forward(nil, source, in.Multicast, false, packet)
		}
		for i := range 6000 { // ten minutes, of which ten seconds are worth a line
			tell(byte(10+i%2), false)
			tell(99, true)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if s := r.status("VI_7"); s.Counters.Received != 6000 || s.Counters.Rejected[vrrp.RejectTTL] != 6000 {
			t.Errorf("%+v", s.Counters)
		}
		if lines := strings.Count(r.log.String(), "are ignored"); lines < 30 || lines > 60 {
			t.Errorf("%d lines", lines)
		}
		r.cancel()
	})
}

// A socket that can't be listened to is closed, and it is tried again.
func TestSocketThatIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		r := n.host(t, 1)
		r.set(func(p *port) { p.full = errors.New("epoll is full") })
		r.Interfaces(eth0(1, 1))
		r.Change([]vrrp.Instance{virtual(7, 100)}, nil)
		time.Sleep(9900 * time.Millisecond) // between two attempts
		r.is("VI_7", vrrp.Fault)
		if _, ever := r.sockets(); ever < 9 || ever > 11 {
			t.Errorf("%d attempts", ever)
		}
		r.set(func(p *port) { p.full = nil })
		time.Sleep(10 * time.Second)
		r.is("VI_7", vrrp.Active)
		r.cancel()
	})
}
