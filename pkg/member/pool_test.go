package member_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/member"
)

var (
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	web  = member.Source{Kind: member.DNS, Name: "web.example.org"}
	api  = member.Source{Kind: member.Directory, Name: "/etc/ipvsd/servers.d"}
)

// servers are members by their last byte: "1 2:web 3:web,php".
func servers(text string) (list []member.Member) {
	for word := range strings.FieldsSeq(text) {
		number, tags, _ := strings.Cut(word, ":")
		m, err := member.At("10.0.100." + number)
		if err != nil {
			panic(err)
		}
		m.Describe("", strings.FieldsFunc(tags, func(r rune) bool { return r == ',' })...)
		list = append(list, m)
	}
	return list
}

// shown is the reverse for a pool. What is held has an exclamation mark.
func shown(p member.Pool) string {
	var words []string
	for _, m := range p.Members {
		a := m.Addr.As4()
		word := fmt.Sprint(a[3])
		if !m.Held.IsZero() {
			word += "!"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// Each step is what sources say, in the order of the rule: "?" is that one never answered, "" that it has nobody. What fails later keeps
// its answer, which is for State.
func TestPool(t *testing.T) {
	type step struct {
		says []string
		want string
	}
	one, count, percent, none := health.Share{Count: 1}, health.Share{Count: 3}, health.Share{Percent: 50}, health.Share{}
	for _, tt := range []struct {
		name    string
		sources []member.Source
		tags    []string
		minimum health.Share
		steps   []step
	}{
		{"who comes and who goes", []member.Source{web}, nil, one, []step{{[]string{"1 2"}, "1 2"}, {[]string{"2 3"}, "2 3"}}},
		{"an empty answer is not believed", []member.Source{web}, nil, one, []step{
			{[]string{"1 2"}, "1 2"}, {[]string{""}, "1! 2!"}, {[]string{""}, "1! 2!"}, {[]string{"2"}, "2"}}},
		{"unless that is allowed", []member.Source{web}, nil, none, []step{{[]string{"1 2"}, "1 2"}, {[]string{""}, ""}}},
		{"a source that never answered keeps what was known", []member.Source{web}, nil, one, []step{
			{[]string{"1 2"}, "1 2"}, {[]string{"?"}, "1 2"}}},
		{"also beside another", []member.Source{web, api}, nil, one, []step{
			{[]string{"1 2", "7"}, "1 2 7"}, {[]string{"?", "8"}, "1 2 8"}, {[]string{"3", "8"}, "3 8"}}},
		{"tags", []member.Source{web}, []string{"web", "php"}, one, []step{
			{[]string{"1:web 2:php,web 3:php 4:web,php,x"}, "2 4"}, {[]string{"1:web"}, "2! 4!"}}},
		{"a number that must stay", []member.Source{web}, nil, count, []step{
			{[]string{"1 2"}, "1 2"}, // there were never more
			{[]string{"1 2 3 4"}, "1 2 3 4"}, {[]string{"1 2 3"}, "1 2 3"}, {[]string{"1 9"}, "1 2! 3! 9"}, {[]string{"1 8 9"}, "1 8 9"}}},
		{"a share that must stay", []member.Source{web}, nil, percent, []step{
			{[]string{"1 2 3 4 5"}, "1 2 3 4 5"}, {[]string{"1 2"}, "1 2 3! 4! 5!"}, {[]string{"1 2"}, "1 2 3! 4! 5!"},
			{[]string{"1 2 3"}, "1 2 3"}, {[]string{"1 2"}, "1 2"}}},
		{"one that several name is there once", []member.Source{web, api}, nil, one, []step{{[]string{"1 2", "2 3"}, "1 2 3"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := member.Rule{Sources: tt.sources, Tags: tt.tags, Minimum: tt.minimum}
			var p member.Pool
			for i, s := range tt.steps {
				at := noon.Add(time.Duration(i) * time.Second)
				state := func(source member.Source) member.State {
					says := s.says[slices.Index(tt.sources, source)]
					if says == "?" {
						return member.State{Err: "timeout"}
					}
					return member.State{Members: servers(says), Answered: at}
				}
				next, changed := p.Step(at, &rule, state)
				if got := shown(next); got != s.want {
					t.Fatalf("step %d: got %q, want %q", i, got, s.want)
				}
				if changed != (shown(p) != s.want) {
					t.Errorf("step %d: changed: %v", i, changed)
				}
				p = next
				if again, changed := p.Step(at.Add(time.Minute), &rule, state); changed || shown(again) != s.want {
					t.Errorf("step %d: the same again changes it to %q", i, shown(again))
				}
			}
		})
	}
}

// What a reload takes out of the rule is gone: that is no source that fails.
func TestPoolUnderAnotherRule(t *testing.T) {
	never := func(member.Source) member.State { return member.State{} }
	is := func(source member.Source) member.State {
		return member.State{Members: servers(map[member.Source]string{web: "1:a 2:b", api: "3:a"}[source]), Answered: noon}
	}
	p, _ := member.Pool{}.Step(noon, &member.Rule{Sources: []member.Source{web, api}}, is)
	if p, _ = p.Step(noon, &member.Rule{Sources: []member.Source{web}, Tags: []string{"a"}, Minimum: health.Share{Percent: 100}}, never); shown(p) != "1" {
		t.Errorf("got %q", shown(p))
	}
}

// A failure keeps the answer before it, and says since when.
func TestStateTake(t *testing.T) {
	var s member.State
	take := func(seconds int, r member.Report, news bool) {
		t.Helper()
		next, got := s.Take(r, noon.Add(time.Duration(seconds)*time.Second))
		if got != news {
			t.Errorf("at %d s: news: %v", seconds, got)
		}
		s = next
	}
	take(0, member.Report{Err: "timeout"}, false)
	take(1, member.Report{}, true) // the first answer, be it empty
	take(2, member.Report{Members: servers("1:a")}, true)
	take(3, member.Report{Members: servers("1:a")}, false)
	take(4, member.Report{Members: servers("1:b")}, true)
	take(5, member.Report{Err: "SERVFAIL"}, false)
	take(6, member.Report{Err: "timeout"}, false)
	if len(s.Members) != 1 || s.Err != "timeout" || !s.Failed.Equal(noon.Add(5*time.Second)) || !s.Answered.Equal(noon.Add(4*time.Second)) {
		t.Errorf("got %+v", s)
	}
	heavy := servers("1:b")
	heavy[0].Weigh(7)
	take(7, member.Report{Members: heavy, Warning: "a file"}, true)
	if s.Err != "" || !s.Failed.IsZero() || s.Warning != "a file" {
		t.Errorf("got %+v", s)
	}
}
