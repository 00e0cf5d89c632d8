package daemon

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// order has an operator ask for something.
func (h *house) ordered(o control.Order) *status.Wishes {
	h.t.Helper()
	o.Owner = "alice"
	s, err := h.Order(h.t.Context(), o)
	if err != nil {
		h.t.Fatalf("%+v: %v", o, err)
	}
	synctest.Wait()
	return s
}

// weights returns the servers of the web service with their weights, as ipvsadm would show them.
func (h *house) weights() (list []string) {
	h.t.Helper()
	table, err := h.kernel.Snapshot(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if s := table.Find(webKey); s != nil {
		list = servers(s)
		for i := range list {
			list[i], _, _ = strings.Cut(strings.TrimPrefix(list[i], "198.51.100."), " of ")
			list[i] = strings.Replace(list[i], ":80 NAT weight ", ":", 1)
		}
	}
	return list
}

func (h *house) wantWeights(when, want string) {
	h.t.Helper()
	if got := strings.Join(h.weights(), " "); got != want {
		h.t.Errorf("%s: %s, want %s", when, got, want)
	}
}

// again is a daemon that comes after another one.
func (h *house) again() *house {
	h.t.Helper()
	text, err := os.ReadFile(h.files.config)
	if err != nil {
		h.t.Fatal(err)
	}
	return start(h.t, h.kernel, h.options.StateDir, string(text))
}

func (h *house) connections(server netip.AddrPort, active, inactive uint32) {
	h.t.Helper()
	if err := h.kernel.Count(webKey, server, ipvs.Stats{}, active, inactive); err != nil {
		h.t.Fatal(err)
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.connections(first, 2, 7)
		s := h.ordered(control.Order{Verb: control.Drain, Server: first.String(), Reason: "new kernel", Deadline: 10 * time.Minute})
		h.wantWeights("at once", "1:0 2:1 3:1")
		if len(s.Wishes) != 1 || len(s.Warnings) > 0 || s.Record != "" {
			t.Fatalf("%+v", s)
		}
		if w := s.Wishes[0]; w.State() != "draining" || w.Open() != 2 || w.Owner != "alice" || w.Servers[0].TableWeight != 0 || w.Servers[0].Service != webKey {
			t.Errorf("%+v", w)
		}
		if r := h.status().Services[0].Servers[0]; r.EffectiveWeight != 0 || len(r.Wishes) != 1 || r.Wishes[0].Reason != "new kernel" {
			t.Errorf("%+v", r)
		}
		h.down.Store(first, true) // it closes its port
		h.pass(time.Minute)
		h.wantWeights("with its port closed", "1:0 2:1 3:1")

		h.write(strings.Replace(web, `"rr"`, `"wrr"`, 1))
		h.reloaded()
		h.wantWeights("after a reload", "1:0 2:1 3:1")
		h.kill()
		h = h.again()
		h.wantWeights("after kill -9", "1:0 2:1 3:1")
		h.pass(time.Minute)
		h.wantWeights("after kill -9, checked", "1:0 2:1 3:1")
		info, err := os.Stat(h.files.wishes)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}

		h.connections(first, 2, 7) // deadline: those are cut
		h.pass(8*time.Minute + time.Second)
		h.wantWeights("at the deadline", "2:1 3:1")
		s, err = h.Wishes(t.Context())
		if err != nil || len(s.Wishes) != 1 || s.Wishes[0].State() != "disabled" || s.Wishes[0].Cut != 2 {
			t.Errorf("%v: %+v", err, s)
		}
		synctest.Wait()
		if !strings.Contains(h.log.String(), `msg="a drain has come to its deadline: the server is disabled" server=198.51.100.1:80 service=all owner=alice reason="new kernel" cut=2`) {
			t.Error(h.log.String())
		}
		h.kill()
		h = h.again()
		h.pass(time.Minute)
		h.wantWeights("after the deadline and a start", "2:1 3:1")
		if s, err := h.Wishes(t.Context()); err != nil || s.Wishes[0].Cut != 2 {
			t.Errorf("%v: %+v", err, s)
		}

		h.ordered(control.Order{Verb: control.Undrain, Server: first.String()})
		h.wantWeights("at the end of the drain", "1:1 2:1 3:1")
		if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) > 0 {
			t.Errorf("%v: %+v", err, s)
		}
		h.kill()
		h = h.again()
		h.wantWeights("after another start", "1:1 2:1 3:1")
		h.stop()
	})
}

// Who has a server's mails and webhooks is told what is wanted of it, once, however many services it is in.
func TestWishesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "[global_defs]\nrouter_id = \"lb1\"\nsmtp_server = \"localhost\"\nnotification_email = \"ops@example.org\"\nsmtp_alert = true\n" +
			"[webhook.all]\nurl = \"https://alerts.example.org/a\"\n" + web + strings.Replace(web, "192.0.2.1:80", "192.0.2.1:81", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Second)
		h.connections(first, 2, 0)
		h.heard.mu.Lock()
		h.heard.list = nil
		h.heard.mu.Unlock()
		h.ordered(control.Order{Verb: control.Drain, Server: first.String(), Reason: "disk", Deadline: time.Minute, Expires: time.Hour})
		h.pass(2 * time.Hour)
		n := int32(5)
		h.ordered(control.Order{Verb: control.Weight, Server: second.String(), Service: "tcp 192.0.2.1:80", Weight: &n})
		h.ordered(control.Order{Verb: control.Weight, Server: second.String(), Service: "tcp 192.0.2.1:80"})
		h.wantHeard("of wishes", "mail [lb1] Server 198.51.100.1:80 - DRAIN => drain by alice <=", "mail [lb1] Server 198.51.100.1:80 - DRAIN_DEADLINE => drain <=",
			"mail [lb1] Server 198.51.100.1:80 - WISH_OVER => drain <=", "mail [lb1] Server 198.51.100.2:80 of tcp 192.0.2.1:80 - WEIGHT => weight 5 by alice <=",
			"mail [lb1] Server 198.51.100.2:80 of tcp 192.0.2.1:80 - WISH_OVER => weight 5 by alice <=")
		h.stop()
	})
}

// A server that may serve again has its slow start, which a restart does not end.
func TestSlowStartAfterDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Replace(web, "delay_loop", "slow_start = 20\nweight = 100\ndelay_loop", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Minute)
		h.ordered(control.Order{Verb: control.Drain, Server: first.String(), Expires: time.Hour})
		h.wantWeights("drained", "1:0 2:100 3:100")
		h.pass(time.Minute)
		h.ordered(control.Order{Verb: control.Undrain, Server: first.String()})
		h.wantWeights("at once", "1:9 2:100 3:100")
		if r := h.status().Services[0].Servers[0]; r.SlowStartUntil.IsZero() {
			t.Errorf("%+v", r)
		}
		h.pass(11 * time.Second)
		h.wantWeights("half way", "1:54 2:100 3:100")
		h.kill()
		h = h.again()
		h.wantWeights("after kill -9", "1:54 2:100 3:100")
		h.pass(11 * time.Second)
		h.wantWeights("later", "1:100 2:100 3:100")
		h.ordered(control.Order{Verb: control.Disable, Server: first.String(), Expires: time.Minute})
		h.pass(time.Minute + 100*time.Millisecond)
		h.wantWeights("as it is over", "1:9 2:100 3:100")
		h.stop()
		if log := h.log.String(); strings.Count(log, "slow start begins") != 2 || strings.Count(log, "slow start ends") != 1 {
			t.Error(log)
		}
	})
}

func TestWishesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		n := int32(7)
		h.ordered(control.Order{Verb: control.Disable, Server: first.String(), Expires: time.Minute})
		h.ordered(control.Order{Verb: control.Weight, Server: second.String(), Weight: &n, Expires: 2 * time.Minute})
		h.wantWeights("at once", "2:7 3:1")
		h.pass(59 * time.Second)
		h.wantWeights("before its time", "2:7 3:1")
		h.pass(2 * time.Second)
		h.wantWeights("after its time", "1:1 2:7 3:1")
		h.kill()
		h.pass(time.Minute) // the other one's time comes while no daemon runs
		h = h.again()
		h.wantWeights("after a start", "1:1 2:1 3:1")
		h.ordered(control.Order{Verb: control.Weight, Server: second.String(), Weight: &n})
		h.wantWeights("another weight", "1:1 2:7 3:1")
		h.ordered(control.Order{Verb: control.Weight, Server: second.String()})
		h.wantWeights("the configured weight", "1:1 2:1 3:1")
		h.stop()
	})
}

// A disk that takes nothing is told; the wish holds, and is written later.
func TestWishOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		obstacle := h.files.wishes + ".new"
		if err := os.Mkdir(obstacle, 0o700); err != nil {
			t.Fatal(err)
		}
		s := h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		h.wantWeights("all the same", "1:0 2:1 3:1")
		log := h.log.String() // while all rest: others than the owner log, too
		if s.Record == "" || h.status().WishesRecord == "" || !strings.Contains(log, "can't be written to the disk") {
			t.Errorf("%+v\n%s", s, log)
		}
		// What could not be removed was the obstacle itself.
		if err := os.RemoveAll(obstacle); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		if r := h.status().WishesRecord; r != "" {
			t.Error(r)
		}
		h.kill()
		h = h.again()
		h.wantWeights("after a start", "1:0 2:1 3:1")
		h.stop()
	})
}

// A record that can't be read does not keep the daemon from starting, and is kept for who wants to know what was in it.
func TestUnreadableWishes(t *testing.T) {
	for name, text := range map[string]string{
		"cut off": `{"version":1,"wishes":[{"server":`, "of a later version": `{"version":2,"wishes":[]}`, "empty": "", "null": "null",
		"of a later ipvsd": `{"version":1,"wishes":[{"server":"198.51.100.1:80","what":"drain","since":"2026-11-22T12:00:00Z","version":1,"mood":"bad"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				f := filesIn(Options{StateDir: dir})
				if err := os.WriteFile(f.wishes, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				h := start(t, new(ipvstest.Kernel), dir, web)
				h.pass(time.Second)
				h.wantWeights("without wishes", "1:1 2:1 3:1")
				if log := h.log.String(); !strings.Contains(log, "until you say so again") || !strings.Contains(log, f.wishes+".unread") {
					t.Error(log)
				}
				h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
				if aside, err := os.ReadFile(f.wishes + ".unread"); err != nil || string(aside) != text {
					t.Errorf("%v: %q", err, aside)
				}
				h.kill()
				h = h.again()
				h.wantWeights("after another start", "1:0 2:1 3:1")
				if log := h.log.String(); strings.Contains(log, ".unread") {
					t.Error(log)
				}
				h.stop()
			})
		})
	}
}

const tagged = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
[[virtual_server.real_server]]
address = "198.51.100.1:80"
name = "web1"
tags = ["rack1", "php"]
[[virtual_server.real_server]]
address = "198.51.100.2:80"
name = "web2"
tags = ["rack1"]
[[virtual_server.real_server]]
address = "198.51.100.3:80"
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
TCP_CHECK = false
real_servers = ["198.51.100.1:80", "198.51.100.1:81"]
[virtual_server_group.G]
address = ["192.0.2.3:80", "192.0.2.3:443"]
[[virtual_server]]
group = "G"
protocol = "TCP"
TCP_CHECK = false
real_servers = ["198.51.100.9"]
`

// Servers are named by address, port, name and tag, for all services or one.
func TestWhichServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), tagged)
		h.pass(time.Second)
		for _, tt := range []struct{ server, service, want string }{
			{"198.51.100.1", "", "198.51.100.1 of tcp 192.0.2.1:80, 198.51.100.1 of tcp 192.0.2.2:80, 198.51.100.1 of tcp 192.0.2.2:80"},
			{"198.51.100.1:80", "", "198.51.100.1:80 of tcp 192.0.2.1:80, 198.51.100.1:80 of tcp 192.0.2.2:80"},
			{"198.51.100.1:80", "tcp 192.0.2.2:80", "198.51.100.1:80 of tcp 192.0.2.2:80"},
			{"web1", "", "198.51.100.1:80 of tcp 192.0.2.1:80, 198.51.100.1:80 of tcp 192.0.2.2:80"},
			{"tag:php", "tcp 192.0.2.1:80", "198.51.100.1:80 of tcp 192.0.2.1:80"},
			{"tag:rack1", "", "198.51.100.1:80 of tcp 192.0.2.1:80, 198.51.100.1:80 of tcp 192.0.2.2:80, 198.51.100.2:80 of tcp 192.0.2.1:80"},
			{"198.51.100.9", "group G tcp", "198.51.100.9 of tcp 192.0.2.3:80, 198.51.100.9 of tcp 192.0.2.3:443"},
		} {
			var got []string
			for _, w := range h.ordered(control.Order{Verb: control.Drain, Server: tt.server, Service: tt.service}).Wishes {
				for _, s := range w.Servers {
					got = append(got, w.Server.String()+" of "+s.Service.String())
				}
			}
			slices.Sort(got)
			want := strings.Split(tt.want, ", ")
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s: %q, want %q", tt.server, tt.service, got, want)
			}
			h.ordered(control.Order{Verb: control.Undrain, Server: tt.server, Service: tt.service})
			if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) > 0 {
				t.Fatalf("%s is not over: %v, %+v", tt.server, err, s)
			}
		}
		h.stop()
	})
}

// What can't be done says why, and what can.
func TestRefusedOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), tagged)
		h.pass(time.Second)
		h.ordered(control.Order{Verb: control.Disable, Server: "198.51.100.3", Reason: "disk"})
		h.ordered(control.Order{Verb: control.Drain, Server: "198.51.100.2", Service: "tcp 192.0.2.1:80"})
		for _, tt := range []struct {
			order control.Order
			want  string
		}{
			{control.Order{Verb: control.Drain, Server: "198.51.100.7"}, "the configuration has no server 198.51.100.7: ipvsctl list shows them"},
			{control.Order{Verb: control.Drain, Server: "198.51.100.3:81"}, "the configuration has no server 198.51.100.3:81, but 198.51.100.3:80"},
			{control.Order{Verb: control.Drain, Server: "198.51.100.9:80"}, "the configuration has 198.51.100.9 with the port of each service: name it without one"},
			{control.Order{Verb: control.Drain, Server: "web9"}, `the configuration has no server with the name "web9": a server is named by its address, with or without port, its name, or tag:NAME`},
			{control.Order{Verb: control.Drain, Server: "tag:web"}, `the configuration has no server with the tag "web"`},
			{control.Order{Verb: control.Drain, Server: "web1", Service: "udp 192.0.2.1:80"}, `there is no service "udp 192.0.2.1:80" in the configuration: ipvsctl list shows them`},
			{control.Order{Verb: control.Drain, Server: "198.51.100.9", Service: "tcp 192.0.2.3:80"}, "tcp 192.0.2.3:80 has its servers with all of group G tcp: name that as the service"},
			{control.Order{Verb: control.Drain, Server: "web2", Service: "tcp 192.0.2.2:80"}, `tcp 192.0.2.2:80 has no server with the name "web2": a server is named by its address, with or without port, its name, or tag:NAME`},
			{control.Order{Verb: control.Undrain, Server: "web1"}, "web1 is not drained: ipvsctl drains shows what is wanted"},
			{control.Order{Verb: control.Undrain, Server: "web2"}, `web2 is not drained: ipvsctl undrain 198.51.100.2 --service "tcp 192.0.2.1:80" would end what there is`},
			{control.Order{Verb: control.Undrain, Server: "198.51.100.3"}, "198.51.100.3 does not drain, it is disabled by alice (disk): ipvsctl enable 198.51.100.3"},
			{control.Order{Verb: control.Weight, Server: "198.51.100.3"}, "198.51.100.3 is not given another weight: ipvsctl drains shows what is wanted"},
			{control.Order{Verb: control.Drain, Server: "web1", Reason: "\x1b[31m"}, `the reason "\x1b[31m" has characters that can't be printed`},
			{control.Order{Verb: control.Enable, Server: "web1", Reason: "x"}, "enable ends something: it has neither reason nor expiry"},
		} {
			if s, err := h.Order(t.Context(), tt.order); err == nil || err.Error() != tt.want {
				t.Errorf("%+v: %+v, %v\nwant %s", tt.order, s, err, tt.want)
			}
		}
		if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) != 2 {
			t.Errorf("%v: %+v", err, s)
		}
		h.stop()
	})
}

// Wishes about servers that leave the configuration stay, and are shown as such.
func TestWishAboutAServerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		h.write(strings.Replace(web, `"198.51.100.1:80", `, "", 1))
		h.reloaded()
		h.pass(time.Second)
		h.wantWeights("without it", "2:1 3:1")
		if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) != 1 || s.Wishes[0].State() != "no such server" {
			t.Errorf("%v: %+v", err, s)
		}
		h.write(web)
		h.reloaded()
		h.pass(time.Minute)
		h.wantWeights("back", "1:0 2:1 3:1")
		h.write(strings.Replace(web, `"198.51.100.1:80", `, "", 1))
		h.reloaded()
		h.ordered(control.Order{Verb: control.Undrain, Server: first.String()})
		if s, err := h.Wishes(t.Context()); err != nil || len(s.Wishes) > 0 {
			t.Errorf("%v: %+v", err, s)
		}
		h.stop()
	})
}

// The operator is told what a drain does beside what it is to do.
func TestConsequences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), "")
		for _, tt := range []struct {
			keywords string
			order    control.Order
			want     []string
		}{
			{"", control.Order{Verb: control.Drain, Server: "tag:a"}, nil},
			{"", control.Order{Verb: control.Disable, Server: "tag:all"}, []string{"tcp 192.0.2.1:80 has lost its quorum: live weight 0 of 1", "tcp 192.0.2.1:80 has no server left for new clients"}},
			{"quorum = 2", control.Order{Verb: control.Drain, Server: "tag:a"}, []string{"tcp 192.0.2.1:80 has lost its quorum: live weight 1 of 2"}},
			{"sorry_server = \"198.51.100.9:80\"", control.Order{Verb: control.Drain, Server: "tag:all"},
				[]string{"tcp 192.0.2.1:80 has lost its quorum: live weight 0 of 1", "the sorry servers of tcp 192.0.2.1:80 have its clients now"}},
			{"lb_algo = \"dh\"", control.Order{Verb: control.Drain, Server: "tag:a"},
				[]string{"tcp 192.0.2.1:80: dh drops the clients of a server with weight 0, so the server is removed, and its connections end now"}},
			{"lb_algo = \"dh\"", control.Order{Verb: control.Disable, Server: "tag:a"}, nil},
			{"persistence_timeout = 60", control.Order{Verb: control.Drain, Server: "tag:a"}, nil},
			{"persistence_timeout = 60\n[global_defs.lvs_sysctl]\nexpire_quiescent_template = 0", control.Order{Verb: control.Drain, Server: "tag:a"},
				[]string{"tcp 192.0.2.1:80: persistent clients come back to the server unless the sysctl expire_quiescent_template is 1"}},
		} {
			keywords, global, _ := strings.Cut(tt.keywords, "\n")
			h.write(global + "\n[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nTCP_CHECK = false\n" + keywords +
				"\n[[virtual_server.real_server]]\naddress = \"198.51.100.1:80\"\ntags = [\"a\", \"all\"]\n" +
				"[[virtual_server.real_server]]\naddress = \"198.51.100.2:80\"\ntags = [\"all\"]\n")
			if a := h.reloaded(); a.Rejected != "" {
				t.Fatal(a.Rejected)
			}
			h.pass(time.Second)
			if got := h.ordered(tt.order).Warnings; !slices.Equal(got, tt.want) {
				t.Errorf("%s, %+v: %q, want %q", tt.keywords, tt.order, got, tt.want)
			}
			h.ordered(control.Order{Verb: control.Enable, Server: "tag:all"})
		}
		h.write("[[virtual_server]]\naddress = \"192.0.2.1:53\"\nprotocol = \"UDP\"\nTCP_CHECK = false\nreal_servers = [\"198.51.100.1:53\", \"198.51.100.2:53\"]\n")
		h.reloaded()
		order := control.Order{Verb: control.Drain, Server: "198.51.100.1"}
		if got := h.ordered(order).Warnings; len(got) != 1 || !strings.Contains(got[0], "--deadline") {
			t.Errorf("%q", got)
		}
		order.Deadline = time.Minute
		if got := h.ordered(order).Warnings; len(got) > 0 {
			t.Errorf("%q", got)
		}
		h.stop()
	})
}

// Scripts and quorums are not told of a drain as of a failure.
func TestDrainIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Replace(web, "TCP_CHECK", "quorum = 2\nhysteresis = 1\nquorum_down = \"/bin/false\"\nTCP_CHECK", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Minute)
		h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		h.pass(time.Minute)
		h.kill()
		h = h.again()
		h.pass(time.Minute)
		if s := h.status().Services[0]; s.Quorum.State.String() != "up" || s.Quorum.Live != 2 {
			t.Errorf("%+v", s.Quorum)
		}
		if strings.Contains(h.log.String(), "quorum_down") {
			t.Error(h.log)
		}
		h.stop()
	})
}
