package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// web is a virtual server with the three real servers of a cluster, and more below.
const web = `[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
TCP_CHECK = true
`

func TestQuorum(t *testing.T) {
	for _, test := range []struct {
		text     string
		want     health.Quorum
		warnings []string
	}{
		{text: "", want: health.Quorum{Needed: 1}},
		{text: "quorum = 3", want: health.Quorum{Needed: 3}},
		{text: "quorum = 2\nhysteresis = 1", want: health.Quorum{Needed: 2, Hysteresis: 1}},
		{text: "quorum = 4", want: health.Quorum{Needed: 3},
			warnings: []string{"6:10 warning: quorum 4 is more than all real servers weigh: it is 3"}},
		{text: "weight = 10\nquorum = 15\nhysteresis = 14", want: health.Quorum{Needed: 15, Hysteresis: 14}},
		{text: "weight = 10\nquorum = 15\nhysteresis = 15", want: health.Quorum{Needed: 15, Hysteresis: 14},
			warnings: []string{"8:14 warning: hysteresis 15 must be less than the quorum of 15: it is 14"}},
		{text: "hysteresis = 7", want: health.Quorum{Needed: 1},
			warnings: []string{"6:14 warning: hysteresis 7 must be less than the quorum of 1: it is 0"}},
		{text: "quorum = 3\nhysteresis = 2", want: health.Quorum{Needed: 3}, warnings: []string{
			"7:14 warning: hysteresis 2 and the quorum of 3 are together more than all real servers weigh: it is 0"}},
		{text: "weight = 0", want: health.Quorum{Needed: 1}},
	} {
		t.Run(test.text, func(t *testing.T) {
			if got := accept(t, web+test.text, test.warnings...).VirtualServers[0].Quorum; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestMinimumHealthy(t *testing.T) {
	for _, test := range []struct {
		text     string
		want     health.Share
		warnings []string
	}{
		{text: "0"},
		{text: "2", want: health.Share{Count: 2}},
		{text: `"50%"`, want: health.Share{Percent: 50}},
		{text: "3", want: health.Share{Count: 3},
			warnings: []string{"6:19 warning: with minimum_healthy of all 3 servers no failure of one of them is believed"}},
		{text: `"67%"`, want: health.Share{Percent: 67},
			warnings: []string{"6:19 warning: with minimum_healthy of all 3 servers no failure of one of them is believed"}},
	} {
		t.Run(test.text, func(t *testing.T) {
			if got := accept(t, web+"minimum_healthy = "+test.text, test.warnings...).VirtualServers[0].MinimumUp; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// A sorry server has of the virtual server's settings only the way of packets and the checks.
func TestSorryServers(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
		warnings   []string
	}{
		{name: "one", text: `sorry_server = "10.0.0.9:8080"`, want: []string{"10.0.0.9:8080 NAT weight 1, checks 10.0.0.9:8080"}},
		{name: "without a port", text: `sorry_server = "10.0.0.9"`, want: []string{"10.0.0.9:80 NAT weight 1, checks 10.0.0.9:80"}},
		{name: "two", text: `sorry_server = ["10.0.0.9", "10.0.0.8"]`, want: []string{
			"10.0.0.9:80 NAT weight 1, checks 10.0.0.9:80", "10.0.0.8:80 NAT weight 1, checks 10.0.0.8:80"}},
		{name: "nothing of weights", text: "sorry_server = \"10.0.0.9\"\nweight = 7\nuthreshold = 9\nlthreshold = 8\nlb_kind = \"DR\"",
			want: []string{"10.0.0.9:80 DR weight 1, checks 10.0.0.9:80"}},
		{name: "its own way", text: "sorry_server = \"10.0.0.9\"\nlb_kind = \"DR\"\nsorry_server_lvs_method = \"TUN type gre\"",
			want: []string{"10.0.0.9:80 TUN type gre weight 1, checks 10.0.0.9:80"}},
		{name: "tables", text: `lb_kind = "DR"
sorry_server_lvs_method = "NAT"
[[virtual_server.sorry_server]]
address = "10.0.0.9:81"
weight = 3
uthreshold = 9
TCP_CHECK = false
[[virtual_server.sorry_server]]
address = "10.0.0.8"
lb_kind = "TUN"
[virtual_server.sorry_server.TCP_CHECK]
connect_port = 99
`, want: []string{"10.0.0.9:81 NAT weight 3 thresholds 0..9, checks", "10.0.0.8:80 TUN weight 1, checks 10.0.0.8:99"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			vs := accept(t, web+test.text, test.warnings...).VirtualServers[0]
			var got []string
			for _, rs := range vs.SorryServers {
				s := rs.Destination.String() + ", checks"
				for _, k := range rs.Checks {
					s += " " + k.Check().Target.String()
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(vs.RealServers) != 3 {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Under schedulers that hash, a server that takes no clients must not be one that clients hash to.
func TestFallback(t *testing.T) {
	const mixed = "real_server = [{ address = \"10.0.0.5\", weight = 0 }, { address = \"10.0.0.6\", uthreshold = 9 }]\n"
	for _, test := range []struct {
		name, text, warning string
		fallback, inhibit   bool
	}{
		{name: "wlc", text: "weight = 0"},
		{name: "sh", text: `lb_algo = "sh"`},
		{name: "sh, weight", text: "lb_algo = \"sh\"\n" + mixed, fallback: true,
			warning: "sh-fallback is set: a server may have weight 0 (weight), and a server may be full (uthreshold), " +
				"and without it sh drops the clients that hash to it"},
		{name: "sh, inhibit", text: "lb_algo = \"sh\"\ninhibit_on_failure = true", fallback: true, inhibit: true,
			warning: "sh-fallback is set: a server may have weight 0 (inhibit_on_failure), and without it sh drops the clients that hash to it"},
		{name: "sh, inhibit of one without checks",
			text: "lb_algo = \"sh\"\nreal_server = [{ address = \"10.0.0.5\", inhibit_on_failure = true, TCP_CHECK = false }]"},
		{name: "sh, drain", text: "lb_algo = \"sh\"\ndrain_timeout = 60", fallback: true,
			warning: "sh-fallback is set: a server may have weight 0 (drain_timeout), and without it sh drops the clients that hash to it"},
		{name: "sh, sorry", text: "lb_algo = \"sh\"\nsorry_server = \"10.0.0.9\"\nsorry_server_inhibit = true", fallback: true,
			warning: "sh-fallback is set: a server may have weight 0 (sorry_server_inhibit), and without it sh drops the clients that hash to it"},
		{name: "sh, written", text: "lb_algo = \"sh\"\nweight = 0\nsh-fallback = true", fallback: true},
		{name: "sh, written by number", text: "lb_algo = \"sh\"\nweight = 0\nflag-1 = true", fallback: true},
		{name: "sh, declined", text: "lb_algo = \"sh\"\nsh-fallback = false\n" + mixed,
			warning: "sh drops the clients that hash to a server that takes none: a server may have weight 0 (weight), " +
				"and a server may be full (uthreshold); one with weight 0 is removed instead"},
		{name: "sh, full", text: "lb_algo = \"sh\"\nsh-fallback = false\nuthreshold = 9",
			warning: "sh drops the clients that hash to a server that takes none: a server may be full (uthreshold)"},
		{name: "mh", text: `lb_algo = "mh"`, fallback: true, inhibit: true},
		{name: "mh, weight", text: "lb_algo = \"mh\"\nweight = 0", fallback: true, inhibit: true,
			warning: "mh-fallback is set: a server may have weight 0 (weight), and without it mh drops the clients that hash to it"},
		{name: "mh, no inhibit", text: "lb_algo = \"mh\"\ninhibit_on_failure = false", fallback: true},
		{name: "mh, declined", text: "lb_algo = \"mh\"\nmh-fallback = false"},
		{name: "mh, declined by number", text: "lb_algo = \"mh\"\nflag-1 = false"},
		{name: "mh, declined, drain", text: "lb_algo = \"mh\"\nmh-fallback = false\ndrain_timeout = 60",
			warning: "mh drops the clients that hash to a server that takes none: a server may have weight 0 (drain_timeout); " +
				"one with weight 0 is removed instead"},
		{name: "dh", text: `lb_algo = "dh"`},
		{name: "dh, inhibit", text: "lb_algo = \"dh\"\ninhibit_on_failure = true", inhibit: true,
			warning: "dh drops the clients that hash to a server that takes none: a server may have weight 0 (inhibit_on_failure); " +
				"one with weight 0 is removed instead"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, found := Load("t.toml", []byte(web+test.text))
			if c == nil {
				t.Fatal(found)
			}
			var got []string
			for _, d := range found {
				got = append(got, d.Message)
			}
			if s := strings.Join(got, "; "); s != test.warning {
				t.Errorf("said %q\nwant %q", s, test.warning)
			}
			vs := c.VirtualServers[0]
			if vs.Services[0].Flags&ipvs.SHFallback != 0 != test.fallback || vs.RealServers[0].InhibitOnFailure != test.inhibit {
				t.Errorf("flags %v, inhibit %t", vs.Services[0].Flags.Names(vs.Services[0].Scheduler), vs.RealServers[0].InhibitOnFailure)
			}
			reloads(t, c)
		})
	}
}

func TestScriptsAndSwitches(t *testing.T) {
	c := accept(t, "[global_defs]\nscript_user = \"nobody nogroup\"\n"+web+`
quorum_up = "/bin/logger -t 'the web' is \"up again\""
quorum_down = ["/bin/logger down", "root"]
omega = true
ha_suspend = true
drain_timeout = "1m30s"
sorry_server_inhibit = true
[[virtual_server.real_server]]
address = "10.0.0.5"
notify_up = ["/bin/up"]
notify_down = ["/bin/down", "daemon", "adm"]
`)
	vs := c.VirtualServers[0]
	rs := vs.RealServers[3]
	got := []*Script{vs.QuorumUp, vs.QuorumDown, rs.NotifyUp, rs.NotifyDown}
	want := []*Script{
		{[]string{"/bin/logger", "-t", "the web", "is", "up again"}, "nobody", "nogroup"},
		{[]string{"/bin/logger", "down"}, "root", ""},
		{[]string{"/bin/up"}, "nobody", "nogroup"},
		{[]string{"/bin/down"}, "daemon", "adm"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !vs.Omega || !vs.HASuspend || !vs.SorryInhibit || vs.DrainTimeout != 90*time.Second {
		t.Errorf("got %+v", vs)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"/bin/a":                  {"/bin/a"},
		" /bin/a  b\tc\n":         {"/bin/a", "b", "c"},
		`/bin/a "b c" 'd e'`:      {"/bin/a", "b c", "d e"},
		`/bin/a b" "c''`:          {"/bin/a", "b c"},
		`/bin/a "" ''`:            {"/bin/a", "", ""},
		`/bin/a b\ c \"d "\"\\"`:  {"/bin/a", "b c", `"d`, `"\`},
		`/bin/a 'b\n' "it's"`:     {"/bin/a", `b\n`, "it's"},
		`/bin/a $HOME ; rm * | b`: {"/bin/a", "$HOME", ";", "rm", "*", "|", "b"},
	} {
		if got, w := splitWords(text); w != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: got %q, %v, want %q", text, got, w, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"/bin/a b", `a "b c" 'd "e' f\ g`, `""`, `\`, `"`, "a\tb\n", "a''b", "é 'ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, w := splitWords(s)
		if w != nil {
			return
		}
		again, w := splitWords(joinWords(words))
		if w != nil || fmt.Sprintf("%q", again) != fmt.Sprintf("%q", words) {
			t.Fatalf("%q is %q, joined to %q and split to %q", s, words, joinWords(words), again)
		}
	})
}
