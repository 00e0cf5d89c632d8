package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// ran are the scripts that were run, by their arguments.
type ran struct {
	mu   sync.Mutex
	list []string
}

// run notes a script. The argument "slow" takes two seconds, "hang" for ever, "fail" fails.
func (r *ran) run(ctx context.Context, c script.Command) (string, error) {
	switch path.Base(c.Argv[0]) {
	case "slow":
		time.Sleep(2 * time.Second)
	case "hang":
		<-ctx.Done()
		return "", context.Cause(ctx)
	case "fail":
		return "first line\nsecond line\n", &exec.ExitError{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, strings.Join(c.Argv[1:], " "))
	return "", nil
}

// since returns what was run since it was asked before.
func (r *ran) since() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (h *house) wantRan(when string, want ...string) {
	h.t.Helper()
	synctest.Wait()
	if got := h.ran.since(); !slices.Equal(got, want) {
		h.t.Errorf("%s: ran %q, want %q", when, got, want)
	}
}

// scripted is a virtual server with three servers and all notifications. More are its other keywords.
func scripted(program, more string) string {
	text := fmt.Sprintf(`
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 3
retry = 0
warmup = 0.001
TCP_CHECK = true
quorum_up = "/bin/%[1]s quorum up"
quorum_down = "/bin/%[1]s quorum down"
`+more+"\n", program)
	for i := 1; i <= 3; i++ {
		text += fmt.Sprintf(`[[virtual_server.real_server]]
address = "198.51.100.%[2]d:80"
notify_up = "/bin/%[1]s %[2]d up"
notify_down = "/bin/%[1]s %[2]d down"
`, program, i)
	}
	return text
}

// The notifications of each kind of virtual server while its servers start, die, return and stop. The lists are those of
// keepalived 2.2.7 in the lab, but for the three differences that type told names.
func TestNotifications(t *testing.T) {
	type lists struct{ start, one, two, three, back, all, stop string }
	for name, tt := range map[string]struct {
		more string
		down []netip.AddrPort // at the start
		want lists
	}{
		"plain": {"alpha = false", nil, lists{
			start: "quorum up", one: "1 down", two: "2 down", three: "3 down, quorum down", back: "1 up, quorum up", all: "2 up, 3 up"}},
		"alpha": {"", nil, lists{
			start: "1 up, 2 up, 3 up, quorum up", one: "1 down", two: "2 down", three: "3 down, quorum down",
			back: "1 up, quorum up", all: "2 up, 3 up"}},
		"omega": {"alpha = false\nomega = true", nil, lists{
			start: "quorum up", one: "1 down", two: "2 down", three: "3 down, quorum down", back: "1 up, quorum up", all: "2 up, 3 up",
			stop: "1 down, 2 down, 3 down, quorum down"}},
		"hysteresis": {"quorum = 2\nhysteresis = 1\nomega = true", nil, lists{
			start: "1 up, 2 up, 3 up, quorum up", one: "1 down", two: "2 down", three: "3 down, quorum down",
			back: "1 up", all: "2 up, 3 up, quorum up", stop: "1 down, 2 down, 3 down, quorum down"}},
		"sorry server": {"quorum = 2\nsorry_server = \"198.51.100.9:80\"", nil, lists{
			start: "1 up, 2 up, 3 up, quorum up", one: "1 down", two: "2 down, quorum down", three: "3 down",
			back: "1 up", all: "2 up, 3 up, quorum up"}},
		"all dead at the start": {"", []netip.AddrPort{first, second, third}, lists{
			start: "1 down, 2 down, 3 down", back: "1 up, quorum up", all: "2 up, 3 up"}},
		"all dead at the start, plain": {"alpha = false", []netip.AddrPort{first, second, third}, lists{
			start: "quorum up, 1 down, 2 down, 3 down, quorum down", back: "1 up, quorum up", all: "2 up, 3 up"}},
		"all dead at the start, sorry server": {"sorry_server = \"198.51.100.9:80\"", []netip.AddrPort{first, second, third}, lists{
			start: "1 down, 2 down, 3 down, quorum down", back: "1 up, quorum up", all: "2 up, 3 up"}},
		"one dead at the start": {"quorum = 3", []netip.AddrPort{third}, lists{
			start: "1 up, 2 up, 3 down", one: "1 down", two: "2 down", back: "1 up", all: "2 up, 3 up, quorum up"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, new(ipvstest.Kernel), t.TempDir(), scripted("tell", tt.more), tt.down...)
				step := func(when, want string) {
					t.Helper()
					h.pass(4 * time.Second)
					h.wantRan(when, slices.DeleteFunc(strings.Split(want, ", "), func(s string) bool { return s == "" })...)
				}
				step("start", tt.want.start)
				for i, want := range []string{tt.want.one, tt.want.two, tt.want.three} {
					h.down.Store(addr(i+1), true)
					step(fmt.Sprint(i+1, " died"), want)
				}
				h.down.Delete(first)
				step("1 is back", tt.want.back)
				h.down.Delete(second)
				h.down.Delete(third)
				step("all are back", tt.want.all)
				h.stop()
				step("stop", tt.want.stop)
			})
		})
	}
}

// With rs_init_notifies servers are told of that were up without a check, and only once.
func TestNotificationsOfFirstStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = "[global_defs]\nrs_init_notifies = true\n"
		text := all + scripted("tell", "alpha = false")
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text, second)
		h.pass(4 * time.Second)
		h.wantRan("start", "1 up", "2 up", "3 up", "quorum up", "2 down")
		h.write(text + "[[virtual_server.real_server]]\naddress = \"198.51.100.4:80\"\nnotify_up = \"/bin/tell 4 up\"\n")
		h.reloaded()
		h.pass(4 * time.Second)
		h.wantRan("a new server", "4 up")
		h.stop()
	})
}

// A reload tells of what it takes away and of what is new to it, and of nothing else.
func TestNotificationsOfReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), scripted("tell", ""), second)
		h.pass(4 * time.Second)
		h.wantRan("start", "1 up", "2 down", "3 up", "quorum up")
		reload := func(when, text string, want ...string) {
			t.Helper()
			h.write(text)
			h.reloaded()
			h.pass(4 * time.Second)
			h.wantRan(when, want...)
		}
		whole := scripted("tell", "")
		reload("nothing", whole)
		reload("another timing", strings.Replace(whole, "delay_loop = 3", "delay_loop = 2", 1))
		reload("other scripts", strings.ReplaceAll(whole, "/bin/tell", "/bin/shout"))
		two := whole[:strings.LastIndex(whole, "[[virtual_server.real_server]]")]
		reload("a server less", two, "3 down")
		reload("it returns", whole, "3 up")
		reload("a dead server less", strings.Replace(whole, "198.51.100.2:80", "198.51.100.4:80", 1), "2 up")
		reload("again", whole, "2 down", "2 down") // number 4 goes, which was told of by the scripts of number 2, and that is dead
		reload("no virtual server", "[global_defs]\nrouter_id = \"x\"\n", "1 down", "3 down", "quorum down")
		reload("it returns", whole, "1 up", "2 down", "3 up", "quorum up")
		h.down.Store(first, true)
		h.down.Store(third, true)
		h.pass(4 * time.Second)
		h.wantRan("all died", "1 down", "3 down", "quorum down")
		reload("no virtual server, and nothing lived", "[global_defs]\nrouter_id = \"x\"\n")
		h.stop()
		h.wantRan("stop")
	})
}

// With omega the daemon's last word is that all is down, also where the sorry servers have the clients, and that the quorum is
// lost, also where it was.
func TestOmegaWhileSorry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), scripted("tell", "omega = true\nquorum = 3\nsorry_server = \"198.51.100.9:80\""), second)
		h.pass(4 * time.Second)
		h.wantRan("start", "1 up", "2 down", "3 up", "quorum down")
		h.stop()
		h.wantRan("stop", "1 down", "3 down", "quorum down")
	})
}

// Scripts that take their time run one after another, and hold nothing up but those of their own virtual server. A stop waits
// for them, but not for ever.
func TestSlowScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), scripted("slow", "")+strings.Replace(scripted("tell", ""), "192.0.2.1", "192.0.2.2", 1))
		h.pass(time.Second)
		h.wantRan("quick ones", "1 up", "2 up", "3 up", "quorum up")
		h.wantServing("meanwhile", first, second, third)
		h.pass(8 * time.Second)
		h.wantRan("slow ones", "1 up", "2 up", "3 up", "quorum up")
		h.stop()

		h = start(t, new(ipvstest.Kernel), t.TempDir(), scripted("hang", "omega = true"))
		h.pass(time.Second)
		before := time.Now()
		h.stop()
		if took := time.Since(before); took != stopLimit {
			t.Errorf("the stop took %v", took)
		}
		if n := strings.Count(h.log.String(), `msg="notification failed" service="tcp 192.0.2.1:80"`); n != 8 {
			t.Errorf("%d lines of failure, want 4 at the start and 4 at the stop:\n%s", n, h.log)
		}
	})
}

// Each notification is a line in the log, and so is each change of a quorum and of who serves.
func TestAnnouncementsInLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Replace(scripted("tell", "quorum = 2\nsorry_server = \"198.51.100.9:80\""), "/bin/tell 1 down", "/bin/fail", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Second)
		h.down.Store(first, true)
		h.down.Store(second, true)
		h.pass(4 * time.Second)
		h.down.Delete(second)
		h.pass(4 * time.Second)
		for _, line := range []string{
			`level=INFO msg=notified service="tcp 192.0.2.1:80" server=198.51.100.2:80 event=notify_up script=/bin/tell` + "\n",
			`level=INFO msg=notified service="tcp 192.0.2.1:80" event=quorum_up script=/bin/tell` + "\n",
			`level=WARN msg="notification failed" service="tcp 192.0.2.1:80" server=198.51.100.1:80 event=notify_down script=/bin/fail output="first line" err=`,
			`level=INFO msg="quorum changed" service="tcp 192.0.2.1:80" from=up to=down reason="live weight 1, quorum 2"`,
			`level=INFO msg="sorry servers changed" service="tcp 192.0.2.1:80" from=idle to=serving reason="the quorum is lost"`,
			`level=INFO msg="quorum changed" service="tcp 192.0.2.1:80" from=down to=up reason="live weight 2, quorum 2"`,
			`level=INFO msg="sorry servers changed" service="tcp 192.0.2.1:80" from=serving to=idle reason="the quorum is there again"`,
		} {
			if !strings.Contains(h.log.String(), line) {
				t.Errorf("no line %s in the log", line)
			}
		}
		if n := strings.Count(h.log.String(), "quorum changed"); n != 2 {
			t.Errorf("%d changes of the quorum", n)
		}
		if t.Failed() {
			t.Log(h.log)
		}
		h.stop()
	})
}

// Fail-open is a line in the log when it begins and ends, and no news to scripts of servers: those are down as before.
func TestFailOpenInLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), scripted("tell", "minimum_healthy = 2"))
		h.pass(time.Second)
		h.ran.since()
		for _, a := range []netip.AddrPort{first, second} {
			h.down.Store(a, true)
		}
		h.pass(4 * time.Second)
		h.wantRan("two died", "1 down", "2 down")
		h.wantServing("fail-open", first, second, third)
		h.down.Delete(first)
		h.pass(4 * time.Second)
		h.wantRan("one is back", "1 up")
		for _, line := range []string{
			`msg="fail-open changed" service="tcp 192.0.2.1:80" from=off to=on reason="1 of 3 servers up"`,
			`msg="fail-open changed" service="tcp 192.0.2.1:80" from=on to=off reason="2 of 3 servers up"`,
		} {
			if !strings.Contains(h.log.String(), line) {
				t.Errorf("no line %s in the log:\n%s", line, h.log)
			}
		}
		h.stop()
	})
}

// A script that can't be run is no reason to refuse a configuration, but one to say so, once for each program.
func TestUnfitScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.write(scripted("no-such-program", ""))
		want := "quorum_up of tcp 192.0.2.1:80 and 7 more will not run: /bin/no-such-program: file does not exist"
		if a := h.reloaded(); a.Rejected != "" || strings.Count(a.Warnings, want) != 1 {
			t.Errorf("%+v", a)
		}
		if a, err := h.Plan(t.Context(), nil); err != nil || strings.Count(a.Warnings, want) != 1 {
			t.Errorf("%v: %+v", err, a)
		}
		if n := strings.Count(h.log.String(), want); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, h.log)
		}
		h.write(scripted("true", ""))
		if a := h.reloaded(); a.Warnings != "" {
			t.Errorf("of a program that there is: %s", a.Warnings)
		}
		h.stop()
	})
}
