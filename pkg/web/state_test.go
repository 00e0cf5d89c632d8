package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// A browser gets all services first, and then those that have changed.
func TestChangesOnly(t *testing.T) {
	synctest.Test(t, testChangesOnly)
}

func testChangesOnly(t *testing.T) {
	d := newDirector("lb1", many(t, 3, 2)...)
	teller := newTeller(d)
	// next returns what has changed since.
	next := func(since string) State {
		t.Helper()
		time.Sleep(2 * time.Second)
		s, err := teller.tell(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := next("")
	want := []string{"tcp 192.0.2.1:80", "tcp 192.0.2.2:80", "tcp 192.0.2.3:80"}
	if !first.Whole || !reflect.DeepEqual(first.Order, want) || !reflect.DeepEqual(first.keys(t), want) {
		t.Fatalf("%+v", first)
	}
	same := next(first.Position)
	if same.Whole || same.Order != nil || len(same.Services) != 0 {
		t.Errorf("nothing has changed: %+v", same)
	}
	d.change(func(s *status.Snapshot) { fail(&s.Services[1].Servers[0], "connection refused", s.At) })
	if s := next(same.Position); !reflect.DeepEqual(s.keys(t), want[1:2]) || s.Order != nil || s.Here.Down != 1 {
		t.Errorf("a server is down: %+v", s)
	}
	if s := next(first.Position); !reflect.DeepEqual(s.keys(t), want[1:2]) {
		t.Errorf("since the first position: %v", s.keys(t))
	}
	d.change(func(s *status.Snapshot) { s.Services = s.Services[1:] })
	s := next(first.Position)
	if !reflect.DeepEqual(s.Order, want[1:]) || !reflect.DeepEqual(s.keys(t), want[1:2]) {
		t.Errorf("a service is gone: %v, %v", s.Order, s.keys(t))
	}
	for _, since := range []string{"another-1", "1", "-", first.Position + "9999"} {
		if s := next(since); !s.Whole || len(s.Services) != 2 {
			t.Errorf("since %q: %+v", since, s)
		}
	}
}

// Many browsers cost the daemon one question a second.
func TestOneQuestionForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector("lb1", many(t, 2, 2)...)
		teller := newTeller(d)
		for range 10 {
			if _, err := teller.tell(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		}
		if d.tick != 1 {
			t.Errorf("%d questions", d.tick)
		}
		time.Sleep(fresh)
		if _, err := teller.tell(t.Context(), ""); err != nil || d.tick != 2 {
			t.Errorf("%v, %d questions after a second", err, d.tick)
		}
	})
}

// The other director's state stands beside this one's; one that does not answer delays nothing, and its last answer counts no more.
func TestOtherDirector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := newDirector("lb1", many(t, 3, 2)...), newDirector("lb2", many(t, 2, 2)...)
		there.change(func(s *status.Snapshot) { fail(&s.Services[0].Servers[1], "no answer within 3s", s.At) })
		here.peers = []Peer{{"LB2", there.Status}}
		teller := newTeller(here)
		look := func() State {
			t.Helper()
			synctest.Wait()
			time.Sleep(2 * time.Second)
			s, err := teller.tell(t.Context(), "")
			if err != nil || len(s.Peers) != 1 {
				t.Fatalf("%v: %+v", err, s.Peers)
			}
			return s
		}
		if n := look().Peers[0]; n.Asked || n.There != nil {
			t.Errorf("at first: %+v", n)
		}
		s := look()
		n := s.Peers[0]
		// One server is down there, and the two of the last service are absent.
		if !n.Asked || n.Error != "" || n.Differ != 3 || n.There == nil || n.There.Name != "lb2" || n.There.Down != 1 {
			t.Errorf("then: %+v", n)
		}
		var v service
		if err := json.Unmarshal(s.Services[0], &v); err != nil {
			t.Fatal(err)
		}
		if v.Peers["LB2"] != (seen{1, 2}) || !reflect.DeepEqual(v.Servers[1].Elsewhere, []string{"LB2: down"}) || len(v.Servers[0].Elsewhere) != 0 {
			t.Errorf("its view of a service: %+v", v)
		}

		there.mu.Lock()
		there.err = errors.New("connection refused")
		there.mu.Unlock()
		look()
		if n := look().Peers[0]; n.Error != "connection refused" || n.There != nil || n.Read == 0 {
			t.Errorf("when it is gone: %+v", n)
		}
	})
}

// What an operator wants is shown with how far it is.
func TestWishes(t *testing.T) {
	d := newDirector("lb1", many(t, 2, 2)...)
	v := visit(t, serve(t, d, nil, false).url)
	v.login(operateToken)
	v.gets(http.StatusOK, "POST", "/v1/wishes", `{"verb": "drain", "server": "10.0.0.1:80", "service": "tcp 192.0.2.1:80", "deadline": 600000000000, "reason": "new kernel"}`)
	s := v.state("")
	if len(s.Wishes) != 1 {
		t.Fatalf("%+v", s.Wishes)
	}
	w := s.Wishes[0]
	if w.State != "draining" || w.Open == 0 || w.Reason != "new kernel" || w.Owner != "token night-shift" || w.Deadline-w.Since != 600_000 {
		t.Errorf("%+v", w)
	}
	if s.Here.Drained != 1 || len(s.Events) != 1 || s.Events[0].Kind != "wish" {
		t.Errorf("%+v, events %+v", s.Here, s.Events)
	}
	v.gets(http.StatusOK, "POST", "/v1/wishes", `{"verb": "enable", "server": "10.0.0.1:80", "service": "tcp 192.0.2.1:80"}`)
	lab.WaitFor(t, time.Minute, "the drain to be over", func() error {
		if s := v.state(""); len(s.Wishes) != 0 || s.Here.Drained != 0 {
			return fmt.Errorf("%+v", s.Wishes)
		}
		return nil
	})
	if orders := d.ordered(); len(orders) != 2 || orders[0].Deadline != 10*time.Minute || orders[1].Verb != control.Enable {
		t.Errorf("orders %+v", orders)
	}
}

// When the daemon can't tell, the page says why.
func TestNoAnswer(t *testing.T) {
	d := newDirector("lb1")
	d.err = errors.New("the daemon is stopping")
	v := visit(t, serve(t, d, nil, true).url)
	if text := v.gets(http.StatusServiceUnavailable, "GET", "/page/state", ""); text != "the daemon is stopping\n" {
		t.Errorf("%q", text)
	}
}

// Begun sessions end the oldest ones when there are too many.
func TestTooManySessions(t *testing.T) {
	var p Page
	s := &p.sessions
	now := time.Now()
	cookies := make([]string, maxSessions+5)
	for i := range cookies {
		cookies[i] = s.begin(readToken, now.Add(time.Duration(i)*time.Millisecond))
	}
	for i, want := range map[int]bool{0: false, 4: false, 5: true, maxSessions + 4: true} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: cookie, Value: cookies[i]})
		if secret := p.Secret(r); (secret == readToken) != want {
			t.Errorf("session %d: %q", i, secret)
		}
	}
	if len(s.open) != maxSessions {
		t.Errorf("%d sessions", len(s.open))
	}
	s.begin(readToken, now.Add(lasts+time.Minute))
	if len(s.open) != 1 {
		t.Errorf("%d sessions after they have ended", len(s.open))
	}
}

// What is wrong with a director as a whole is told, in words.
func TestProblems(t *testing.T) {
	d := newDirector("lb1")
	d.whole.Config = status.Config{Rejected: "line 4: no", Pending: &status.Pending{Revision: 7, Back: 6, Left: time.Minute}}
	d.whole.Table = status.Table{Error: "no module", Record: "disk full", Refused: []status.Refused{{Reason: "no scheduler mh"}}}
	d.whole.WishesRecord, d.whole.VRRP = "disk full, too", &status.VRRP{Error: "no socket"}
	s, err := newTeller(d).tell(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range s.Here.Problems {
		list = append(list, p.Text)
	}
	want := []string{
		"no module", "line 4: no", "configuration 7 waits for its confirmation, for 1m0s more; without it, configuration 6 returns", "no scheduler mh", "disk full",
		"disk full, too", "no socket",
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("%q, want %q", list, want)
	}
}

// What another director has alone, and a server that is its service's sorry server, too, are compared for what they are.
func TestCompare(t *testing.T) {
	one, two := many(t, 1, 2), many(t, 3, 2)
	for _, list := range [][]status.Service{one, two} {
		again := list[0].Servers[0]
		again.Sorry = true
		list[0].Servers = append(list[0].Servers, again)
	}
	here, there := &status.Snapshot{Services: one}, &status.Snapshot{Services: two}
	services := servicesOf(here)
	if n := compare(services, "lb2", there); n != 4 {
		t.Errorf("%d servers differ; the other director has 4 more", n)
	}
	for _, r := range services[0].Servers {
		if len(r.Elsewhere) != 0 {
			t.Errorf("%s: %v", r.Address, r.Elsewhere)
		}
	}
	if n := compare(servicesOf(there), "lb1", here); n != 4 {
		t.Errorf("%d servers differ; the other director lacks 4", n)
	}
}
