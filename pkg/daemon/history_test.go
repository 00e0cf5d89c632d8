package daemon

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// Whatever the order of reloads, verdicts, drift, refusals and restarts: once it is quiet, the table is what a daemon without
// a past would make, and nobody remembers more than there is.
func TestHistories(t *testing.T) {
	const histories, moments = 6, 12
	base := rand.Uint64()
	for n := range uint64(histories) {
		seed := base + n
		synctest.Test(t, func(t *testing.T) {
			m := &model{Rand: rand.New(rand.NewPCG(seed, 0)), down: make(map[netip.AddrPort]bool)}
			m.house = start(t, new(ipvstest.Kernel), t.TempDir(), m.configure())
			m.took.Store(int64(time.Second / 10))
			for moment := range moments {
				for range 1 + m.IntN(4) {
					m.event()
				}
				m.settle()
				if t.Failed() {
					t.Fatalf("seed %d, moment %d, %s\n%s", seed, moment, strings.Join(m.events, "; "), m.text())
				}
				m.events = nil
			}
			m.stop()
		})
	}
}

// model is a daemon with a random history, and what of it the next events need to know.
type model struct {
	*rand.Rand
	*house
	down    map[netip.AddrPort]bool
	virtual []string // of the configuration
	groups  [2]string
	events  []string // since it was quiet
}

// configure changes the configuration at random.
func (m *model) configure() string {
	if m.virtual == nil {
		m.virtual = make([]string, 6)
		for i := range m.groups {
			m.groups[i] = m.entries(i)
		}
	}
	for i := range m.groups {
		if m.IntN(4) == 0 {
			m.groups[i] = m.entries(i)
		}
	}
	for i := range m.virtual {
		if m.virtual[i] == "" || m.IntN(3) == 0 {
			m.virtual[i] = m.server(i)
		}
	}
	order := m.Perm(len(m.virtual))
	if m.IntN(2) == 0 {
		slices.Sort(order)
	}
	text := "[global_defs]\nrouter_id = \"" + m.pick("a", "a", "a", "b") + "\"\n"
	served := ""
	for _, i := range order {
		served += m.virtual[i]
	}
	for i, g := range m.groups {
		if strings.Contains(served, fmt.Sprintf("group = \"G%d\"", i)) {
			// What a group has, nobody else has.
			text += fmt.Sprintf("[virtual_server_group.G%d]\n%s", i, g)
		}
	}
	if text += served; m.IntN(4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// entries of groups; those of the first one may be virtual servers of their own, too.
func (m *model) entries(group int) string {
	if group == 0 {
		return m.pick(`address = ["192.0.2.1-2:80"]`, `address = ["192.0.2.1:80", "192.0.2.2:80"]`, `address = ["192.0.2.2:80"]`) + "\n"
	}
	return m.pick(`address = ["192.0.2.9:80"]`, `address = ["192.0.2.8-9:80"]`, `fwmark = ["7 inet"]`,
		"address = [\"192.0.2.8:80\"]\nfwmark = [\"7 inet\", \"8 inet\"]") + "\n"
}

// server is a virtual server: 0 and 1 are addresses that the first group may have instead, which is 2; 3 is the other group.
func (m *model) server(i int) string {
	single := func(key string) string { return "[[virtual_server]]\n" + key + "\n" + m.keywords() }
	switch i {
	case 0, 1, 2:
		grouped := i == 2 && m.IntN(2) == 0 || i < 2 && strings.Contains(m.virtual[2], "group")
		switch {
		case i == 2 && grouped:
			m.virtual[0], m.virtual[1] = "#\n", "#\n"
			return single("group = \"G0\"\nprotocol = \"TCP\"")
		case i == 2:
			return "#\n"
		case grouped || m.IntN(4) == 0:
			return "#\n"
		}
		return single(fmt.Sprintf("address = \"192.0.2.%d:80\"\nprotocol = \"TCP\"", i+1))
	case 3:
		if m.IntN(3) == 0 {
			return "#\n"
		}
		return single("group = \"G1\"\nprotocol = \"TCP\"")
	case 4:
		return single("fwmark = 1\nip_family = \"inet\"")
	}
	return single("address = \"192.0.2.5:53\"\nprotocol = \"" + m.pick("TCP", "UDP") + "\"")
}

func (m *model) keywords() string {
	var b strings.Builder
	say := func(of int, lines ...string) {
		if m.IntN(of) == 0 {
			fmt.Fprintln(&b, m.pick(lines...))
		}
	}
	say(1, `lb_algo = "rr"`, `lb_algo = "wlc"`, `lb_algo = "mh"`, `lb_algo = "sh"`, "lb_algo = \"mh\"\nmh-fallback = false", `lb_algo = "dh"`)
	say(2, "quorum = 2", "quorum = 2\nhysteresis = 1")
	say(2, "drain_timeout = 5", "drain_timeout = 20")
	say(3, "inhibit_on_failure = true", "inhibit_on_failure = false")
	say(2, "delay_loop = 3", "delay_loop = 4")
	say(4, "alpha = false")
	say(3, "quorum_up = \"/bin/true\"", "quorum_down = '/bin/false'")
	if m.IntN(2) == 0 {
		say(1, `sorry_server = "198.51.100.9:80"`, `sorry_server = ["198.51.100.8:80", "198.51.100.9:80"]`)
		say(2, "sorry_server_inhibit = true")
	} else {
		say(2, "minimum_healthy = 1", `minimum_healthy = "50%"`)
	}
	say(5, "TCP_CHECK = false", "TCP_CHECK = { retry = 0 }", "TCP_CHECK = { connect_timeout = 2 }")
	if !strings.Contains(b.String(), "TCP_CHECK") {
		b.WriteString("TCP_CHECK = true\n")
	}
	say(3, "HTTP_GET = { connect_port = 81 }", "HTTP_GET = { connect_port = 81 }\nchecks_needed = \"any\"")
	say(4, "rise = 2", "fall = 3", "fast_interval = 0.5")
	say(4, "hold_down = 5", "hold_down = 10\nhold_down_max = 40")
	say(3, "slow_start = 20", "slow_start = 4")
	for n := 1; n <= 6; n++ {
		if m.IntN(3) > 0 || n == 1 {
			fmt.Fprintf(&b, "[[virtual_server.real_server]]\naddress = \"%s\"\nweight = %d\n", addr(n), m.IntN(4))
		}
	}
	return b.String()
}

func (m *model) pick(of ...string) string { return of[m.IntN(len(of))] }

// event has something happen.
func (m *model) event() {
	note := func(format string, args ...any) { m.events = append(m.events, fmt.Sprintf(format, args...)) }
	switch m.IntN(21) {
	case 0, 1, 2:
		note("reload")
		m.reload()
	case 3, 4, 5, 6:
		for range 1 + m.IntN(3) {
			a := addr(1 + m.IntN(9))
			if m.IntN(3) == 0 {
				a = netip.AddrPortFrom(a.Addr(), 81)
			}
			m.flip(a)
		}
		note("flip")
	case 7, 8:
		note("drift")
		m.drift()
	case 9:
		note("restart")
		m.restart()
	case 10:
		on := m.IntN(3) == 0
		note("module %t", on)
		m.kernel.SetLoaded(on)
	case 11:
		share := m.IntN(3)
		note("refuse %d", share)
		m.kernel.Refuse(func(c ipvs.Command) ipvs.Errno {
			if share > 0 && len(c.String())%3 < share {
				return ipvs.ENOMEM
			}
			return 0
		})
	case 12:
		note("status")
		m.check(false)
	case 13:
		done := m.IntN(2) == 0
		note("lost answer %t", done)
		m.kernel.LoseReplyAt(m.IntN(5), done)
	case 14:
		note("interrupted")
		m.kernel.InterruptSnapshots(m.IntN(5))
	case 15:
		note("connections")
		m.connect()
	case 18, 19, 20:
		o := m.order()
		note("%s %s %s for %v, %v", o.Verb, o.Server, o.Service, o.Deadline, o.Expires)
		_, _ = m.Order(m.t.Context(), o) // there may be no such server, nothing to end, or no kernel
	case 16, 17:
		note("advice")
		m.found.Store(addr(1+m.IntN(9)), health.Finding{Advice: health.Advice{
			Kind: health.AdviceKind(m.IntN(4)), Value: m.Int32N(7) - 2,
		}})
	}
	if m.IntN(2) == 0 {
		m.pass(time.Duration(m.IntN(4000)) * time.Millisecond)
	}
}

// order is something that an operator asks for.
func (m *model) order() control.Order {
	o := control.Order{
		Verb:   m.pick(control.Drain, control.Drain, control.Undrain, control.Disable, control.Enable, control.Weight),
		Server: addr(1 + m.IntN(6)).String(), Service: m.pick("", "", "tcp 192.0.2.1:80", "group G1 tcp"),
	}
	if m.IntN(3) == 0 {
		o.Server = m.pick("198.51.100.1", "198.51.100.2", "198.51.100.9")
	}
	if o.Verb == control.Weight && m.IntN(3) > 0 {
		n := m.Int32N(4)
		o.Weight = &n
	}
	if o.Verb == control.Drain && m.IntN(2) == 0 {
		o.Deadline = time.Duration(1+m.IntN(30)) * time.Second
	}
	if (o.Verb == control.Drain || o.Verb == control.Disable || o.Weight != nil) && m.IntN(2) == 0 {
		o.Expires = time.Duration(31+m.IntN(300)) * time.Second // some when it is quiet, some later
	}
	return o
}

func (m *model) flip(a netip.AddrPort) {
	if m.down[a] = !m.down[a]; m.down[a] {
		m.house.down.Store(a, true)
	} else {
		m.house.down.Delete(a)
	}
}

// reload takes another configuration. What a check knew of a server, all checks of that server know after it.
func (m *model) reload() {
	m.write(m.configure())
	known := make(map[health.Check]bool) // by subject
	m.within(func(context.Context) {
		for id, k := range m.verdicts {
			c := id.Check()
			known[c.Subject()] = known[c.Subject()] || k.State != health.Unchecked
		}
	})
	if a := m.reloaded(); a.Rejected != "" {
		m.t.Fatal(a.Rejected)
	}
	m.within(func(context.Context) {
		for id := range m.cfg.Checks() {
			if c := id.Check(); known[c.Subject()] && m.verdicts[id].State == health.Unchecked {
				m.t.Errorf("the reload forgot what was known of %s", c.Target)
			}
		}
	})
}

// within has f run by the owner's goroutine.
func (m *model) within(f func(context.Context)) {
	if _, err := ask(m.t.Context(), m.owner, func(ctx context.Context) bool { f(ctx); return true }); err != nil {
		m.t.Fatal(err)
	}
}

// drift changes the table by hand.
func (m *model) drift() {
	table, err := m.kernel.Snapshot(m.t.Context())
	if err != nil {
		return // there is none
	}
	var cmds []ipvs.Command
	for range 1 + m.IntN(3) {
		if len(table) == 0 {
			break
		}
		s := &table[m.IntN(len(table))]
		foreign := ipvstest.NAT(fmt.Sprintf("203.0.113.%d:80", m.IntN(3)))
		if s.Family == ipvs.IPv4 {
			cmds = append(cmds, ipvs.Command{Op: ipvs.NewDestination, Service: s.Service, Destination: foreign})
		}
		if m.IntN(4) == 0 {
			cmds = append(cmds, ipvs.Command{Op: ipvs.DelService, Service: s.Service})
		}
		if len(s.Destinations) > 0 {
			d := s.Destinations[m.IntN(len(s.Destinations))].Destination
			cmds = append(cmds, ipvs.Command{Op: ipvs.DelDestination, Service: s.Service, Destination: d})
			d.Weight += m.Int32N(3)
			if m.IntN(2) == 0 {
				cmds = append(cmds, ipvs.Command{Op: ipvs.NewDestination, Service: s.Service, Destination: d})
			}
		}
	}
	_, _ = m.kernel.Apply(m.t.Context(), cmds) // its answer may be the one that gets lost
}

// connect gives servers connections, which keep them from leaving at once.
func (m *model) connect() {
	table, err := m.kernel.Snapshot(m.t.Context())
	if err != nil {
		return
	}
	for i := range table {
		for _, d := range table[i].Destinations {
			if err := m.kernel.Count(table[i].ServiceKey, d.Addr, ipvs.Stats{}, uint32(m.IntN(2)), 0); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func (m *model) restart() {
	k, dir, text := m.kernel, m.options.StateDir, m.text()
	m.kill()
	var down []netip.AddrPort
	for a, is := range m.down {
		if is {
			down = append(down, a)
		}
	}
	advice := m.found
	m.house = start(m.t, k, dir, text, down...)
	advice.Range(func(a, f any) bool { m.found.Store(a, f); return true })
	m.took.Store(int64(time.Second / 10))
}

func (m *model) text() string {
	text, err := os.ReadFile(m.files.config)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// settle waits until it is quiet, and checks everything.
func (m *model) settle() {
	m.kernel.SetLoaded(true)
	m.kernel.Refuse(nil)
	m.kernel.InterruptSnapshots(0)
	m.pass(3 * time.Minute)
	m.check(true)
}

// check compares what is with what should be, as far as that is settled.
func (m *model) check(quiet bool) {
	m.within(func(ctx context.Context) { m.compare(ctx, quiet) })
	if !quiet {
		return
	}
	if plan, err := m.Plan(m.t.Context(), nil); err != nil || len(plan.Changes)+len(plan.Waiting) > 0 {
		m.t.Errorf("plan: %v, %+v", err, plan)
	}
}

// compare runs in the owner's goroutine.
func (m *model) compare(ctx context.Context, quiet bool) {
	status := m.snapshot(m.round(ctx, reconcile.Whole).Table, time.Now())
	quorums := make(map[ipvs.ServiceKey]health.State)
	for _, vs := range m.cfg.VirtualServers {
		for i := range vs.Services {
			quorums[vs.Services[i].ServiceKey] = m.quorums[vs.Name]
		}
	}
	for _, s := range status.Services {
		if s.Quorum.State != quorums[s.Key] {
			m.t.Errorf("status: the quorum of %s is %s, not %s", s.Key, s.Quorum.State, quorums[s.Key])
		}
	}
	if quiet && (len(status.Table.Refused) > 0 || status.Table.Error != "" || status.Table.Record != "") {
		m.t.Errorf("status: %+v", status.Table)
	}
	facts := desired.Facts{Verdicts: m.verdicts, Owned: m.ledger.Owned, Left: m.ledger.Left, Quorums: m.quorums, Wishes: m.wishes, Now: time.Now()}
	if quiet {
		facts.Owned, facts.Left, facts.Verdicts = nil, nil, make(desired.Verdicts)
		for c := range m.cfg.Checks() {
			state := health.Up
			if m.down[c.Check().Target] {
				state = health.Down
			}
			var advice health.Advice
			if f, some := m.found.Load(c.Check().Target); state == health.Down {
				advice = m.verdicts[c].Advice // of the last time that it passed
			} else if some {
				advice = f.(health.Finding).Advice
			}
			facts.Verdicts[c] = health.Checker{Standing: health.Standing{State: state, Advice: advice}}
			if m.verdicts[c].State != state {
				m.t.Errorf("verdict on %s: %s, not %s", c.Check().Target, m.verdicts[c].State, state)
			}
		}
	}
	if !m.stale { // every outcome is what it would be now
		for _, vs := range m.cfg.VirtualServers {
			if got, want := m.outcomes[vs], desired.Decide(vs, facts); !reflect.DeepEqual(got, want) {
				m.t.Errorf("%s: decided\n%+v, want\n%+v", vs.Name, got, want)
			}
		}
	}
	if !quiet {
		return
	}
	text := m.text()
	if whole, _ := config.Load(m.files.config, []byte(text)); !reflect.DeepEqual(whole, m.cfg) {
		m.t.Errorf("loaded\n%s\nas\n%s", text, config.Format(m.cfg))
	}
	want := desired.Compute(m.cfg, facts)
	owned := make(desired.Owned)
	desired.NewLedger(owned).Follow(nil, m.cfg.VirtualServers, facts.Now)
	if !reflect.DeepEqual(m.ledger.Owned, owned) || len(m.ledger.Left) > 0 || m.ledger.Leaving() {
		m.t.Errorf("ours: %v, want %v; left %v", m.ledger.Owned, owned, m.ledger.Left)
	}
	if recorded, err := m.files.readWishes(); err != nil || fmt.Sprint(recorded.All()) != fmt.Sprint(m.wishes.All()) {
		m.t.Errorf("%v: wishes on record: %+v, want %+v", err, recorded.All(), m.wishes.All())
	}
	if recorded, err := m.files.readOwned(); err != nil || !reflect.DeepEqual(recorded, owned) {
		m.t.Errorf("%v: on record: %v, want %v", err, recorded, owned)
	}
	if got, want := len(m.verdicts), len(facts.Verdicts); got != want || len(m.roster.servers) != want || len(m.roster.touched) > 0 {
		m.t.Errorf("%d verdicts, %d checks with servers, want %d", got, len(m.roster.servers), want)
	}
	if n := len(m.cfg.VirtualServers); len(m.outcomes) != n || len(m.quorums) != n || len(m.told) != n {
		m.t.Errorf("%d outcomes, %d quorums, %d told, want %d", len(m.outcomes), len(m.quorums), len(m.told), n)
	}
	table, err := m.kernel.Read(ctx, nil)
	if err != nil {
		m.t.Error(err)
	}
	m.compareTable(table, want)
}

// compareTable looks at the table without the help of package reconcile.
func (m *model) compareTable(table ipvs.Table, want desired.State) {
	list := make(map[string]bool)
	for i := range want {
		list[want[i].Service.String()] = true
		for _, d := range want[i].Destinations {
			switch d.Want {
			case desired.Present:
				list[d.Destination.String()+" of "+want[i].ServiceKey.String()] = true
			case desired.Absent:
			default:
				m.t.Errorf("%s of %s is not settled", d.Addr, want[i].ServiceKey)
			}
		}
	}
	for i := range table {
		s := &table[i]
		for _, line := range append(servers(s), s.Service.String()) {
			if !list[line] && !strings.Contains(line, "203.0.113.") {
				m.t.Errorf("in the table: %s", line)
			}
			delete(list, line)
		}
	}
	if len(list) > 0 {
		m.t.Errorf("not in the table: %s", slices.Collect(maps.Keys(list)))
	}
}

func servers(s *ipvs.ServiceStatus) (list []string) {
	for i := range s.Destinations {
		list = append(list, s.Destinations[i].Destination.String()+" of "+s.ServiceKey.String())
	}
	return list
}
