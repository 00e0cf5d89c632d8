package daemon

import (
	"context"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// A wish for a service that left the configuration can be ended.
func TestWishAboutAServiceThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		drain := control.Order{Verb: control.Drain, Server: first.String(), Service: "tcp 192.0.2.1:80"}
		h.ordered(drain)
		h.write(strings.ReplaceAll(web, "192.0.2.1:80", "192.0.2.2:80"))
		h.reloaded()
		_, err := h.Order(t.Context(), drain)
		if err == nil || !strings.Contains(err.Error(), "there is no service") {
			t.Error(err)
		}
		h.ordered(control.Order{Verb: control.Undrain, Server: first.String(), Service: drain.Service})
		if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) > 0 {
			t.Errorf("%v: %+v", err, s)
		}
		h.stop()
	})
}

// Who ends a wish is told of those that still hold, and who drains a server that was disabled, that it was.
func TestOtherWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		const service = "tcp 192.0.2.1:80"
		n := int32(3)
		for _, tt := range []struct {
			order control.Order
			want  string
		}{
			{control.Order{Verb: control.Disable, Server: first.String(), Reason: "disk"}, ""},
			{control.Order{Verb: control.Drain, Server: first.String()}, "198.51.100.1:80 was disabled by alice (disk), and is in the table again to drain"},
			{control.Order{Verb: control.Drain, Server: first.String()}, ""},
			{control.Order{Verb: control.Disable, Server: "198.51.100.1", Service: service}, ""},
			{control.Order{Verb: control.Undrain, Server: first.String()},
				`198.51.100.1 still is disabled for tcp 192.0.2.1:80 by alice: ipvsctl enable 198.51.100.1 --service "tcp 192.0.2.1:80" would end that`},
			{control.Order{Verb: control.Enable, Server: "198.51.100.1", Service: service}, ""},
			{control.Order{Verb: control.Drain, Server: "198.51.100.1"}, ""},
			{control.Order{Verb: control.Weight, Server: first.String(), Weight: &n}, ""},
			{control.Order{Verb: control.Weight, Server: "198.51.100.1", Weight: &n}, ""},
			{control.Order{Verb: control.Weight, Server: first.String()},
				"198.51.100.1 still has weight 3 by alice: ipvsctl weight 198.51.100.1 configured would end that"},
			{control.Order{Verb: control.Undrain, Server: "198.51.100.1"}, ""},
		} {
			if got := strings.Join(h.ordered(tt.order).Warnings, "; "); got != tt.want {
				t.Errorf("%+v: %q, want %q", tt.order, got, tt.want)
			}
		}
		h.stop()
	})
}

// A kernel that refuses the change has not drained anything, and who asked for it is told.
func TestRefusedDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		h := start(t, k, t.TempDir(), web)
		h.pass(time.Second)
		k.Refuse(func(ipvs.Command) ipvs.Errno { return ipvs.Errno(syscall.EPERM) })
		s := h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "it will be tried again") || s.Wishes[0].State() != "draining" {
			t.Errorf("%s: %+v", s.Wishes[0].State(), s)
		}
		k.Refuse(nil)
		h.pass(time.Minute)
		if s, err := h.Wishes(t.Context()); err != nil || s.Wishes[0].State() != "drained" {
			t.Errorf("%v: %+v", err, s)
		}
		h.stop()
	})
}

// More wishes than can be read again are not taken: the start would forget all of them.
func TestTooManyWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		many := make([]admin.Wish, admin.MaxWishes)
		for i := range many {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)
			many[i] = admin.Wish{Server: admin.Server{AddrPort: at}, What: admin.Disable, Since: time.Now()}
		}
		if _, err := ask(t.Context(), h.owner, func(context.Context) any {
			h.wishes = admin.State{}.Set(many...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s, err := h.Order(t.Context(), control.Order{Verb: control.Drain, Server: first.String()})
		if err == nil || !strings.HasPrefix(err.Error(), "that would be 100001 wishes, and 100000 are the most") {
			t.Errorf("%v: %+v", err, s)
		}
		h.wantWeights("refused", "1:1 2:1 3:1")
		h.stop()
	})
}

// An order holds, and is known to the other directors at once, while the kernel's table can't be read: who gave it is told that, and that nobody
// knows how far it is.
func TestOrderWhileTheTableCanNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const at1, at2 = "one.example.org:9443", "two.example.org:9443"
		defer wires.Clear()
		k := new(ipvstest.Kernel)
		one, two := start(t, k, t.TempDir(), knowing(at2)), start(t, new(ipvstest.Kernel), t.TempDir(), knowing(at1))
		wires.Store(at1, one)
		wires.Store(at2, two)
		one.pass(30 * time.Second)
		for range 4 {
			k.FailSnapshot(syscall.ENOBUFS)
		}
		s := one.ordered(control.Order{Verb: control.Drain, Server: first.String(), Reason: "disk"})
		text := strings.Join(s.Warnings, "; ")
		if len(s.Wishes) != 1 || s.Wishes[0].Reason != "disk" || !strings.Contains(text, "it holds, but how far it is nobody knows: the kernel's table can't be read: ") {
			t.Errorf("%q: %+v", text, s.Wishes)
		}
		if len(s.Directors) != 1 || !s.Directors[0].InStep {
			t.Errorf("%+v", s.Directors)
		}
		two.pass(time.Second)
		two.wantWeights("drained over there", "1:0 2:1 3:1")
		one.pass(2 * time.Minute)
		one.wantWeights("when it can be read", "1:0 2:1 3:1")
		one.stop()
		two.stop()
	})
}
