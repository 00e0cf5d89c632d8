package status_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// wanted is a wish that is a few minutes old.
func wanted(server, service string, what admin.What, with func(*admin.Wish)) admin.Wish {
	s, err := admin.ParseServer(server)
	if err != nil {
		panic(err)
	}
	w := admin.Wish{Server: s, Service: service, What: what, Owner: "root", Since: ago(200 * time.Second), Version: 1}
	if with != nil {
		with(&w)
	}
	return w
}

// desk has wishes of all kinds.
func desk() *status.Wishes {
	at := func(active, inactive uint32, protocol ipvs.Protocol) status.WishedServer {
		s := ipvs.Service{ServiceKey: ipvs.AddressKey(protocol, netip.MustParseAddrPort("192.0.2.1:80"))}
		return status.WishedServer{
			Service: s.ServiceKey, Server: netip.MustParseAddrPort("198.51.100.1:80"), Name: "web1", InTable: true,
			ActiveConns: active, InactiveConns: inactive, Open: status.Open(&s, active, inactive),
		}
	}
	why := func(reason string, deadline, expires time.Duration) func(*admin.Wish) {
		return func(w *admin.Wish) {
			w.Reason = reason
			if deadline > 0 {
				w.Deadline = now.Add(deadline)
			}
			if expires > 0 {
				w.Expires = now.Add(expires)
			}
		}
	}
	return &status.Wishes{At: now, Wishes: []status.Wish{
		{Wish: wanted("198.51.100.1", "", admin.Drain, why("new kernel", 10*time.Minute, 2*time.Hour)), Servers: []status.WishedServer{at(17, 3, ipvs.TCP), at(0, 4, ipvs.UDP)}},
		{Wish: wanted("198.51.100.1:80", "tcp 192.0.2.1:80", admin.Weight, func(w *admin.Wish) { w.Weight = 5 }), Servers: []status.WishedServer{at(1, 0, ipvs.TCP)}},
		{Wish: wanted("198.51.100.2:80", "", admin.Drain, nil), Servers: []status.WishedServer{at(0, 9, ipvs.TCP)}},
		{Wish: wanted("198.51.100.3:80", "group WEB tcp", admin.Disable, why("disk", 0, 30*time.Second)), Servers: []status.WishedServer{{}}},
		{Wish: wanted("198.51.100.4:80", "", admin.Drain, func(w *admin.Wish) { w.Deadline, w.Ended, w.Cut = ago(time.Second), true, 3 }), Servers: []status.WishedServer{{}}},
		{Wish: wanted("[2001:db8::1]:80", "", admin.Disable, nil), Servers: []status.WishedServer{}},
		{Wish: wanted("198.51.100.5:80", "", admin.Drain, func(w *admin.Wish) { w.Deadline, w.Ended, w.Uncounted = ago(time.Second), true, true }), Servers: []status.WishedServer{{}}},
	}}
}

func TestWishes(t *testing.T) {
	full := desk()
	full.Directors = []status.Director{{Name: "lb2", Reached: ago(time.Second), InStep: true}, {Name: "lb3", FailingSince: ago(time.Minute), Error: "connection refused"}}
	full.Record = "open /var/lib/ipvsd/admin.json.new: no space left on device"
	for name, s := range map[string]*status.Wishes{"wishes": full, "wishes-none": {At: now}} {
		var plain, color bytes.Buffer
		if err := s.Text(&plain, status.Style{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Text(&color, status.Style{Color: true}); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".golden", plain.Bytes())
		golden.Check(t, "testdata/"+name+"-color.golden", color.Bytes())
	}
	text, err := json.MarshalIndent(full, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/wishes.json.golden", append(text, '\n'))
}

// A clock may say anything.
func TestMadClock(t *testing.T) {
	d := status.Director{Reached: ago(time.Second), InStep: true, ClockAhead: math.MinInt64}
	if got, want := d.State(ago(0)), "has the same wishes; its clock is 2562047h47m16.854775807s behind"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
