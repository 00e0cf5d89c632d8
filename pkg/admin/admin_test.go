package admin_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const web, mail = "tcp 192.0.2.1:80", "tcp 192.0.2.1:25"

var one = netip.MustParseAddrPort("198.51.100.1:80")

func server(t testing.TB, text string) admin.Server {
	t.Helper()
	s, err := admin.ParseServer(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wish(t testing.TB, at, service string, what admin.What) admin.Wish {
	return admin.Wish{Server: server(t, at), Service: service, What: what, Owner: "root", Since: noon}
}

func TestParseServer(t *testing.T) {
	for text, want := range map[string]string{
		"198.51.100.1": "198.51.100.1", "198.51.100.1:80": "198.51.100.1:80", "198.51.100.1:0": "198.51.100.1",
		"2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:80": "[2001:db8::1]:80", "::ffff:198.51.100.1": "198.51.100.1",
	} {
		if got := server(t, text).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "web1", "198.51.100.1:", "198.51.100.1:http", "[198.51.100.1", "1.2.3.4:70000",
		"fe80::1%eth0", "[fe80::1%\x1b[2J]:80"} {
		if s, err := admin.ParseServer(text); err == nil {
			t.Errorf("%q: %s", text, s)
		}
	}
}

// The strictest wish counts, and the most specific weight.
func TestOn(t *testing.T) {
	weight := func(at, service string, n int32) admin.Wish {
		w := wish(t, at, service, admin.Weight)
		w.Weight = n
		return w
	}
	drain := func(at, service string) admin.Wish { return wish(t, at, service, admin.Drain) }
	disable := func(at, service string) admin.Wish { return wish(t, at, service, admin.Disable) }
	for _, tt := range []struct {
		name   string
		wishes []admin.Wish
		want   admin.Effect
	}{
		{"nothing", nil, admin.Effect{}},
		{"the server", []admin.Wish{drain("198.51.100.1:80", "")}, admin.Effect{Mode: admin.Drains}},
		{"its address", []admin.Wish{drain("198.51.100.1", "")}, admin.Effect{Mode: admin.Drains}},
		{"of this service", []admin.Wish{drain("198.51.100.1", web)}, admin.Effect{Mode: admin.Drains}},
		{"of another service", []admin.Wish{drain("198.51.100.1", mail)}, admin.Effect{}},
		{"of another port", []admin.Wish{drain("198.51.100.1:81", "")}, admin.Effect{}},
		{"another server", []admin.Wish{drain("198.51.100.2", "")}, admin.Effect{}},
		{"the strictest", []admin.Wish{drain("198.51.100.1:80", web), disable("198.51.100.1", "")}, admin.Effect{Mode: admin.Disabled}},
		{"the newer", []admin.Wish{disable("198.51.100.1", ""), drain("198.51.100.1", "")}, admin.Effect{Mode: admin.Drains}},
		{"weight", []admin.Wish{weight("198.51.100.1", "", 7)}, admin.Effect{Weighted: true, Weight: 7}},
		{"the specific weight", []admin.Wish{weight("198.51.100.1:80", "", 7), weight("198.51.100.1", web, 3)}, admin.Effect{Weighted: true, Weight: 3}},
		{"a drain and a weight", []admin.Wish{drain("198.51.100.1", ""), weight("198.51.100.1", "", 7)}, admin.Effect{Mode: admin.Drains, Weighted: true, Weight: 7}},
	} {
		var s admin.State
		for _, w := range tt.wishes {
			s = s.Set(w)
		}
		if got := s.On(one, web, noon); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		modes := 0
		for _, w := range s.Of(one, web, noon) {
			if w.What != admin.Weight {
				modes++
			}
		}
		if got := modes > 0; got != (tt.want.Mode != admin.Serves) {
			t.Errorf("%s: %d wishes", tt.name, modes)
		}
	}
}

func TestTime(t *testing.T) {
	w := wish(t, "198.51.100.1", "", admin.Drain)
	w.Deadline, w.Expires = noon.Add(10*time.Minute), noon.Add(time.Hour)
	s := admin.State{}.Set(w)
	for _, tt := range []struct {
		at   time.Duration
		want admin.Effect
	}{
		{0, admin.Effect{Mode: admin.Drains, Until: w.Deadline}}, {10*time.Minute - 1, admin.Effect{Mode: admin.Drains, Until: w.Deadline}},
		{10 * time.Minute, admin.Effect{Mode: admin.Disabled, Until: w.Expires}}, {time.Hour - 1, admin.Effect{Mode: admin.Disabled, Until: w.Expires}},
		{time.Hour, admin.Effect{Returned: w.Expires}}, {2 * time.Hour, admin.Effect{Returned: w.Expires}},
	} {
		if got := s.On(one, web, noon.Add(tt.at)); got != tt.want {
			t.Errorf("after %v: %+v, want %+v", tt.at, got, tt.want)
		}
	}
	step := func(after time.Duration, expired, ended int, next time.Time) {
		t.Helper()
		var a, b []admin.Wish
		if s, a, b = s.Step(noon.Add(after)); len(a) != expired || len(b) != ended || !s.Deadline().Equal(next) {
			t.Errorf("after %v: %d expired, %d ended, next %v; want %d, %d, %v", after, len(a), len(b), s.Deadline(), expired, ended, next)
		}
	}
	step(10*time.Minute-1, 0, 0, w.Deadline)
	step(10*time.Minute, 0, 1, w.Expires)
	step(11*time.Minute, 0, 0, w.Expires)
	s = s.HasCut([]admin.Wish{w}, map[admin.Key]int{w.Key(): 3})
	if got, _ := s.Find(w.Key()); got.Cut != 3 || !got.Ended {
		t.Errorf("%+v", got)
	}
	step(time.Hour, 1, 0, time.Time{})
	if len(s.All()) != 0 {
		t.Errorf("%+v", s.All())
	}
	// It is remembered for longer than a director is away that has it still in force.
	before := s
	step(24*time.Hour, 0, 0, time.Time{})
	if !reflect.DeepEqual(s, before) {
		t.Error("forgotten after a day")
	}
	step(60*24*time.Hour, 0, 0, time.Time{})
	if text, err := json.Marshal(s); err != nil || strings.Contains(string(text), "198") {
		t.Errorf("%s, %v", text, err)
	}
}

// What was cleared long ago is forgotten also where nothing ever has a deadline.
func TestForget(t *testing.T) {
	w := wish(t, "198.51.100.1", "", admin.Drain)
	s, _ := admin.State{}.Set(w).Clear("root", noon, w.Key())
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{24 * time.Hour, 2}, {60 * 24 * time.Hour, 1}} {
		v := wish(t, "198.51.100.2", "", admin.Drain)
		v.Since = noon.Add(tt.after)
		if n := s.Set(v).Len(); n != tt.want {
			t.Errorf("after %v: %d, want %d", tt.after, n, tt.want)
		}
	}
}

func TestClear(t *testing.T) {
	s := admin.State{}.Set(wish(t, "198.51.100.1", "", admin.Drain))
	old := s
	key := admin.Key{Server: server(t, "198.51.100.1")}
	s, were := s.Clear("admin", noon.Add(-time.Hour), key, admin.Key{}) // the clock went back
	if len(were) != 1 || were[0].What != admin.Drain || were[0].Owner != "root" || len(s.All()) != 0 {
		t.Errorf("%+v, %+v", were, s.All())
	}
	if _, were := s.Clear("admin", noon, key); len(were) > 0 {
		t.Error("it was cleared twice")
	}
	if s, changed := merged(t, s, old); len(changed) != 0 || len(s.All()) != 0 {
		t.Errorf("the older one is back: %+v", s.All())
	}
	if _, changed := merged(t, old, s); len(changed) != 1 || !changed[0].Cleared {
		t.Errorf("the other one does not learn of it: %+v", changed)
	}
	if len(old.All()) != 1 {
		t.Error("a state was changed")
	}
}

func TestJSON(t *testing.T) {
	w := wish(t, "198.51.100.1:80", web, admin.Drain)
	w.Reason, w.Deadline, w.Expires = "kernel update", noon.Add(time.Minute), noon.Add(time.Hour)
	v := wish(t, "2001:db8::1", "", admin.Weight)
	v.Weight = 7
	s := admin.State{}.Set(w).Set(v)
	s, _, _ = s.Step(w.Deadline)
	s = s.HasCut([]admin.Wish{w}, map[admin.Key]int{w.Key(): 2})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"wishes":[` +
		`{"server":"198.51.100.1:80","service":"tcp 192.0.2.1:80","what":"drain","owner":"root","reason":"kernel update","since":"2026-11-22T12:00:00Z",` +
		`"deadline":"2026-11-22T12:01:00Z","expires":"2026-11-22T13:00:00Z","version":1795348800000000000,"ended":true,"cut":2},` +
		`{"server":"2001:db8::1","what":"weight","weight":7,"owner":"root","since":"2026-11-22T12:00:00Z","version":1795348800000000001}]}`
	if string(text) != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	var back admin.State
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%v: %+v", err, back)
	}
	for name, bad := range map[string]string{
		"a later version": strings.Replace(want, `"version":1,`, `"version":2,`, 1), "an unknown field": strings.Replace(want, `"what"`, `"whatever"`, 1),
		"no server": `{"version":1,"wishes":[{"what":"drain","since":"2026-11-22T12:00:00Z","version":1}]}`,
		"no what":   strings.Replace(want, `"what":"drain",`, "", 1), "another what": strings.Replace(want, `"drain"`, `"drown"`, 1),
		"a time of no use": strings.Replace(want, `"since":"2026`, `"since":"9999`, 1), "expired for ever": strings.Replace(want, `00001}`, `00001,"expired":true}`, 1),
		"a negative weight": strings.Replace(want, `:7,`, `:-7,`, 1), "a colour": strings.Replace(want, "kernel update", `\u001b[31m`, 1),
		"no version": strings.Replace(want, `,"version":1795348800000000001`, "", 1), "the last version": strings.Replace(want, "1795348800000000001", "9223372036854775807", 1),
		"twice": strings.Replace(want, `[{`, `[{"server":"2001:db8::1","what":"weight","since":"2026-11-22T12:00:00Z","version":1},{`, 1),
		"cut":   want[:len(want)-2], "a long reason": strings.Replace(want, "kernel update", strings.Repeat("ä", 401), 1),
	} {
		if err := json.Unmarshal([]byte(bad), new(admin.State)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// What was read is written so that it is read as the same, and can be lived with.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"wishes":[{"server":"198.51.100.1:80","service":"tcp 192.0.2.1:80","what":"drain","since":"2026-11-22T12:00:00Z","deadline":"2026-11-22T12:01:00Z","version":1}]}`))
	f.Add([]byte(`{"version":1,"wishes":[{"server":"2001:db8::1","what":"weight","weight":7,"since":"2026-11-22T12:00:00Z","version":4611686018427387904,"cleared":true}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s admin.State
		if json.Unmarshal(text, &s) != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back admin.State
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, err := json.Marshal(back); err != nil || string(third) != string(again) {
			t.Fatalf("%s\n%s", again, third)
		}
		for _, w := range s.All() {
			if got, found := s.Set(w).Find(w.Key()); !found || got.Version <= w.Version {
				t.Fatalf("%+v is not newer than %+v", got, w)
			}
			s.On(w.Server.AddrPort, w.Service, noon)
			s.Of(w.Server.AddrPort, w.Service, noon)
		}
		s.Step(noon)
		if again, changed := merged(t, s, back); len(changed) > 0 {
			t.Fatalf("%+v differs from itself: %+v", again, changed)
		}
		// Who hears all of it has the same.
		other, _ := merged(t, admin.State{}, s)
		if digest(t, other) != digest(t, s) {
			t.Fatalf("%+v and %+v", other, s)
		}
		other.Anchored(noon).On(one, web, noon)
		// What comes after the last version can be read again.
		for _, w := range s.All() {
			after := s.Set(w)
			text, err := json.Marshal(after)
			if err == nil && w.Version < 1<<62+1<<49 {
				err = json.Unmarshal(text, new(admin.State))
			}
			if err != nil {
				t.Fatalf("after %+v: %v", w, err)
			}
		}
	})
}
