package admin_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
)

// merged is what a director has that hears of another one's wishes at noon.
func merged(t testing.TB, s, other admin.State) (admin.State, []admin.Wish) {
	t.Helper()
	next, changed, err := s.Merge(other, noon)
	if err != nil {
		t.Fatal(err)
	}
	return next, changed
}

func message(t testing.TB, s admin.State, now time.Time) admin.Message {
	t.Helper()
	m, err := s.Message(now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func digest(t testing.TB, s admin.State) string { return message(t, s, noon).Digest }

// Directors that hear of the same wishes in any order come to the same.
func TestMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var directors [3]admin.State
		var heard []admin.State
		for range 12 {
			i := r.IntN(len(directors))
			now := noon.Add(time.Duration(r.IntN(3)) * time.Nanosecond) // often the same
			w := wish(t, []string{"198.51.100.1", "198.51.100.2:80"}[r.IntN(2)], "", admin.What(1+r.IntN(3)))
			w.Since = now
			switch {
			case r.IntN(3) == 0:
				directors[i], _ = directors[i].Clear("root", now, w.Key())
			case w.What == admin.Weight:
				w.Weight = r.Int32N(3)
				directors[i] = directors[i].Set(w)
			default:
				if w.What == admin.Drain {
					w.Deadline = noon.Add(time.Duration(r.IntN(2)))
				}
				if r.IntN(2) == 0 {
					w.Expires = noon.Add(time.Duration(r.IntN(3)))
				}
				directors[i] = directors[i].Set(w)
			}
			if r.IntN(2) == 0 { // time passes here first
				directors[i], _, _ = directors[i].Step(now)
			}
			heard = append(heard, directors[i])
			if r.IntN(3) == 0 {
				j := r.IntN(len(directors))
				directors[j], _ = merged(t, directors[j], directors[i])
			}
		}
		for i := range directors {
			for _, n := range r.Perm(len(heard)) {
				directors[i], _ = merged(t, directors[i], heard[n])
			}
			if digest(t, directors[i]) != digest(t, directors[0]) {
				t.Fatalf("seed %d:\n%+v\n%+v", seed, directors[i], directors[0])
			}
			if i > 0 && !reflect.DeepEqual(message(t, directors[i], noon), message(t, directors[0], noon)) {
				t.Fatalf("seed %d: the same digest of\n%+v\n%+v", seed, directors[i], directors[0])
			}
		}
	}
}

// To merge is commutative, associative and idempotent, whatever others say: also with versions and times that no clock has.
func TestMergeLaws(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		pick := func(n int) int { return max(0, r.IntN(3*n)-2*n) } // most often 0: often they differ in one thing alone
		state := func() (s admin.State) {
			seen := make(map[admin.Key]bool)
			list := []admin.Wish{}
			for range 6 {
				w := wish(t, []string{"198.51.100.1", "198.51.100.1:80", "2001:db8::1"}[r.IntN(3)], []string{"", "tcp 192.0.2.1:80"}[r.IntN(2)], admin.What(1+r.IntN(3)))
				w.Version, w.Cleared = []int64{1, 2, noon.UnixNano(), 1<<62 + 1<<50}[pick(4)], pick(3) > 0
				w.Owner, w.Reason = []string{"", "root"}[pick(2)], []string{"", "disk"}[pick(2)]
				w.Since = noon.Add(time.Duration(pick(2))).In(time.FixedZone("", pick(2)*3600))
				switch w.What { //nolint:exhaustive // the others have no more
				case admin.Weight:
					w.Weight = r.Int32N(2)
				case admin.Drain:
					w.Deadline = []time.Time{{}, noon, noon.AddDate(6000, 0, 0)}[pick(3)]
				}
				w.Expires = []time.Time{{}, noon.Add(-time.Hour), noon, noon.AddDate(6000, 0, 0)}[pick(4)]
				w.Expired = !w.Expires.IsZero() && r.IntN(2) == 0
				if !seen[w.Key()] {
					seen[w.Key()], list = true, append(list, w)
				}
			}
			text, err := json.Marshal(map[string]any{"version": 1, "wishes": list})
			if err == nil {
				err = json.Unmarshal(text, &s)
			}
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		merge := func(a, b admin.State) admin.State {
			s, _ := merged(t, a, b)
			return s
		}
		// What none of them can have forgotten: they begin with nothing, and hear of it at noon.
		a, b, c := merge(admin.State{}, state()), merge(admin.State{}, state()), merge(admin.State{}, state())
		if digest(t, merge(a, b)) != digest(t, merge(b, a)) {
			t.Fatalf("seed %d: not commutative:\n%+v\n%+v", seed, a, b)
		}
		if digest(t, merge(merge(a, b), c)) != digest(t, merge(a, merge(b, c))) {
			t.Fatalf("seed %d: not associative:\n%+v\n%+v\n%+v", seed, a, b, c)
		}
		ab := merge(a, b)
		for _, s := range []admin.State{a, b, ab} {
			if again, changed := merged(t, ab, s); len(changed) > 0 || !reflect.DeepEqual(again, ab) {
				t.Fatalf("seed %d: not idempotent: %+v", seed, changed)
			}
		}
	}
}

// A director whose clock has run away ends wishes for itself alone.
func TestTimeIsEachOnesOwn(t *testing.T) {
	w := wish(t, "198.51.100.1", "", admin.Drain)
	w.Deadline, w.Expires = noon.Add(10*time.Minute), noon.Add(time.Hour)
	s := admin.State{}.Set(w)
	for _, ahead := range []time.Duration{20 * time.Minute, 24 * time.Hour} {
		wrong, expired, ended := s.Step(noon.Add(ahead))
		if len(expired)+len(ended) != 1 {
			t.Fatalf("%v ahead: %+v, %+v", ahead, expired, ended)
		}
		if digest(t, wrong) != digest(t, s) {
			t.Errorf("%v ahead: they seem to differ", ahead)
		}
		if after, changed := merged(t, s, wrong); len(changed) > 0 || !reflect.DeepEqual(after, s) {
			t.Errorf("%v ahead: the other one has %+v", ahead, changed)
		}
		if fresh, _ := merged(t, admin.State{}, wrong); !reflect.DeepEqual(fresh.All(), s.All()) {
			t.Errorf("%v ahead: one that knew nothing has %+v", ahead, fresh.All())
		}
		if after, changed := merged(t, wrong, s); len(changed) > 0 || !reflect.DeepEqual(after, wrong) {
			t.Errorf("%v ahead: it is told the same again: %+v", ahead, changed)
		}
	}
}

// What is done later counts as later, by whichever clock, once it is known what it is later than.
func TestUnequalClocks(t *testing.T) {
	w := wish(t, "198.51.100.1", "", admin.Drain)
	w.Since = noon.AddDate(50, 0, 0)
	ahead := admin.State{}.Set(w)
	right, _ := merged(t, admin.State{}, ahead)
	right, were := right.Clear("root", noon, w.Key())
	if len(were) != 1 {
		t.Fatal("there is nothing to clear")
	}
	if ahead, changed := merged(t, ahead, right); len(changed) != 1 || len(ahead.All()) != 0 {
		t.Errorf("%+v", ahead.All())
	}
	w.Since = noon.Add(time.Second)
	right = right.Set(w)
	if ahead, changed := merged(t, ahead, right); len(changed) != 1 || len(ahead.All()) != 1 {
		t.Errorf("%+v", ahead.All())
	}
	// Not even a clock at the end of time keeps others from it.
	w.Since = noon.AddDate(200, 0, 0)
	mad := admin.State{}.Set(w)
	w.Since = noon
	text, err := json.Marshal(mad.Set(w))
	if err == nil {
		err = json.Unmarshal(text, new(admin.State))
	}
	if err != nil {
		t.Error(err)
	}
}

// What one director has forgotten, and another one has not yet, does not come back, and makes no difference.
func TestForgottenByOne(t *testing.T) {
	v, w := wish(t, "198.51.100.1", "", admin.Drain), wish(t, "198.51.100.2", "", admin.Drain)
	w.Expires = noon.Add(time.Hour)
	s, _ := admin.State{}.Set(v, w).Clear("root", noon, v.Key())
	later := noon.Add(31 * 24 * time.Hour)
	forgot, _, _ := s.Step(later)
	if forgot.Len() != 0 {
		t.Fatalf("%+v", forgot)
	}
	if message(t, forgot, later).Digest != message(t, s, later).Digest {
		t.Error("they seem to differ")
	}
	if again, changed, err := forgot.Merge(s, later); err != nil || len(changed) > 0 || again.Len() > 0 {
		t.Errorf("%v: %+v", err, again)
	}
}

func TestTooManyTogether(t *testing.T) {
	var states [2]admin.State
	for i := range states {
		list := make([]admin.Wish, 0, admin.MaxWishes*2/3)
		for n := range cap(list) {
			w := wish(t, "198.51.100.1", "", admin.Drain)
			w.Service = string(rune('a'+i)) + time.Duration(n).String()
			list = append(list, w)
		}
		states[i] = states[i].Set(list...)
	}
	if s, _, err := states[0].Merge(states[1], noon); err == nil || s.Len() != states[0].Len() {
		t.Errorf("%d, %v", s.Len(), err)
	}
}

// Who was drained has returned when nothing keeps it from serving any more, and not before, by the clock of who ended it.
func TestReturned(t *testing.T) {
	drain, disable := wish(t, "198.51.100.1", "", admin.Drain), wish(t, "198.51.100.1:80", web, admin.Disable)
	disable.Expires = noon.Add(2 * time.Minute)
	weight := wish(t, "198.51.100.1:80", "", admin.Weight)
	s := admin.State{}.Set(drain, disable, weight)
	s, _ = s.Clear("root", noon.Add(time.Minute), drain.Key(), weight.Key())
	if e := s.On(one, web, noon.Add(time.Minute)); e.Mode != admin.Disabled || !e.Returned.IsZero() {
		t.Errorf("disabled: %+v", e)
	}
	if e := s.On(one, mail, noon.Add(time.Minute)); e.Mode != admin.Serves || !e.Returned.Equal(noon.Add(time.Minute)) {
		t.Errorf("of another service: %+v", e)
	}
	if e := s.On(one, mail, noon); !e.Returned.IsZero() {
		t.Errorf("by a clock that is behind: %+v", e)
	}
	after, _, _ := s.Step(noon.Add(3 * time.Minute))
	if e := after.On(one, web, noon.Add(3*time.Minute)); e.Mode != admin.Serves || !e.Returned.Equal(disable.Expires) {
		t.Errorf("of the service: %+v", e)
	}
}

// A wish of the disk or of another director holds for as long as it has left, also where the clock is set.
func TestAnchored(t *testing.T) {
	now := time.Now()
	w := wish(t, "198.51.100.1", "", admin.Drain)
	w.Since, w.Deadline, w.Expires = now.Add(-time.Hour).Round(0), now.Add(time.Hour).Round(0), now.Add(2*time.Hour).Round(0)
	read := admin.State{}.Set(w)
	s := read.Anchored(now)
	if digest(t, s) != digest(t, read) {
		t.Error("it is another wish")
	}
	if _, expired, ended := s.Step(now.Add(3 * time.Hour)); len(expired) != 1 || len(ended) != 0 {
		t.Errorf("%+v %+v", expired, ended)
	}
	// Times with a reading of the monotonic clock, which Round drops, are compared by that.
	got, _ := s.Find(w.Key())
	//nolint:staticcheck // Equal would not see it
	if got.Expires == got.Expires.Round(0) || !got.Expires.Equal(w.Expires) || got.Deadline == got.Deadline.Round(0) {
		t.Errorf("%v, %v: a step of the clock moves them", got.Expires, got.Deadline)
	}
	// A clock that is earlier than the wish is wrong.
	early, _ := read.Anchored(now.Add(-2 * time.Hour)).Find(w.Key())
	if early.Expires != early.Expires.Round(0) {
		t.Errorf("%v: anchored by a clock that is wrong", early.Expires)
	}
}

// A director that says of a wish that nothing comes after it keeps nobody from the others, and from what can be read again.
func TestLastVersion(t *testing.T) {
	var mad admin.State
	text := `{"version": 1, "wishes": [{"server": "198.51.100.1", "what": "drain", "since": "2026-11-22T12:00:00Z", "version": 4612811918334230528}]}`
	if err := json.Unmarshal([]byte(text), &mad); err != nil {
		t.Fatal(err)
	}
	v, w := wish(t, "198.51.100.1", "", admin.Drain), wish(t, "198.51.100.2", "", admin.Drain)
	s, _ := merged(t, admin.State{}.Set(w), mad)
	other := s
	for i, next := range []func(){
		func() { w.What = admin.Disable; s = s.Set(w) },
		func() { s, _ = s.Clear("root", noon, w.Key()) },
		func() { w.What = admin.Drain; s = s.Set(w) },
		func() { s = s.Set(v) },
	} {
		next()
		text, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(text, new(admin.State))
		}
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		other, _ = merged(t, other, s)
		got, found := other.Find(w.Key())
		if want, there := s.Find(w.Key()); found != there || found && got.What != want.What {
			t.Errorf("%d: %+v, want %+v", i, got, want)
		}
	}
	if k, final := s.Final(w.Key(), v.Key()); !final || k != v.Key() {
		t.Errorf("%+v", k)
	}
	if k, final := s.Final(w.Key()); final {
		t.Errorf("%+v", k)
	}
}
