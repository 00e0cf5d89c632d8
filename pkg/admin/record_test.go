package admin

import (
	"testing"
	"time"
)

// What an etcd has under some name is a wish of that name, which is written as it was read, or an error.
func FuzzFromRecords(f *testing.F) {
	f.Add("198.51.100.1:80", []byte(`{"version": 1, "wishes": [{"server": "198.51.100.1:80", "what": "drain", "since": "2026-11-22T12:00:00Z", "version": 7}]}`))
	f.Add("weight/2001:db8::1/tcp%20[2001:db8::2]:80", []byte(
		`{"version": 1, "wishes": [{"server": "2001:db8::1", "service": "tcp [2001:db8::2]:80", "what": "weight", "weight": 3, "since": "2026-11-22T12:00:00Z", "version": 7}]}`))
	f.Add("198.51.100.1:80", []byte(`{"version": 1, "wishes": []}`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		s, err := FromRecords([]Record{{name, text}})
		if err != nil {
			return
		}
		for _, w := range s.wishes {
			if w.Lasts(time.Unix(0, w.Version)) < 0 {
				t.Error("it lasts less than nothing")
			}
			r, err := w.Record()
			if err != nil || r.Name != name {
				t.Fatalf("%v: %q became %q", err, name, r.Name)
			}
			again, err := FromRecords([]Record{r})
			if err != nil || len(again.wishes) != 1 {
				t.Errorf("%v: %s", err, r.Text)
			}
			if before, after := w.shared(), again.wishes[w.Key()]; before.supersedes(&after) || after.supersedes(&before) {
				t.Errorf("%+v became %+v", before, after)
			}
		}
	})
}
