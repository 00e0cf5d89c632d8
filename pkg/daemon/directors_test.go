package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/admin/exchange"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// wires lead to the houses that can be reached, by the address of a peer.
var wires sync.Map

// wired is a director that is reached by a wire.
func wired(p exchange.Party) exchange.Director { return wire(p.Address) }

type wire string

func (w wire) Exchange(ctx context.Context, m admin.Message) (*admin.Message, error) {
	h, plugged := wires.Load(string(w))
	if !plugged {
		return nil, errors.New("connection refused")
	}
	m.From = "token peer"
	answer, err := h.(*house).Exchange(ctx, over(m))
	if err != nil {
		return nil, err
	}
	back := over(*answer)
	return &back, nil
}

// over is what is left of a message on its way.
func over(m admin.Message) (after admin.Message) {
	text, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(text, &after)
	}
	if err != nil {
		panic(err)
	}
	after.From = m.From
	return after
}

// knowing is the configuration of a director that knows another one, which is reached at this address.
func knowing(address string) string {
	return fmt.Sprintf("[global_defs.peers.other]\naddress = %q\ntoken_file = \"/nowhere\"\n", address) + web
}

// Scenario 23 of the peers: what is wanted on one director is wanted on the other one at once, and after either was away.
func TestScenario23Directors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const at1, at2 = "one.example.org:9443", "two.example.org:9443"
		defer wires.Clear()
		one := start(t, new(ipvstest.Kernel), t.TempDir(), knowing(at2))
		wires.Store(at1, one)
		one.pass(time.Second)
		s := one.ordered(control.Order{Verb: control.Drain, Server: first.String(), Reason: "new kernel", Expires: time.Hour})
		if len(s.Directors) != 1 || s.Directors[0].InStep || s.Directors[0].Error != "connection refused" || s.Directors[0].FailingSince.IsZero() {
			t.Errorf("%+v", s.Directors)
		}

		two := start(t, new(ipvstest.Kernel), t.TempDir(), knowing(at1))
		wires.Store(at2, two)
		two.wantWeights("from the first moment", "1:0")
		two.pass(time.Second)
		two.wantWeights("as on the other one", "1:0 2:1 3:1")
		synctest.Wait()
		if !strings.Contains(two.log.String(), `msg="a server is wanted otherwise" server=198.51.100.1:80 service=all owner=alice reason="new kernel" director=other`) {
			t.Error(two.log)
		}

		s = two.ordered(control.Order{Verb: control.Disable, Server: second.String(), Reason: "disk"})
		if len(s.Directors) != 1 || !s.Directors[0].InStep {
			t.Errorf("%+v", s.Directors)
		}
		one.pass(100 * time.Millisecond)
		one.wantWeights("disabled over there", "1:0 3:1")
		if w := one.wished(); !slices.Equal(w, []string{"198.51.100.1:80 drain alice new kernel", "198.51.100.2:80 disable alice disk"}) {
			t.Errorf("%q", w)
		}
		one.ordered(control.Order{Verb: control.Undrain, Server: first.String()})
		two.pass(100 * time.Millisecond)
		two.wantWeights("undrained over there", "1:1 3:1")

		// One is away, and has the disk of before when it is back.
		one.kill()
		wires.Delete(at1)
		two.ordered(control.Order{Verb: control.Enable, Server: second.String()})
		two.ordered(control.Order{Verb: control.Drain, Server: third.String(), Deadline: time.Minute})
		two.pass(30 * time.Second)
		one = one.again()
		wires.Store(at1, one)
		one.pass(time.Second)
		one.wantWeights("back again", "1:1 2:1 3:0")
		one.pass(30 * time.Second)
		for _, h := range []*house{one, two} {
			h.wantWeights("at the deadline", "1:1 2:1")
			if w := h.wished(); !slices.Equal(w, []string{"198.51.100.3:80 drain alice "}) {
				t.Errorf("%q", w)
			}
			var text strings.Builder
			if s, err := h.Wishes(t.Context()); err != nil || s.Text(&text, status.Style{}) != nil || !strings.HasPrefix(text.String(), "director other has the same wishes\n") {
				t.Errorf("%v: %s", err, text.String())
			}
		}
		one.stop()
		two.stop()
	})
}

// A deadline that comes while the table can't be read cuts connections that nobody has counted, and nobody says that there were none.
func TestUncounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.connections(first, 2, 0)
		h.ordered(control.Order{Verb: control.Drain, Server: first.String(), Deadline: time.Minute})
		h.pass(time.Minute - 100*time.Millisecond)
		for range 5 {
			h.kernel.FailSnapshot(errors.New("no answer"))
		}
		h.pass(time.Minute)
		h.wantWeights("at the deadline", "2:1 3:1")
		for range 2 {
			var text strings.Builder
			s, err := h.Wishes(t.Context())
			if err != nil || len(s.Wishes) != 1 || !s.Wishes[0].Ended || !s.Wishes[0].Uncounted || s.Text(&text, status.Style{}) != nil {
				t.Errorf("%v, %+v", err, s)
			}
			if !strings.Contains(text.String(), "disabled at its deadline, connections cut: nobody has counted them") {
				t.Error(text.String())
			}
			h.kill()
			h = h.again()
		}
		h.stop()
	})
}

// wished says what is wanted, in a word or two.
func (h *house) wished() (list []string) {
	h.t.Helper()
	s, err := h.Wishes(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range s.Wishes {
		w := &s.Wishes[i]
		list = append(list, strings.Join([]string{w.Server.String(), w.What.String(), w.Owner, w.Reason}, " "))
	}
	return list
}

// What another director says and can't be is refused as a whole, and told to it.
func TestExchangeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		var list []admin.Wish
		for n := range admin.MaxWishes {
			list = append(list, admin.Wish{Server: admin.Server{AddrPort: third}, Service: fmt.Sprint(n), What: admin.Drain, Since: time.Now()})
		}
		s := admin.State{}.Set(list...)
		h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		if _, err := h.Exchange(t.Context(), admin.Message{State: &s}); err == nil || !strings.Contains(err.Error(), "100000 are the most") {
			t.Errorf("%v", err)
		}
		if w := h.wished(); len(w) != 1 {
			t.Errorf("%q", w)
		}
		// Whoever has the same is not told it again.
		m, err := h.Wanted(t.Context())
		if err != nil || m.State == nil {
			t.Fatalf("%v, %+v", err, m)
		}
		if answer, err := h.Exchange(t.Context(), m); err != nil || answer.State != nil || answer.Digest != m.Digest {
			t.Errorf("%v, %+v", err, answer)
		}
		if answer, err := h.Exchange(t.Context(), admin.Message{}); err != nil || answer.State == nil || len(answer.State.All()) != 1 {
			t.Errorf("%v, %+v", err, answer)
		}
		h.stop()
	})
}

// Where another director says that nothing can come after a wish, who orders otherwise is told; all else can be ordered.
func TestLastWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		m := admin.Message{State: new(admin.State)}
		text := fmt.Sprintf(`{"version": 1, "wishes": [{"server": %q, "what": "drain", "since": "2026-11-22T12:00:00Z", "version": %d}]}`, first, 1<<62+1<<50)
		if err := json.Unmarshal([]byte(text), m.State); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Exchange(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{control.Undrain, control.Disable} {
			if _, err := h.Order(t.Context(), control.Order{Verb: verb, Server: first.String()}); err == nil || !strings.Contains(err.Error(), "nothing can replace it") {
				t.Errorf("%s: %v", verb, err)
			}
		}
		h.ordered(control.Order{Verb: control.Drain, Server: third.String()})
		h.kill()
		h = h.again()
		if w := h.wished(); len(w) != 2 {
			t.Errorf("after a restart: %q", w)
		}
		h.stop()
	})
}

// A director with a new disk learns of what is over that it is. Nobody is told again: it may have been weeks ago.
func TestOverBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "[global_defs]\nrouter_id = \"lb1\"\nsmtp_server = \"localhost\"\nnotification_email = \"ops@example.org\"\nsmtp_alert = true\n" + web
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Second)
		h.heard.mu.Lock()
		h.heard.list = nil
		h.heard.mu.Unlock()
		wish := func(at netip.AddrPort, since time.Duration, expires time.Duration) admin.Wish {
			w := admin.Wish{Server: admin.Server{AddrPort: at}, What: admin.Drain, Owner: "alice", Since: time.Now().Add(since)}
			if expires != 0 {
				w.Expires = time.Now().Add(expires)
			}
			return w
		}
		ended := wish(first, -2*time.Hour, 0)
		s, _ := admin.State{}.Set(ended, wish(second, -2*time.Hour, -time.Hour)).Clear("bob", time.Now().Add(-time.Hour), ended.Key())
		m, err := s.Set(wish(third, -time.Second, time.Hour)).Message(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := h.Exchange(t.Context(), m)
		if err != nil || answer.Digest != m.Digest || len(answer.Taken) != 1 || answer.Taken[0].Server.AddrPort != third {
			t.Errorf("%v, %+v", err, answer)
		}
		h.pass(time.Minute)
		h.wantHeard("of what was over")
		if log := h.log.String(); strings.Contains(log, "a wish is over") || strings.Count(log, "a server is wanted otherwise") != 1 {
			t.Error(log)
		}
		h.stop()
	})
}
