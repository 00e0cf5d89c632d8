package health

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"testing"
	"time"
)

// sent is what another process reads of a record.
func sent(t *testing.T, r Record) (got Record) {
	t.Helper()
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A checker that another process goes on with does what it would have done here.
func TestRecordGoesOn(t *testing.T) {
	now := time.Now()
	p := Policy{DelayLoop: 5 * time.Second, Retry: 2, DelayBeforeRetry: time.Second, Rise: 3, HoldDown: 20 * time.Second, HoldDownMax: time.Minute, Turns: 2}
	c := New(p, now, 0.5)
	var h History
	for i := range 40 {
		r := Result{Took: time.Millisecond, Finding: Finding{Advice: Advice{Kind: Percent, Value: int32(i)}}}
		if i%7 > 3 {
			r = Result{Err: "connection refused", Took: 3 * time.Millisecond}
		}
		now = c.Deadline()
		c, _ = c.Start(now)
		now = now.Add(r.Took)
		c = c.Step(now, r)
		h.Add(c)

		heir, past := sent(t, c.Record(h, now)).Checker(p, now)
		if !equal(heir, c) {
			t.Fatalf("after %d results another process has\n%+v, want\n%+v", i+1, heir, c)
		}
		if got, want := slices.Collect(past.All()), slices.Collect(h.All()); !slices.EqualFunc(got, want, func(a, b Run) bool {
			return a.At.Equal(b.At) && a.Result == b.Result && a.State == b.State
		}) {
			t.Fatalf("after %d results another process has the history\n%v, want\n%v", i+1, got, want)
		}
	}
}

// equal compares all but how times are kept.
func equal(a, b Checker) bool {
	for _, times := range [][2]*time.Time{{&a.Since, &b.Since}, {&a.LastRun, &b.LastRun}, {&a.next, &b.next}} {
		if !times[0].Equal(*times[1]) {
			return false
		}
		*times[0] = *times[1]
	}
	return a == b
}

// A probe that is under way ends with its process. It is made again at once, and counts once.
func TestRecordOfRunningProbe(t *testing.T) {
	now := time.Now()
	c := New(Policy{DelayLoop: time.Minute}, now, 0)
	c, _ = c.Start(now)
	heir, _ := sent(t, c.Record(History{}, now.Add(time.Second))).Checker(Policy{DelayLoop: time.Minute}, now.Add(2*time.Second))
	if heir.Running() || heir.Deadline().After(now.Add(2*time.Second)) {
		t.Errorf("the next probe is due %v, and one runs: %v", heir.Deadline().Sub(now), heir.Running())
	}
}

func TestKeys(t *testing.T) {
	checks := []Check{
		{Type: "TCP_CHECK", Spec: TCP{}}, {Type: "PING_CHECK", Spec: Ping{}}, {Type: "TCP_CHECK", Spec: TCP{}, Policy: Policy{Retry: 1}},
		{Type: "HTTP_GET", Spec: HTTP{URLs: ListOf(URL{Path: "/"})}}, {Type: "HTTP_GET", Spec: HTTP{URLs: ListOf(URL{Path: "/"}, URL{Path: "/b"})}},
		{Type: "HTTP_GET", Spec: HTTP{URLs: ListOf(URL{Path: "/", Headers: ListOf(Header{"A", "b"})})}},
		{Type: "FTP_CHECK", Spec: FTP{Password: Secret{Text: "a"}}}, {Type: "FTP_CHECK", Spec: FTP{Password: Secret{Text: "b"}}},
		{Type: "DNS_CHECK", Spec: DNS{Expect: Regex{Pattern: "a", Options: ListOf("caseless")}}}, {Type: "DNS_CHECK", Spec: DNS{Expect: Regex{Pattern: "a"}}},
	}
	for _, s := range []string{"a\xfe", "a\xff", "\xffa", "a\ufffd", "a\\ufffd"} { // JSON has no bytes that are no text
		checks = append(checks, Check{Type: "UDP_CHECK", Spec: UDP{Payload: s}}, Check{Type: "UDP_CHECK", Spec: UDP{Reply: s}}, Check{Type: "UDP_CHECK", Interface: s, Spec: UDP{}},
			Check{Type: "FTP_CHECK", Spec: FTP{Password: Secret{Text: s}}}, Check{Type: "FTP_CHECK", Spec: FTP{Expect: Regex{Pattern: s}}},
			Check{Type: "MISC_CHECK", Spec: Misc{Argv: ListOf("/bin/a", s)}}, Check{Type: "MISC_CHECK", Spec: Misc{Argv: ListOf("/bin/a", "b", s)}},
			Check{Type: "HTTP_GET", Spec: HTTP{URLs: ListOf(URL{Path: s})}}, Check{Type: "HTTP_GET", Spec: HTTP{URLs: ListOf(URL{Headers: ListOf(Header{"A", s})})}})
	}
	seen := make(map[string]int)
	for i, c := range checks {
		if j, known := seen[c.Key()]; known {
			t.Errorf("checks %d and %d have the same key", i, j)
		}
		seen[c.Key()] = i
	}
	// Other processes, and other versions, must come to the same.
	if got, want := checks[3].Key(), goldenKey; got != want {
		t.Errorf("the key is %s, want %s: raise KeyForm, too", got, want)
	}
}

// One of each kind: what is added to any of them changes the keys of all checks of that kind.
func TestKeyForm(t *testing.T) {
	rule := Regex{Options: ListOf("caseless")}
	all := sha256.New()
	for _, s := range []Spec{
		TCP{}, Ping{}, HTTP{URLs: ListOf(URL{Headers: ListOf(Header{}), Regex: rule, JSON: ListOf(Assertion{})})}, SMTP{}, DNS{Expect: rule}, UDP{}, File{},
		Misc{Argv: ListOf("")}, BFD{}, FTP{Expect: rule}, IMAP{}, POP3{}, LDAP{Expect: rule}, NNTP{}, MySQL{}, PgSQL{}, RADIUS{}, SIP{}, SimpleTCP{Expect: rule},
		GRPC{}, Redis{}, Agent{},
	} {
		_, _ = io.WriteString(all, Check{Spec: s}.Key())
	}
	const want = "f1a4c5e4eee2af44"
	if got := hex.EncodeToString(all.Sum(nil)[:8]); got != want || KeyForm != 1 {
		t.Errorf("the keys are of another form, %s: raise KeyForm, and put both down here", got)
	}
}

// Who wrote keys of another form is understood by the subjects. Otherwise these say nothing, also where somebody wrote none.
func TestRecordsOf(t *testing.T) {
	a, b := Check{Type: "TCP_CHECK", Spec: TCP{}}.ID(), Check{Type: "PING_CHECK", Spec: Ping{}}.ID()
	checks := maps.All(map[ID]string{a: "a", b: "b"})
	known, other := a.Check().Key(), "of another form"
	for _, tt := range []struct {
		name string
		r    Records
		want map[ID]int
	}{
		{"keys of this form", Records{KeyForm, map[string]Record{known: {Failures: 1, Subject: "a"}, other: {Failures: 2, Subject: "b"}}}, map[ID]int{a: 1}},
		{"keys of another one", Records{KeyForm + 1, map[string]Record{other: {Failures: 1, Subject: "b"}, "y": {Failures: 2, Subject: "c"}}}, map[ID]int{b: 1}},
		{"a key that stayed", Records{KeyForm + 1, map[string]Record{known: {Failures: 1, Subject: "b"}, other: {Failures: 2, Subject: "a"}}}, map[ID]int{a: 1, b: 1}},
		{"no subjects", Records{0, map[string]Record{known: {Failures: 1}, other: {Failures: 2}}}, map[ID]int{a: 1}},
		{"nothing", Records{}, map[ID]int{}},
	} {
		got := make(map[ID]int)
		for id, r := range tt.r.Of(checks) {
			got[id] = r.Failures
		}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

const goldenKey = "1697382541d3550472abfa14202d78e8"

// Whatever a record says, its checker works.
func FuzzRecord(f *testing.F) {
	now := time.Now()
	text, err := json.Marshal(New(Policy{DelayLoop: time.Second}, now, 0.3).Record(History{}, now))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"State":"down","Doubled":200,"Turn":9,"Failures":-1,"Next":"9999-01-01T00:00:00Z","Since":"0001-01-01T00:00:00Z","History":[{"State":"up"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Record
		if json.Unmarshal(text, &r) != nil {
			return
		}
		p := Policy{DelayLoop: time.Second, HoldDown: time.Second, HoldDownMax: time.Hour, Turns: 3}
		c, h := r.Checker(p, now)
		if wait := c.Deadline().Sub(now); wait > 3*time.Hour {
			t.Fatalf("it waits %v for its next probe", wait)
		}
		c, ok := c.Start(c.Deadline())
		if !ok {
			t.Fatal("it does not start")
		}
		if n, _ := c.Step(now, Result{}).Turn(); n >= 3 {
			t.Fatal(c)
		}
		for range h.All() {
		}
		_ = c.Reason()
	})
}
