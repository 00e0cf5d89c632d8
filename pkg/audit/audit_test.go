package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// log returns a log with entries of one minute after the other.
func log(t *testing.T, n int) *bytes.Buffer {
	t.Helper()
	b := new(bytes.Buffer)
	for i := range n {
		line, err := (Entry{At: noon.Add(time.Duration(i) * time.Minute), Who: "root", Action: "reload", Detail: fmt.Sprint(i), Status: 200}).Line()
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
	}
	return b
}

// The latest entries of a time are kept, in their order, of one log after the other.
func TestLast(t *testing.T) {
	var r Report
	for range 2 {
		if err := r.Add(log(t, 50), noon.Add(10*time.Minute), 45); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.Entries) != 45 || !r.More || r.Entries[0].Detail != "45" || r.Entries[5].Detail != "10" || r.Entries[44].Detail != "49" {
		t.Errorf("%d %t %+v", len(r.Entries), r.More, r.Entries)
	}
	r = Report{}
	if err := r.Add(log(t, 50), time.Time{}, 50); err != nil || r.More || len(r.Entries) != 50 {
		t.Errorf("%v %t %d", err, r.More, len(r.Entries))
	}
}

// What is no entry is passed over and counted: half a line, a line without end, something else.
func TestBrokenLines(t *testing.T) {
	good := log(t, 1).String()
	text := good[:20] + "\n" + good + strings.Repeat("x", 200<<10) + "\n" + good + "\n{}\nnull\n" + good + strings.TrimSuffix(good, "\n")
	var r Report
	if err := r.Add(strings.NewReader(text), time.Time{}, 9); err != nil {
		t.Fatal(err)
	}
	if len(r.Entries) != 4 || r.Skipped != 4 {
		t.Errorf("%d entries, %d skipped", len(r.Entries), r.Skipped)
	}
}

// An entry is one line, whatever is in it, and no longer than the log keeps it.
func TestClip(t *testing.T) {
	e := Entry{At: noon, Who: "x\ny\x1b[31m\u202e", Action: "a\xff", Reason: strings.Repeat("ä", 1000), Error: " e\r\n"}
	line, err := e.Line()
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || len(line) > longestLine {
		t.Fatal(err, line)
	}
	var r Report
	if err := r.Add(bytes.NewReader(line), noon, 1); err != nil {
		t.Fatal(err)
	}
	want := []Entry{{At: noon, Who: "x y [31m", Action: "a?", Reason: strings.Repeat("ä", 299) + "…", Error: "e"}}
	if diff := cmp.Diff(want, r.Entries); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	uid := int64(0)
	r := Report{More: true, Skipped: 1, Lost: 2, Error: "no space left on device", Entries: []Entry{
		{At: noon, Who: "root", UID: &uid, Login: "alice", Action: "order", Detail: "drain 10.0.0.2:80", Reason: "new disk", Status: 200},
		{At: noon, Who: "token dashboard", Address: "192.0.2.9", Action: "reload", Status: 403, Error: "token dashboard may read, not operate"},
		{At: noon, Who: "ipvsd", Action: "audit", Error: "2 entries before this one could not be written"},
	}}
	want := `There are older entries: --last shows more of them.
TIME                 WHO              FROM       WHAT                     RESULT                                          REASON
2026-11-22 12:00:00  root (alice)     socket     order drain 10.0.0.2:80  done                                            new disk
2026-11-22 12:00:00  token dashboard  192.0.2.9  reload                   token dashboard may read, not operate
2026-11-22 12:00:00  ipvsd            -          audit                    2 entries before this one could not be written
1 lines can't be read.
2 entries could not be written since the daemon started.
Nothing can be written now: no space left on device
`
	if got := r.Text(time.UTC); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := (&Report{}).Text(time.UTC); got != "Nothing has been done.\n" {
		t.Error(got)
	}
}

// No file makes the reader fail or keep more than was asked for.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(`{"at":"2026-11-22T12:00:00Z","who":"root","action":"reload"}`+"\n{"), 3)
	f.Fuzz(func(t *testing.T, text []byte, last int) {
		last = 1 + max(last, -last)%100
		var r Report
		if err := r.Add(bytes.NewReader(text), time.Time{}, max(last, 1)); err != nil || len(r.Entries) > max(last, 1) {
			t.Errorf("%v, %d entries", err, len(r.Entries))
		}
		if r.Text(time.UTC) == "" {
			t.Error("nothing is said")
		}
	})
}
