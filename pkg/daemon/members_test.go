package daemon

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// withMembers has no servers but those that sources name.
const withMembers = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 3
retry = 0
TCP_CHECK = true
drain_timeout = 10
[[virtual_server.members]]
dns = "web.example.org"
[[virtual_server.members]]
directory = "/etc/ipvsd/servers.d"
tags = "web"
minimum = "50%"
`

// sources stands for readers.
type sources struct {
	mu    sync.Mutex
	posts map[string]func(member.Report) // of readers that run, by name of the source
	of    map[string]member.Source
}

func newSources() *sources {
	return &sources{posts: make(map[string]func(member.Report)), of: make(map[string]member.Source)}
}

func (s *sources) read(ctx context.Context, source member.Source, post func(member.Report)) {
	s.mu.Lock()
	s.posts[source.String()], s.of[source.String()] = post, source
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	delete(s.posts, source.String())
	s.mu.Unlock()
}

// running are the sources that are read.
func (s *sources) running() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.posts {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

const (
	byName      = "dns web.example.org"
	byDirectory = "directory /etc/ipvsd/servers.d"
)

func addrs(numbers []int) (list []netip.AddrPort) {
	for _, n := range numbers {
		list = append(list, addr(n))
	}
	return list
}

// says has a source name servers, by number as in addr: "1 2:web". A text after "error: " is why it can't.
func (h *house) says(source, text string) {
	h.t.Helper()
	h.sources.mu.Lock()
	post, s := h.sources.posts[source], h.sources.of[source]
	h.sources.mu.Unlock()
	if post == nil {
		h.t.Fatalf("%s is not read", source)
	}
	r := member.Report{Source: s}
	if failure, fails := strings.CutPrefix(text, "error: "); fails {
		r.Err, text = failure, ""
	}
	for word := range strings.FieldsSeq(text) {
		number, tags, _ := strings.Cut(word, ":")
		m, err := member.At("198.51.100." + number)
		if err != nil {
			h.t.Fatal(err)
		}
		m.Describe("web"+number, strings.FieldsFunc(tags, func(r rune) bool { return r == ',' })...)
		r.Members = append(r.Members, m)
	}
	post(r)
	synctest.Wait()
}

// A member gets clients when its check has passed, never before; one that leaves drains as the virtual server says.
func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := barred(t, second)
		h := start(t, k, t.TempDir(), withMembers, second)
		h.pass(time.Second)
		h.wantServing("nobody yet")
		h.says(byName, "1 2")
		h.pass(time.Second)
		h.wantServing("named", first)
		h.says(byDirectory, "3:web 4:php")
		h.pass(time.Second)
		h.wantServing("named with a tag", first, third)
		if s := h.status().Services[0].Servers; len(s) != 3 || s[0].From != byName || s[2].From != byDirectory || s[2].Name != "web3" || s[2].Tags[0] != "web" {
			t.Errorf("status: %+v", s)
		}
		h.connections(first, 1, 0)
		h.says(byName, "2 5")
		h.pass(time.Second)
		h.wantServing("replaced", third, addr(5))
		if table, err := k.Read(t.Context(), nil); err != nil || table[0].Destination(first) == nil || table[0].Destination(first).Weight != 0 {
			t.Errorf("who left does not drain: %v", table)
		}
		if list := h.ask(status.CheckQuery{}, true); len(list) != 3 || list[0].Target.String() != "198.51.100.2:80" {
			t.Errorf("checks: %+v", list)
		}
		h.pass(time.Minute)
		if table, err := k.Read(t.Context(), nil); err != nil || table[0].Destination(first) != nil {
			t.Errorf("who left never goes: %v", table)
		}
		h.stop()
	})
}

// What fails, names nobody, or names too few, takes nobody away; the status says so, also after a restart without any answer.
func TestMembersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), withMembers)
		h.says(byName, "1 2")
		h.says(byDirectory, "3:web 4:web 5:web")
		h.pass(time.Second)
		all := []int{1, 2, 3, 4, 5}
		serve := func(when string, numbers ...int) {
			t.Helper()
			want := addrs(numbers)
			h.wantServing(when, want...)
		}
		serve("at first", all...)
		h.happened()
		h.says(byName, "error: SERVFAIL")
		h.pass(time.Minute)
		serve("a failure", all...)
		h.says(byName, "")
		h.pass(time.Minute)
		h.wantHappened("a failure, and nobody", "source "+byName+": answering -> failing: SERVFAIL", "source "+byName+": failing -> answering",
			"members tcp 192.0.2.1:80 of "+byName+": held: too few would be left without 2 of them")
		serve("an empty answer", all...)
		if v := h.status().Sources; len(v) != 2 || len(v[1].Held) != 2 || v[1].Servers != 2 || v[1].Named != 0 {
			t.Errorf("status: %+v", v)
		}
		h.says(byDirectory, "3:web")
		h.pass(time.Minute)
		serve("less than a half", all...)
		h.says(byDirectory, "3:web 4:web 5:php")
		h.pass(time.Minute)
		serve("more than a half", 1, 2, 3, 4)
		h.says(byDirectory, "error: no such file or directory")
		h.pass(time.Minute)
		serve("no directory", 1, 2, 3, 4)
		var text strings.Builder
		if err := h.status().Text(&text, status.Style{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"members   directory /etc/ipvsd/servers.d can't be read for 1m0s: no such file or directory; its servers stay: 2, as it answered 2m0s ago\n",
			"members   dns web.example.org names 0, servers: 2, answered 4m0s ago\n",
			"held      198.51.100.1 of tcp 192.0.2.1:80 for 4m0s: dns web.example.org no longer names it, but too few would be left; lower minimum if that is meant\n",
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("no %q in\n%s", want, &text)
			}
		}
		h.write(withMembers + "# changed\n")
		h.reloaded()
		h.pass(time.Second)
		serve("a reload", 1, 2, 3, 4)

		h.stop()
		h = h.again()
		h.pass(time.Second)
		serve("a restart", 1, 2, 3, 4)
		h.says(byName, "error: SERVFAIL")
		h.pass(time.Minute)
		serve("a restart, and a failure", 1, 2, 3, 4)
		h.says(byName, "2 6")
		h.pass(time.Minute)
		serve("an answer", 2, 3, 4, 6)
		h.stop()
	})
}

// A reload ends what is no longer read, and drops who came from there; a plan knows who the members are.
func TestReloadOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), withMembers)
		h.says(byName, "1 2")
		h.says(byDirectory, "3:web")
		h.pass(time.Second)
		h.wantServing("before", first, second, third)
		h.kernel.Commands()
		if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes)+len(plan.Waiting) > 0 {
			t.Errorf("plan of the same: %v %+v", err, plan)
		}
		h.reloaded()
		if c := h.kernel.Commands(); len(c) > 0 {
			t.Errorf("a reload of the same: %v", c)
		}
		text, _, _ := strings.Cut(withMembers, "[[virtual_server.members]]\ndirectory")
		h.write(strings.Replace(text, "retry = 0", "retry = 0\nweight = 4", 1))
		h.reloaded()
		h.pass(time.Minute)
		h.wantServing("after", first, second)
		if w := h.status().Services[0].Servers[0].TableWeight; w != 4 {
			t.Errorf("weight %d", w)
		}
		if got := h.sources.running(); got != byName {
			t.Errorf("read: %s", got)
		}
		h.write(withMembers)
		h.reloaded()
		h.pass(time.Second)
		h.wantServing("taken back", first, second, third)
		h.stop()
		if got := h.sources.running(); got != "" {
			t.Errorf("after the stop are read: %s", got)
		}
	})
}

// Members are drained by name and by tag, and the wish holds when they come again.
func TestMembersDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), withMembers)
		h.says(byName, "1 2 7")
		h.says(byDirectory, "3:web,rack1")
		h.pass(time.Second)
		h.ordered(control.Order{Verb: control.Drain, Server: "tag:rack1"})
		h.ordered(control.Order{Verb: control.Drain, Server: "web2"})
		h.wantServing("two drain", first, addr(7))
		h.says(byName, "1 7")
		h.pass(time.Minute)
		h.says(byName, "1 2 7")
		h.pass(time.Minute)
		h.wantServing("one went and came", first, addr(7))
		h.stop()
		h = h.again()
		h.pass(time.Minute)
		h.wantServing("a restart before any answer", first, addr(7))
		if n := len(h.status().Services[0].Servers); n != 4 {
			t.Errorf("%d servers", n)
		}
		h.stop()
	})
}

// A record that can't be read keeps nobody from starting, and what nobody could have written is passed over.
func TestRecordOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, text := range []string{"{", "null", `{"tcp 192.0.2.1:80\ndns web.example.org\n": null}`,
			`{"tcp 192.0.2.1:80\ndns web.example.org\n": {"members": [{"address": "", "from": "dns web.example.org"}, {"address": "0.0.0.0", "from": "dns web.example.org"},
			{"address": "198.51.100.1", "weight": -1, "from": "dns web.example.org"}]}}`} {
			if err := os.WriteFile(filesIn(Options{StateDir: dir}).members, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			h := start(t, new(ipvstest.Kernel), dir, withMembers)
			h.pass(time.Second)
			h.wantServing(text)
			h.says(byName, "1")
			h.pass(time.Second)
			h.wantServing("an answer", first)
			h.stop()
		}
	})
}
