package event_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/event"
)

// A ring goes on under the same numbers, whether it is full, and whether the next one has another size.
func TestPast(t *testing.T) {
	for _, n := range []int{0, 1, 5, 8, 9, 30} {
		for _, size := range []int{4, 8, 16} {
			was := event.NewRing("abc", 8)
			for i := range n {
				was.Add(event.Event{Object: fmt.Sprint(i + 1)})
			}
			text, err := json.Marshal(was.Past())
			if err != nil {
				t.Fatal(err)
			}
			var p event.Past
			if err := json.Unmarshal(text, &p); err != nil {
				t.Fatal(err)
			}
			is := event.Resume(p, "other", size)
			if n == 0 {
				if is.Epoch() != "other" || is.Last() != 0 {
					t.Errorf("nothing becomes %s-%d", is.Epoch(), is.Last())
				}
				continue
			}
			for i := range 20 {
				is.Add(event.Event{Object: fmt.Sprint(n + i + 1)})
				list, missed := is.After(0, 100)
				if is.Epoch() != "abc" || is.Last() != uint64(n+i+1) || missed+uint64(len(list)) != is.Last() || len(list) < min(4, n) {
					t.Fatalf("%d events, then %d in a ring of %d: %s-%d, %d of them left", n, i+1, size, is.Epoch(), is.Last(), len(list))
				}
				for _, e := range list {
					if e.Object != fmt.Sprint(e.Sequence) {
						t.Fatalf("%d events, then %d in a ring of %d: number %d is %s", n, i+1, size, e.Sequence, e.Object)
					}
				}
			}
		}
	}
}
