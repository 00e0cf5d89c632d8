package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// desk is what the fake daemon is asked and answers about wishes.
type desk struct {
	orders []control.Order
	states []status.Wishes  // one for each time that it is asked; the last one stays
	looked func(n int)      // nil: nobody wants to know
	unread func(n int) bool // whether it can't tell; nil: it always can
	times  int
}

func (d *desk) Wishes(context.Context) (*status.Wishes, error) {
	d.times++
	if d.looked != nil {
		d.looked(d.times)
	}
	if d.unread != nil && d.unread(d.times) {
		return nil, errors.New("netlink receive: no buffer space available")
	}
	return &d.states[min(d.times, len(d.states))-1], nil
}

func (d *desk) Exchange(context.Context, admin.Message) (*admin.Message, error) {
	return nil, errors.New("ipvsctl is no director")
}

func (d *desk) Order(_ context.Context, o control.Order) (*status.Wishes, error) {
	d.orders = append(d.orders, o)
	if len(d.states) == 0 {
		return nil, errors.New("the configuration has no server 198.51.100.1: ipvsctl list shows them")
	}
	return &d.states[0], nil
}

// draining is a server that drains and has so many connections.
func draining(open int, with ...func(*status.Wish)) status.Wishes {
	addr := netip.MustParseAddrPort("198.51.100.1:80")
	w := status.Wish{
		Wish: admin.Wish{Server: admin.Server{AddrPort: addr}, What: admin.Drain, Owner: "root", Reason: "new kernel", Since: at, Deadline: at.Add(10 * time.Minute), Version: 1},
		Servers: []status.WishedServer{{
			Service: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Server: addr, InTable: true, ActiveConns: uint32(open), Open: open,
		}},
	}
	for _, f := range with {
		f(&w)
	}
	return status.Wishes{At: at.Add(time.Minute), Wishes: []status.Wish{w}}
}

func ended(cut int) func(*status.Wish) {
	return func(w *status.Wish) { w.Ended, w.Cut = true, cut }
}

func uncounted(w *status.Wish) { w.Uncounted = true }

// weighty is a server of which the kernel refused weight 0.
func weighty(w *status.Wish) { w.Servers[0].TableWeight = 1 }

func TestOrders(t *testing.T) {
	for _, tt := range []struct{ args, want, stdout string }{
		{"drain 198.51.100.1", "drain 198.51.100.1", "198.51.100.1:80 drains for tcp 192.0.2.1:80\n"},
		{"drain tag:rack1 --service tcp_192.0.2.1:80 --deadline 10m --reason why --expires 2h", "drain tag:rack1 of tcp 192.0.2.1:80, 10m0s 2h0m0s why", ""},
		{"undrain web1", "undrain web1", "198.51.100.1:80 drains no longer for tcp 192.0.2.1:80\n"},
		{"disable web1 --reason why", "disable web1, why", "198.51.100.1:80 is disabled for tcp 192.0.2.1:80\n"},
		{"enable web1", "enable web1", "198.51.100.1:80 is enabled for tcp 192.0.2.1:80\n"},
		{"weight web1 5 --expires 1m", "weight web1 5, 1m0s", "198.51.100.1:80 has weight 5 for tcp 192.0.2.1:80\n"},
		{"weight web1 configured", "weight web1", "198.51.100.1:80 has its configured weight again for tcp 192.0.2.1:80\n"},
	} {
		d := &fake{desk: desk{states: []status.Wishes{draining(3)}}}
		args := strings.Fields(tt.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "_", " ")
		}
		code, stdout, stderr := ctl(t, d, args...)
		if code != 0 || stderr != "" || tt.stdout != "" && stdout != tt.stdout {
			t.Errorf("%s: %d\n%s\n%s", tt.args, code, stdout, stderr)
		}
		if len(d.orders) != 1 || said(&d.orders[0]) != tt.want {
			t.Errorf("%s: %+v, want %s", tt.args, d.orders, tt.want)
		}
	}
	for _, args := range []string{
		"drain", "drain a b", "weight a", "weight a -1", "weight a x", "weight a 2147483648", "drain a --deadline -1s", "drain a --deadline 2m --expires 1m",
		"disable a --deadline 1m", "undrain a --reason x", "drains a", "weight a configured --reason x",
	} {
		d := &fake{desk: desk{states: []status.Wishes{draining(3)}}}
		if code, _, stderr := ctl(t, d, strings.Fields(args)...); code != exitUsage || len(d.orders) > 0 || !strings.Contains(stderr, "--help") {
			t.Errorf("%s: %d %s", args, code, stderr)
		}
	}
	if code, _, stderr := ctl(t, &fake{}, "drain", "198.51.100.1"); code != exitFailure || stderr != "ipvsctl: the configuration has no server 198.51.100.1: ipvsctl list shows them\n" {
		t.Errorf("%d %q", code, stderr)
	}
	if code, _, _ := ctl(t, nil, "drains"); code != exitFailure {
		t.Errorf("without a daemon: %d", code)
	}
}

// It is told which other directors know of an order, and which don't.
func TestOrderDirectors(t *testing.T) {
	s := draining(3)
	s.Directors = []status.Director{
		{Name: "lb2", InStep: true, Reached: at}, {Name: "lb3", Error: "connection refused", FailingSince: at}, {Name: "lb4", InStep: true, Reached: at, ClockAhead: time.Hour},
	}
	code, stdout, stderr := ctl(t, &fake{desk: desk{states: []status.Wishes{s}}}, "drain", "web1")
	if code != 0 || stdout != "198.51.100.1:80 drains for tcp 192.0.2.1:80\nlb2, lb4 know of it, too\n" ||
		stderr != "warning: director lb3 can't be told for 1m0s: connection refused; it is told when it can be\n"+
			"warning: director lb4 has the same wishes; its clock is 1h0m0s ahead\n" {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	s.Directors = s.Directors[:1]
	if _, stdout, _ := ctl(t, &fake{desk: desk{states: []status.Wishes{s}}}, "undrain", "web1"); !strings.HasSuffix(stdout, "\nlb2 knows of it, too\n") {
		t.Error(stdout)
	}
}

// said says what an order is in a few words.
func said(o *control.Order) string {
	text := o.Verb + " " + o.Server
	if o.Service != "" {
		text += " of " + o.Service
	}
	if o.Weight != nil {
		text += " " + strconv.Itoa(int(*o.Weight))
	}
	var more []string
	for _, d := range []time.Duration{o.Deadline, o.Expires} {
		if d > 0 {
			more = append(more, d.String())
		}
	}
	if o.Reason != "" {
		more = append(more, o.Reason)
	}
	if len(more) > 0 {
		text += ", " + strings.Join(more, " ")
	}
	return text
}

// What an order does beside what it is to do is on stderr.
func TestOrderWarns(t *testing.T) {
	s := draining(3)
	s.Warnings, s.Record = []string{"tcp 192.0.2.1:80 has no server left for new clients"}, "no space left on device"
	code, _, stderr := ctl(t, &fake{desk: desk{states: []status.Wishes{s}}}, "drain", "web1")
	want := "warning: tcp 192.0.2.1:80 has no server left for new clients\n" +
		"warning: it holds, but can't be written to the disk, and is forgotten if the daemon ends: no space left on device\n"
	if code != 0 || stderr != want {
		t.Errorf("%d\n%s", code, stderr)
	}
}

func TestDrainWait(t *testing.T) {
	replaced := func(w *status.Wish) { w.Version = 2 }
	const began, left = "198.51.100.1:80 drains for tcp 192.0.2.1:80\n", ", the deadline is 12:10:00\n"
	for _, tt := range []struct {
		name   string
		states []status.Wishes
		code   int
		stdout string
		stderr string
	}{
		{"it drains", []status.Wishes{draining(3), draining(3), draining(1), draining(0)}, 0, began + "connections left: 3" + left + "connections left: 1" + left + "drained after 2s\n", ""},
		{"one that was being opened", []status.Wishes{draining(0), draining(1), draining(0)}, 0, began + "connections left: 1" + left + "drained after 2s\n", ""},
		{"without connections, but the kernel still sends it some", []status.Wishes{draining(3), draining(0, weighty), draining(0, weighty), draining(1), draining(0)},
			0, began + "connections left: 3" + left + "connections left: 0" + left + "connections left: 1" + left + "drained after 2s\n", ""},
		{"the deadline", []status.Wishes{draining(3), draining(2, ended(2))}, 1, began + "connections left: 3" + left + "the deadline has come: disabled, connections cut: 2\n", ""},
		{"the deadline without any", []status.Wishes{draining(3), draining(0, ended(0))}, 0, began + "connections left: 3" + left + "the deadline has come: disabled, connections cut: 0\n", ""},
		{"the deadline, and the table could not be read", []status.Wishes{draining(3), draining(0, ended(0), uncounted)}, 1,
			began + "connections left: 3" + left + "the deadline has come: disabled, connections cut: nobody has counted them\n", ""},
		{"somebody ended it", []status.Wishes{draining(3), {}}, 1, began + "connections left: 3" + left,
			"ipvsctl: the drain is over: it was ended or replaced by somebody, or has expired; ipvsctl drains shows what is wanted now\n"},
		{"somebody replaced it", []status.Wishes{draining(3), draining(3, replaced)}, 1, began + "connections left: 3" + left,
			"ipvsctl: the drain is over: it was ended or replaced by somebody, or has expired; ipvsctl drains shows what is wanted now\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, &fake{desk: desk{states: tt.states}}, "drain", "web1", "--wait")
			got := stdout
			if i := strings.Index(got, "drained after"); i >= 0 { // how long that took is the host's business
				got = got[:i] + "drained after 2s\n"
			}
			if code != tt.code || got != tt.stdout || stderr != tt.stderr {
				t.Errorf("%d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
	code, stdout, _ := ctl(t, &fake{desk: desk{states: []status.Wishes{draining(1), draining(0)}}}, "drain", "web1", "--wait", "-o", "json")
	var s status.Wishes
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 || len(s.Wishes) != 1 || s.Wishes[0].Open() != 0 {
		t.Errorf("%d %v %s", code, err, stdout)
	}
}

// A look that fails is not the end of the waiting; many in a row are, and say so.
func TestDrainWaitUnread(t *testing.T) {
	t.Parallel()
	const why = "netlink receive: no buffer space available"
	d := &fake{desk: desk{states: []status.Wishes{draining(3), draining(3), draining(0)}, unread: func(n int) bool { return n == 2 }}}
	code, stdout, stderr := ctl(t, d, "drain", "web1", "--wait")
	if code != 0 || !strings.Contains(stdout, "not known how far it is: ") || !strings.Contains(stdout, why) || !strings.Contains(stdout, "drained after") {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	d = &fake{desk: desk{states: []status.Wishes{draining(3)}, unread: func(n int) bool { return n > 1 }}}
	code, _, stderr = ctl(t, d, "drain", "web1", "--wait")
	if code != exitFailure || !strings.Contains(stderr, why+"; the drain stays in force") {
		t.Errorf("%d\n%s", code, stderr)
	}
}

// Ctrl-C ends the waiting, not the drain.
func TestDrainWaitInterrupted(t *testing.T) {
	d := &fake{desk: desk{states: []status.Wishes{draining(3)}}}
	ctx, cancel := context.WithCancel(t.Context())
	d.looked = func(n int) {
		if n == 2 {
			cancel()
		}
	}
	code, stdout, stderr := ctlIn(ctx, t, d, "drain", "web1", "--wait")
	if code != exitFailure || stderr != "ipvsctl: the drain stays in force; ipvsctl undrain ends it\n" || !strings.Contains(stdout, "connections left: 3") {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	if verbs := slices.Collect(func(yield func(string) bool) {
		for _, o := range d.orders {
			yield(o.Verb)
		}
	}); !slices.Equal(verbs, []string{"drain"}) {
		t.Errorf("%q", verbs)
	}
}
