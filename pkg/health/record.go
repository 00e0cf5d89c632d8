package health

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Record is what is known by a check, for another process that goes on with it. Times are the wall clock's of one moment, which Record is
// told: whoever reads it soon reads the same clock.
type Record struct {
	State, Was State         `json:",omitzero"`
	Doubted    bool          `json:",omitzero"`
	Since      time.Time     `json:",omitzero"`
	LastRun    time.Time     `json:",omitzero"`
	LastResult Result        `json:",omitzero"`
	Failures   int           `json:",omitzero"`
	Successes  int           `json:",omitzero"`
	Probes     uint64        `json:",omitzero"`
	Failed     uint64        `json:",omitzero"`
	Doubled    uint8         `json:",omitzero"`
	Turn       uint16        `json:",omitzero"`
	Jitter     float64       `json:",omitzero"`
	Recovery   time.Duration `json:",omitzero"`
	Next       time.Time     `json:",omitzero"`  // when a probe is due; one that runs ends with its process, and is due again
	History    []Run         `json:",omitempty"` // the newest first
	Subject    string        `json:",omitempty"` // which check of which server it is, whatever its key
}

// KeyForm is raised whenever equal checks get other keys than before: when something is added to a check, say. See Records.
const KeyForm = 1

// Records is what a process knows by its checks, for another one, of another version maybe.
type Records struct {
	KeyForm int               `json:",omitzero"` // of the writer; 0: it names no subjects
	Checks  map[string]Record // by Check.Key
}

// Of returns the records of checks, given with their subjects. Who wrote other keys for the same checks is understood by the subjects. Otherwise
// these mean nothing: a check that has another key is another check, which has to pass first.
func (r Records) Of(checks iter.Seq2[ID, string]) iter.Seq2[ID, Record] {
	bySubject := make(map[string]Record)
	if r.KeyForm != 0 && r.KeyForm != KeyForm {
		for _, record := range r.Checks {
			bySubject[record.Subject] = record
		}
	}
	return func(yield func(ID, Record) bool) {
		for id, subject := range checks {
			record, known := r.Checks[id.Check().Key()]
			if !known {
				record, known = bySubject[subject]
			}
			if known && !yield(id, record) {
				return
			}
		}
	}
}

// Key stands for a check in other processes, of other versions, too. Two checks of the same content have the same key, and others have not.
func (c Check) Key() string {
	text, _ := json.Marshal(c)                  // all that a check is made of has a form
	if bytes.Contains(text, []byte(`\ufffd`)) { // JSON has one for all bytes that are no text
		text = appendStrings(text, reflect.ValueOf(c))
	}
	sum := sha256.Sum256(text) // it may hold secrets
	return hex.EncodeToString(sum[:16])
}

// appendStrings appends all strings of a value, byte by byte.
func appendStrings(text []byte, v reflect.Value) []byte {
	if l, ok := reflect.TypeAssert[interface{ each(func(reflect.Value)) }](v); ok {
		l.each(func(item reflect.Value) { text = appendStrings(text, item) })
		return text
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.AppendQuote(text, v.String())
	case reflect.Interface:
		return appendStrings(text, v.Elem())
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() { // the others are of addresses
				text = appendStrings(text, field)
			}
		}
	default:
	}
	return text
}

func (l List[T]) each(f func(reflect.Value)) {
	for item := range l.All() {
		f(reflect.ValueOf(item))
	}
}

// MarshalJSON is of an array, for Check.Key.
func (l List[T]) MarshalJSON() ([]byte, error) { return json.Marshal(slices.AppendSeq([]T{}, l.All())) }

// Record returns what is known at a moment.
func (c Checker) Record(h History, now time.Time) Record {
	wall := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Round(0).Add(t.Sub(now)) // the clock may have been set since
	}
	r := Record{
		State: c.State, Was: c.Was, Doubted: c.doubted, Since: wall(c.Since), LastRun: wall(c.LastRun), LastResult: c.LastResult, Failures: c.Failures,
		Successes: c.Successes, Probes: c.Probes, Failed: c.Failed, Doubled: c.doubled, Turn: c.turn, Jitter: c.jitter,
		Recovery: c.recovery, Next: wall(c.next), History: slices.Collect(h.All()),
	}
	if c.running {
		r.Next = wall(now)
	}
	return r
}

// Checker returns the checker of a record under a policy, and its history. What no record of ours can say is corrected, so that a false one
// does no harm but to be wrong.
func (r Record) Checker(p Policy, now time.Time) (Checker, History) {
	here := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Add(t.Sub(now.Round(0)))
	}
	c := New(p, now, min(max(r.Jitter, 0), 1))
	if r.State > Down || r.Was > Down {
		return c, History{}
	}
	c.State, c.Was, c.Advice, c.doubted = r.State, r.Was, r.LastResult.Advice, r.Doubted && r.State == Unchecked
	c.Since, c.LastRun, c.LastResult = here(r.Since), here(r.LastRun), r.LastResult
	c.Failures, c.Successes, c.Probes, c.Failed = max(r.Failures, 0), max(r.Successes, 0), r.Probes, r.Failed
	c.doubled, c.turn, c.recovery = min(r.Doubled, mostDoubled), r.Turn%p.turns(), r.Recovery
	if c.next = here(r.Next); c.next.After(now.Add(c.longest(p))) || r.Next.IsZero() {
		c.next = now
	}
	var h History
	for _, run := range slices.Backward(r.History[:min(len(r.History), Kept)]) {
		h.Add(Checker{Standing: Standing{State: min(run.State, Down)}, LastRun: run.At.Add(-run.Took), LastResult: run.Result})
	}
	return c, h
}

// Recall returns the checker of a record that a process left behind which ended without a word, some time ago. The verdict stays, with its
// date, and what it needs to change: neither does a server come back that failed, nor does one go for a failure that is forgiven. But nobody
// looked meanwhile, so that none of the results count that lead away from the verdict, and the first probe is due as that of a new check is.
func (r Record) Recall(p Policy, now time.Time, jitter float64) Checker {
	fresh := New(p, now, jitter)
	if r.State != Up && r.State != Down {
		return fresh
	}
	c, _ := r.Checker(p, now)
	c.jitter, c.next, c.Successes = jitter, fresh.next, 0
	if c.State == Up {
		c.Failures = 0
	}
	if c.Since.After(now) { // the clock was set back: a hold would not end
		c.Since = now
	}
	return c
}

// mostDoubled is more often than a hold can double.
const mostDoubled = 62

// longest returns the longest that a check waits for its next probe.
func (c Checker) longest(p Policy) time.Duration {
	return max(2*p.DelayLoop, p.DelayBeforeRetry, p.FastInterval, p.Warmup, soon) + p.holdLimit()
}
