package event_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// ring returns a ring for so many events that has seen so many, one a second, of servers of two services in turn.
func ring(size, seen int) *event.Ring {
	r := event.NewRing("e1", size)
	for i := range seen {
		r.Add(event.Event{At: noon.Add(time.Duration(i+1) * time.Second), Kind: event.Server, Service: "S" + strconv.Itoa((i+1)%2)})
	}
	return r
}

func numbers(list []event.Event) []uint64 {
	var n []uint64
	for i := range list {
		n = append(n, list[i].Sequence)
	}
	return n
}

func TestRing(t *testing.T) {
	for _, c := range []struct {
		name       string
		size, seen int
		after      uint64
		most       int
		want       []uint64
		missed     uint64
	}{
		{"empty", 4, 0, 0, 9, nil, 0},
		{"all", 4, 3, 0, 9, []uint64{1, 2, 3}, 0},
		{"just full", 4, 4, 0, 9, []uint64{1, 2, 3, 4}, 0},
		{"moved on", 4, 9, 0, 9, []uint64{6, 7, 8, 9}, 5},
		{"moved on, in parts", 4, 9, 0, 2, []uint64{6, 7}, 5},
		{"just not missed", 4, 9, 5, 9, []uint64{6, 7, 8, 9}, 0},
		{"one missed", 4, 9, 4, 9, []uint64{6, 7, 8, 9}, 1},
		{"nothing new", 4, 9, 9, 9, nil, 0},
	} {
		list, missed := ring(c.size, c.seen).After(c.after, c.most)
		if got := numbers(list); !reflect.DeepEqual(got, c.want) || missed != c.missed {
			t.Errorf("%s: %v, missed %d", c.name, got, missed)
		}
		for i := range list {
			if want := noon.Add(time.Duration(list[i].Sequence) * time.Second); !list[i].At.Equal(want) || list[i].Epoch != "e1" {
				t.Errorf("%s: %+v", c.name, list[i])
			}
		}
	}
}

func TestStart(t *testing.T) {
	one, none := 1, 0
	for _, c := range []struct {
		name  string
		q     event.Query
		after uint64
		want  event.Begin
	}{
		{"all that there is", event.Query{}, 5, event.Begin{}},
		{"what is new", event.Query{Last: &none}, 9, event.Begin{}},
		{"the last", event.Query{Last: &one}, 8, event.Begin{}},
		{"the last of a service", event.Query{Last: &one, Service: "S0"}, 6, event.Begin{}},
		{"the last of nothing", event.Query{Last: &one, Service: "S7"}, 5, event.Begin{}},
		{"a position", event.Query{After: event.Position{Epoch: "e1", Sequence: 7}}, 7, event.Begin{}},
		{"a position that is gone", event.Query{After: event.Position{Epoch: "e1", Sequence: 2}}, 5, event.Begin{Skipped: 3}},
		{"a position that will be", event.Query{After: event.Position{Epoch: "e1", Sequence: 77}}, 9, event.Begin{}},
		{"the last number there is", event.Query{After: event.Position{Epoch: "e1", Sequence: 1<<64 - 1}}, 9, event.Begin{}},
		{"a position before the restart", event.Query{After: event.Position{Epoch: "e0", Sequence: 7}}, 5, event.Begin{Restarted: true, Skipped: 5}},
		{"a moment", event.Query{Since: noon.Add(8 * time.Second)}, 7, event.Begin{}},
		{"the moment of the oldest", event.Query{Since: noon.Add(6 * time.Second)}, 5, event.Begin{}},
		{"a moment of which some are gone", event.Query{Since: noon.Add(4 * time.Second)}, 5, event.Begin{Incomplete: true}},
		{"a moment to come", event.Query{Since: noon.Add(time.Hour)}, 9, event.Begin{}},
	} {
		c.want.Epoch, c.want.Last = "e1", 9
		if b, after := ring(4, 9).Start(&c.q); b != c.want || after != c.after {
			t.Errorf("%s: after %d, %+v", c.name, after, b)
		}
	}
	if b, after := ring(4, 0).Start(&event.Query{Since: noon, Last: &one}); b != (event.Begin{Epoch: "e1"}) || after != 0 {
		t.Errorf("of nothing: after %d, %+v", after, b)
	}
	if b, _ := ring(4, 2).Start(&event.Query{Since: noon}); b.Incomplete {
		t.Error("nothing has gone, and it is said to be incomplete")
	}
}

func TestPosition(t *testing.T) {
	for _, s := range []string{"", "-", "e", "e-", "-7", "e-x", "e-07", "e--7", "e-+7", "e-18446744073709551616", "é-7", "a b-7", "e\n-7"} {
		if p, err := event.ParsePosition(s); err == nil {
			t.Errorf("%q is %+v", s, p)
		}
	}
	if p, err := event.ParsePosition("Ab3-18446744073709551615"); err != nil || p != (event.Position{Epoch: "Ab3", Sequence: 1<<64 - 1}) {
		t.Error(p, err)
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("e1-42")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := event.ParsePosition(s); err == nil && p.String() != s {
			t.Errorf("%q is read as %q", s, p)
		}
	})
}
