package daemon

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// neighbors are BFD sessions that do nothing but know their configuration.
type neighbors struct{ configs map[string]*bfd.Config }

func (*neighbors) Run(context.Context) error                    { return nil }
func (n *neighbors) Change(configs map[string]*bfd.Config)      { n.configs = configs }
func (*neighbors) Status(context.Context) ([]bfd.Status, error) { return nil, nil }

// sessioned are servers of which two need sessions.
const sessioned = `
[bfd_instance.ONE]
neighbor_ip = "198.51.100.1"
[bfd_instance.TWO]
neighbor_ip = "198.51.100.2"
idle_tx = 2000
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
delay_loop = 3600
retry = 3
  [[virtual_server.real_server]]
  address = "198.51.100.1:80"
  BFD_CHECK = { name = "ONE" }
  [[virtual_server.real_server]]
  address = "198.51.100.2:80"
  BFD_CHECK = { name = "TWO" }
  [[virtual_server.real_server]]
  address = "198.51.100.3:80"
  TCP_CHECK = true
`

func (r *routerGroup) news() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := strings.Join(r.heard, "; ")
	r.heard = nil
	return news
}

// moment is enough for what happens at once: a probe, the verdict, a round.
const moment = 3 * debounce

// Servers follow their sessions at once, whatever delay_loop and retry say, and so do those who track them.
func TestServersFollowSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		dir := t.TempDir()
		h := start(t, k, dir, sessioned)
		if names := slices.Sorted(maps.Keys(h.neighbors.configs)); !slices.Equal(names, []string{"ONE", "TWO"}) {
			t.Errorf("sessions %v", names)
		}
		heard := func(when, want string) {
			t.Helper()
			if got := h.group.news(); got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		begins := func() {
			h.sessions.report("ONE", false, "nothing heard from 198.51.100.1")
			h.sessions.report("TWO", false, "nothing heard from 198.51.100.2")
			heard("begin", "bfd ONE up false nothing heard from 198.51.100.1; bfd TWO up false nothing heard from 198.51.100.2")
			h.pass(moment)
		}
		begins()
		h.wantServing("no session yet", third)
		h.sessions.report("ONE", true, "up")
		heard("up", "bfd ONE up true ")
		h.pass(moment)
		h.wantServing("one is up", first, third)

		// A session that never was up has had its time after three of its idle_tx.
		verdict := func() (list []string) {
			for _, c := range h.ask(status.CheckQuery{Type: "BFD_CHECK"}, false) {
				list = append(list, c.What+" "+c.State.String()+" "+c.Error)
			}
			return list
		}
		h.pass(5 * time.Second)
		if got, want := verdict(), []string{"ONE up ", "TWO unchecked "}; !slices.Equal(got, want) {
			t.Errorf("after 5 s %q", got)
		}
		h.pass(2 * time.Second)
		if got, want := verdict(), []string{"ONE up ", "TWO down BFD session TWO is down: nothing heard from 198.51.100.2"}; !slices.Equal(got, want) {
			t.Errorf("after 7 s %q", got)
		}
		if e := h.status().Engine; slices.ContainsFunc(e.Types, func(c status.CheckType) bool { return c.Skipped > 0 }) {
			t.Errorf("nothing is wrong with the host: %+v", e.Types)
		}
		h.sessions.report("TWO", true, "up")
		h.pass(moment)
		h.wantServing("both are up", first, second, third)
		h.sessions.report("ONE", false, "nothing heard from 198.51.100.1 for 50ms")
		h.pass(moment)
		h.wantServing("one went down", second, third)
		if n := h.logged("BFD session ONE is down: nothing heard from 198.51.100.1 for 50ms"); n == 0 {
			t.Errorf("the log does not say why:\n%s", h.log)
		}
		h.sessions.report("ONE", true, "up")
		h.pass(moment)
		h.wantServing("and came back", first, second, third)
		h.group.news()

		// A reload that says the same of sessions tells who tracks them; news of one that is gone mean nothing.
		h.write(sessioned + "[bfd_instance.THREE]\nneighbor_ip = \"198.51.100.3\"\n")
		h.reloaded()
		heard("reload", "bfd ONE up true ; bfd TWO up true ")
		h.wantServing("after a reload", first, second, third)
		h.write(sessioned)
		h.reloaded()
		h.group.news()
		h.sessions.report("THREE", true, "up")
		heard("a session that is gone", "")

		// With another neighbor it is another session, which gets its time.
		h.write(strings.Replace(sessioned, `neighbor_ip = "198.51.100.1"`, `neighbor_ip = "198.51.100.7"`, 1))
		h.reloaded()
		h.sessions.report("ONE", false, "nothing heard from 198.51.100.7")
		h.pass(2 * time.Second)
		h.wantServing("another neighbor", first, second, third)
		h.pass(2 * time.Second)
		h.wantServing("which is silent", second, third)
		h.sessions.report("ONE", true, "up")
		h.pass(moment)
		h.wantServing("and speaks", first, second, third)
		h.stop()

		// Who begins anew takes nobody's clients away before the sessions are up again.
		h = start(t, k, dir, sessioned)
		begins()
		h.wantServing("a restart", first, second, third)
		h.sessions.report("ONE", true, "up")
		h.pass(4 * time.Second)
		h.wantServing("a restart, some seconds later", first, second, third)
		h.pass(3 * time.Second)
		h.wantServing("a restart, and nothing was heard of the second", first, third)
		h.stop()
	})
}

// ipvsctl probe asks the daemon's sessions, and without a daemon says who would know.
func TestProbeOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), sessioned)
		h.sessions.report("ONE", true, "up")
		h.sessions.report("TWO", false, "nothing heard from 198.51.100.2")
		p, err := h.Probe(t.Context(), status.CheckQuery{Type: "BFD_CHECK"})
		if err != nil || len(p.Probes) != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		if a, b := p.Probes[0], p.Probes[1]; a.What != "ONE" || a.Error != "" || b.Error != "BFD session TWO: nothing heard from 198.51.100.2: it is too early to tell" {
			t.Errorf("%+v, %+v", a, b)
		}
		cfg, _ := config.Load("t.toml", []byte(sessioned))
		c := cfg.VirtualServers[0].RealServers[0].Checks[0].Check()
		if _, err := new(sessions).before(h.probe)(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "nothing is known of the BFD session ONE") {
			t.Error(err)
		}
		h.stop()
	})
}
