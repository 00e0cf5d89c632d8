package top_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/top"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tcp(s string) ipvs.ServiceKey { return ipvs.AddressKey(ipvs.TCP, addr(s)) }

// server is one that is up and serves, unless it is changed.
func server(at string, change ...func(*status.Server)) status.Server {
	s := status.Server{
		Addr: addr(at), Forward: "NAT", Weight: 1, InTable: true, TableWeight: 1, Health: health.Up, Since: noon.Add(-time.Hour),
		Checks: []status.Check{{Type: "TCP_CHECK"}},
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func conns(active, inactive uint32) func(*status.Server) {
	return func(s *status.Server) { s.ActiveConns, s.InactiveConns = active, inactive }
}

func counted(n uint64) func(*status.Server) {
	return func(s *status.Server) {
		s.Stats = ipvs.Stats{Connections: n, InBytes: 1000 * n, OutBytes: 25_000 * n}
	}
}

func down(why string) func(*status.Server) {
	return func(s *status.Server) {
		s.Health, s.InTable, s.TableWeight, s.Error = health.Down, false, 0, why
	}
}

func draining(service string) func(*status.Server) {
	return func(s *status.Server) {
		s.TableWeight = 0
		s.Wishes = []admin.Wish{{
			Server: admin.Server{AddrPort: s.Addr}, Service: service, What: admin.Drain, Owner: "root", Reason: "new kernel", Since: noon, Deadline: noon.Add(10 * time.Minute),
		}}
	}
}

// web is a director with a bit of everything. The counters stand at n.
func web(at time.Time, n uint64) *status.Snapshot {
	s := &status.Snapshot{
		Version: "1.0", RouterID: "lb1", Started: noon.Add(-50 * time.Hour), At: at,
		VRRP: &status.VRRP{Instances: []status.VirtualRouter{
			{Name: "VI_1", State: "MASTER", Effective: 150}, {Name: "VI_2", State: "BACKUP", Effective: 100}, {Name: "VI_3", State: "FAULT", Effective: 90},
		}},
		Services: []status.Service{
			{Key: tcp("192.0.2.1:80"), Options: []string{"wlc"}, InTable: true, Stats: ipvs.Stats{Connections: 3 * n, InBytes: 3000 * n, OutBytes: 75_000 * n}, Servers: []status.Server{
				server("198.51.100.1:80", conns(17, 3), counted(n), func(s *status.Server) { s.Name, s.Tags = "web1", []string{"blue"} }),
				server("198.51.100.2:80", conns(1234, 5), counted(2*n), draining("")),
				server("198.51.100.3:80", down("connection refused")),
				server("198.51.100.9:80", func(s *status.Server) { s.Sorry, s.InTable, s.TableWeight = true, false, 0 }),
			}},
			{Key: tcp("[2001:db8::1]:443"), Group: "group SECURE tcp", Options: []string{"rr"}, InTable: true, Servers: []status.Server{
				server("[2001:db8:1::1]:443", conns(2, 0)), server("198.51.100.1:80", func(s *status.Server) { s.Weight, s.TableWeight = 3, 3 }),
			}},
			{
				Key: tcp("192.0.2.3:25"), Options: []string{"rr"}, InTable: true, Quorum: status.Quorum{State: health.Down, Needed: 1},
				Servers: []status.Server{server("198.51.100.4:25", down("\x1b[31mno answer"))},
			},
		},
	}
	s.Wishes = append(s.Wishes, s.Services[0].Servers[1].Wishes...)
	return s
}

// view is a Model with what it wanted done.
type view struct {
	t *testing.T
	top.Model
	actions []top.Action
}

func (v *view) send(messages ...top.Message) *view {
	for _, m := range messages {
		var actions []top.Action
		v.Model, actions = v.Update(m)
		v.actions = append(v.actions, actions...)
	}
	return v
}

// press presses keys, written with blanks between them.
func (v *view) press(keys string) *view {
	for k := range strings.FieldsSeq(keys) {
		v.send(top.Key(k))
	}
	return v
}

// text is the screen; with marks, the styles before the spans. It checks what is true of every screen.
func (v *view) text(size top.Size, marks bool) string {
	v.t.Helper()
	var b strings.Builder
	lines := v.View()
	if len(lines) > size.Height {
		v.t.Errorf("%d lines of %d", len(lines), size.Height)
	}
	for _, l := range lines {
		line := ""
		for _, s := range l.Spans {
			if line += s.Text; marks {
				b.WriteString([]string{"", "*", "~", "+", "!", "#"}[s.Style])
				b.WriteString(s.Text)
			}
		}
		if n := uniseg.StringWidth(line); n > size.Width || l.Selected && n != size.Width {
			v.t.Errorf("%d cells of %d: %s", n, size.Width, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
			v.t.Errorf("%q", line)
		}
		if !marks {
			b.WriteString(strings.TrimRight(line, " "))
		}
		if l.Selected {
			b.WriteString(" <")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// busy is a view with rates.
func busy(t *testing.T, size top.Size) *view {
	v := &view{t: t}
	return v.send(size, top.Read{Snapshot: web(noon, 1000)}, top.Read{Snapshot: web(noon.Add(2*time.Second), 3468)})
}

func TestView(t *testing.T) {
	wide, usual, narrow := top.Size{Width: 140, Height: 20}, top.Size{Width: 80, Height: 24}, top.Size{Width: 44, Height: 12}
	happened := top.Happened{Event: event.Event{At: noon, Kind: event.Server, Server: "198.51.100.3:80", Service: "tcp 192.0.2.1:80", From: "up", To: "down", Reason: "connection refused"}}
	for _, c := range []struct {
		name  string
		size  top.Size
		marks bool
		do    func(v *view)
	}{
		{"wide", wide, false, func(v *view) { v.send(happened) }},
		{"styles", usual, true, func(v *view) { v.send(happened).press("down down down") }},
		{"usual", usual, false, func(v *view) { v.press("end") }},
		{"narrow", narrow, false, func(v *view) { v.press("j j j j j j j") }},
		{"services", usual, false, func(v *view) { v.press("v") }},
		{"servers", wide, false, func(v *view) { v.press("v v s s s s") }},
		{"filtered", usual, false, func(v *view) { v.press("/ b l u e enter") }},
		{"nothing", usual, false, func(v *view) { v.press("/ x y z backspace") }},
		{"help", usual, false, func(v *view) { v.press("?") }},
		{"drain", wide, false, func(v *view) { v.press("down d") }},
		{"undrain", usual, false, func(v *view) { v.press("down down u") }},
		{"away", usual, false, func(v *view) { v.send(top.Failed{Err: errors.New("no ipvsd is listening"), At: noon.Add(time.Minute)}) }},
		{"tiny", top.Size{Width: 10, Height: 3}, false, func(*view) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := busy(t, c.size)
			c.do(v)
			golden.Check(t, "testdata/"+c.name+".golden", []byte(v.text(c.size, c.marks)))
		})
	}
}

// Before the first answer, and of a director without anything.
func TestEmpty(t *testing.T) {
	size := top.Size{Width: 60, Height: 8}
	v := (&view{t: t}).send(size).press("down d u v s r / x esc")
	text := v.text(size, false)
	v.send(top.Failed{Err: errors.New("no ipvsd is listening"), At: noon}, top.Failed{Err: errors.New("still none"), At: noon.Add(time.Hour)})
	text += "---\n" + v.text(size, false)
	v.send(top.Read{Snapshot: &status.Snapshot{RouterID: "lb1", At: noon, Started: noon, Table: status.Table{Error: "no module"}, Config: status.Config{Rejected: "x", RejectedAt: noon}}}).press("up d u pgdn")
	text += "---\n" + v.text(size, false)
	golden.Check(t, "testdata/empty.golden", []byte(text))
	for w := range 30 {
		for h := range 8 {
			size := top.Size{Width: w, Height: h}
			busy(t, size).press("down d").text(size, false)
		}
	}
}

// Whoever drains is asked before, and only y is a yes.
func TestDrain(t *testing.T) {
	size := top.Size{Width: 100, Height: 24}
	const first, group = "198.51.100.1:80", "group SECURE tcp"
	for _, c := range []struct {
		keys string
		want string
	}{
		{"down d y", fmt.Sprint([]top.Action{top.Order{Drain: true, Server: first, Service: "tcp 192.0.2.1:80"}})},
		{"down d a", fmt.Sprint([]top.Action{top.Order{Drain: true, Server: first}})},
		{"down d n", "[]"},
		{"down d enter", "[]"},
		{"down d esc", "[]"},
		{"down d d", "[]"},
		{"down d q", "[]"},
		{"down u y", "[]"},      // it does not drain
		{"d y", "[]"},           // a service
		{"down down d y", "[]"}, // it drains
		{"end d a", "[]"},       // only one service has it
		{"down down down d q y", "[]"},
		{"end up up d y", fmt.Sprint([]top.Action{top.Order{Drain: true, Server: first, Service: group}})},
		{"down down u y", fmt.Sprint([]top.Action{top.Order{Server: "198.51.100.2:80"}})},
		{"d q", fmt.Sprint([]top.Action{top.Quit{}})},
		{"d ctrl+c", fmt.Sprint([]top.Action{top.Quit{}})},
		{"/ q d enter", "[]"},
		{"/ ctrl+c", fmt.Sprint([]top.Action{top.Quit{}})},
	} {
		v := busy(t, size)
		v.actions = nil
		if v.press(c.keys); fmt.Sprint(append([]top.Action{}, v.actions...)) != c.want {
			t.Errorf("%s: %v, want %s\n%s", c.keys, v.actions, c.want, v.text(size, false))
		}
	}
	v := busy(t, size)
	v.actions = nil
	v.press("down d y").send(top.Told{Err: errors.New("it is gone")})
	if text := v.text(size, true); len(v.actions) != 2 || v.actions[1] != (top.Refresh{}) || !strings.Contains(text, "#it is gone") {
		t.Errorf("%v\n%s", v.actions, text)
	}
}

// The cursor stays on what it is on while rows change their order, come and go.
func TestCursor(t *testing.T) {
	size := top.Size{Width: 100, Height: 24}
	selected := func(v *view) string {
		for l := range strings.Lines(v.text(size, false)) {
			if text, found := strings.CutSuffix(l, " <\n"); found {
				return strings.Fields(text)[0]
			}
		}
		return ""
	}
	v := busy(t, size)
	v.press("down down")
	for _, keys := range []string{"", "s s s", "r", "/ 1 9 8 enter", "esc"} {
		if got := selected(v.press(keys)); got != "198.51.100.2:80" {
			t.Errorf("after %q it is on %s", keys, got)
		}
	}
	s := web(noon.Add(4*time.Second), 4000)
	s.Services[0].Servers = s.Services[0].Servers[:1]
	if got := selected(v.send(top.Read{Snapshot: s})); got == "" || got == "198.51.100.2:80" {
		t.Errorf("when it has gone it is on %q", got)
	}
	v = busy(t, size).press("end v") // without servers it is on their service
	if text := v.text(size, false); !strings.Contains(text, "0/1") || strings.Index(text, " <") < strings.Index(text, "192.0.2.3:25") {
		t.Error(text)
	}
}

// A pause keeps what is seen, and the end of it asks anew.
func TestPause(t *testing.T) {
	size := top.Size{Width: 100, Height: 24}
	v := busy(t, size).press("p")
	before := v.text(size, false)
	if after := v.send(top.Read{Snapshot: web(noon.Add(time.Hour), 9999)}).text(size, false); after != before || !strings.Contains(after, "paused") {
		t.Errorf("while it is paused:\n%s", after)
	}
	v.actions = nil
	if v.press("p"); len(v.actions) != 1 || v.actions[0] != (top.Refresh{}) {
		t.Errorf("at the end: %v", v.actions)
	}
}

// Ten thousand services, and nothing that needs more than their number of steps twice: this ends.
func TestManyServices(t *testing.T) {
	size := top.Size{Width: 100, Height: 24}
	s := &status.Snapshot{At: noon, Services: make([]status.Service, 10_000)}
	for i := range s.Services {
		s.Services[i] = status.Service{Key: ipvs.FWMarkKey(uint32(i+1), ipvs.FamilyOf(addr("192.0.2.1:80").Addr())), Servers: []status.Server{server("198.51.100.1:80"), server("198.51.100.2:80")}}
	}
	v := (&view{t: t}).send(size, top.Read{Snapshot: s}).press("end s s up / 9 9 9 9 enter")
	if text := v.text(size, false); !strings.Contains(text, "9999") {
		t.Error(text)
	}
}
