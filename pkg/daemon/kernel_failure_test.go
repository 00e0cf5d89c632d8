//go:build kernel

package daemon_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// webRack is a director and web servers at 10.0.100.2:80 and so on.
func webRack(t *testing.T, last ...int) (director *lab.Host, servers map[int]*ipvsd.WebServer) {
	t.Helper()
	bridge := lab.NewBridge(t, "internal", 1500)
	host := lab.NewHost(t, "servers")
	director = lab.NewHost(t, "director")
	director.Connect(bridge, "eth0", "10.0.100.1/24")
	servers = make(map[int]*ipvsd.WebServer)
	for _, n := range last {
		if n == last[0] {
			host.Connect(bridge, "eth0", fmt.Sprintf("10.0.100.%d/24", n))
		} else {
			host.AddAddress("eth0", fmt.Sprintf("10.0.100.%d/24", n))
		}
		servers[n] = ipvsd.ServeWeb(t, host, fmt.Sprintf("10.0.100.%d:80", n))
	}
	return director, servers
}

// Scenario 5 of the peers: three services share a server and forgive two failures. There is one probe for all of them, and the third
// failure in a row takes the server out of all three; with ldirectord it is the first.
func TestKernelSharedServerFailsThirdTime(t *testing.T) {
	director, servers := webRack(t, 2, 3)
	var config, table strings.Builder
	for i := range 3 {
		fmt.Fprintf(&config, `
[[virtual_server]]
address = "192.0.2.%d:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 0.2
delay_before_retry = 0.1
connect_timeout = "5m"
fall = 3
HTTP_GET = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80"]
`, i+1)
		fmt.Fprintf(&table, "-A -t 192.0.2.%[1]d:80 -s rr\n-a -t 192.0.2.%[1]d:80 -r 10.0.100.2:80 -m -w 1\n-a -t 192.0.2.%[1]d:80 -r 10.0.100.3:80 -m -w 1\n", i+1)
	}
	d := ipvsd.Start(t, director, config.String())
	ipvsd.WaitSaved(t, director, table.String())

	// From now on an answer, which is bad, comes when the test lets it.
	var asked atomic.Int64
	release := make(chan struct{})
	servers[2].Answers(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		case <-t.Context().Done():
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	for failures := 1; failures <= 2; failures++ {
		release <- struct{}{}
		d.WaitStatus(fmt.Sprintf("failure %d", failures), func(s *status.Snapshot) error {
			for _, service := range s.Services {
				if c := service.Servers[0].Checks[0]; c.Failures != failures {
					return fmt.Errorf("%s: %d failures", service.Key, c.Failures)
				}
			}
			return nil
		})
		if got, err := ipvsd.Saved(director); got != ipvsd.Trim(table.String()) {
			t.Errorf("after failure %d the table is\n%s\n%v", failures, got, err)
		}
	}
	release <- struct{}{}
	ipvsd.WaitSaved(t, director, ipvsd.Without(table.String(), "10.0.100.2:80"))
	close(release)
	s := d.Snapshot()
	since := s.Services[0].Servers[0].Since
	for _, service := range s.Services {
		if server := service.Servers[0]; server.Health != health.Down || !server.Since.Equal(since) {
			t.Errorf("%s: %s since %s; the first service: since %s", service.Key, server.Health, server.Since, since)
		}
	}
	if n := asked.Load(); n > 4 { // one may be asked again by now
		t.Errorf("%d probes for three failures", n)
	}
}

// Scenario 7 of the peers: what would fail when it is used is refused before, with its place, and what runs goes on.
func TestKernelWrongValuesAreRefused(t *testing.T) {
	director, servers := ipvsd.Rack(t, 2, 3)
	insecure := filepath.Join(t.TempDir(), "insecure")
	if err := os.WriteFile(insecure, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(insecure, 0o777); err != nil {
		t.Fatal(err)
	}
	const good = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 0.2
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80"]
`
	const table = `-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 1`
	d := ipvsd.Start(t, director, good)
	ipvsd.WaitSaved(t, director, table)
	for _, wrong := range []string{ // in line 7, "delay_loop"
		`lb_algo = "mh2"`,
		`persistence_granularity = "255.0.255.0"`,
		`HTTP_GET = { url = { regex = "(" } }`,
		`HTTP_GET = { url = { digest = "12" } }`,
		`HTTP_GET = { url = { status_code = "200-700" } }`,
		`HTTP_GET = { url = { path = "/", tls_compliant = true } }`,
		`HTTP_GET = { url = { method = "HEAD", regex = "a" } }`,
		`HTTP_GET = { http_protocol = "3" }`,
		`DNS_CHECK = { type = "WKS" }`,
		`UDP_CHECK = { payload = "xyz" }`,
		`UDP_CHECK = { min_reply_length = 9, max_reply_length = 8 }`,
		`MISC_CHECK = { }`,
		`FILE_CHECK = { track_file = "nowhere" }`,
		`SIMPLETCP_CHECK = { request = "x", receive = "[" }`,
		`RADIUS_CHECK = { login = "x", passwd = "y" }`,
		`quorum = "all"`,
	} {
		lines := strings.Split(good, "\n")
		key, _, _ := strings.Cut(wrong, " ")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+" ") })
		if at < 0 {
			at = 5
			lines = slices.Insert(lines, at, wrong)
		}
		lines[at] = wrong
		d.Write(strings.Join(lines, "\n"))
		answer, err := d.Reload(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if where := fmt.Sprintf("%s:%d:", d.Path("ipvsd.toml"), at+1); !strings.Contains(answer.Rejected, where) {
			t.Errorf("%s: rejected: %q, want the place %s", wrong, answer.Rejected, where)
		}
	}
	if got, err := ipvsd.Saved(director); got != table {
		t.Errorf("the table is\n%s\n%v", got, err)
	}
	servers[2].Stop()
	ipvsd.WaitSaved(t, director, ipvsd.Without(table, "10.0.100.2:80"))

	// What this machine lacks now it may have later: that is told at once, and the check fails until then.
	for _, missing := range []struct{ check, say string }{
		{`MISC_CHECK = { misc_path = "/nowhere/script" }`, "/nowhere/script"},
		{fmt.Sprintf(`MISC_CHECK = { misc_path = %q }`, insecure), "chmod"},
		{`MISC_CHECK = { misc_path = "/bin/true", user = "nobody-knows" }`, "nobody-knows"},
	} {
		if a := d.Load(good + missing.check); !strings.Contains(a.Warnings, missing.say) {
			t.Errorf("%s: warnings %q, want something about %s", missing.check, a.Warnings, missing.say)
		}
	}
}

// Scenario 9 of the peers: all servers of a site begin to redirect at once. What that means is said in the file: by default it is an
// answer like another, and not 200; who follows stays with the server. Where minimum_healthy is asked for, the clients stay.
func TestKernelServersStartToRedirect(t *testing.T) {
	director, servers := webRack(t, 2, 3, 4)
	var config strings.Builder
	table := map[int]string{}
	for i, more := range []string{
		"HTTP_GET = true", // 1
		`HTTP_GET = { redirect = "follow" }`,
		`HTTP_GET = { url = { status_code = "200-399" } }`, // 3
		"HTTP_GET = true\nminimum_healthy = \"50%\"",
	} {
		fmt.Fprintf(&config, `
[[virtual_server]]
address = "192.0.2.%d:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 0.2
retry = 0
%s
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]
`, i+1, more)
		table[i+1] = fmt.Sprintf("-a -t 192.0.2.%[1]d:80 -r 10.0.100.2:80 -m -w 1\n-a -t 192.0.2.%[1]d:80 -r 10.0.100.3:80 -m -w 1\n-a -t 192.0.2.%[1]d:80 -r 10.0.100.4:80 -m -w 1\n", i+1)
	}
	d := ipvsd.Start(t, director, config.String())
	full := func(when string, services ...int) {
		t.Helper()
		var want strings.Builder
		for i := range 4 {
			fmt.Fprintf(&want, "-A -t 192.0.2.%d:80 -s rr\n", i+1)
			if slices.Contains(services, i+1) {
				want.WriteString(table[i+1])
			}
		}
		t.Log(when)
		ipvsd.WaitSaved(t, director, want.String())
	}
	all := func(f http.HandlerFunc) {
		for _, s := range servers {
			s.Answers(f)
		}
	}
	full("they answer", 1, 2, 3, 4)

	elsewhere := make(chan struct{}, 1)
	other := ipvsd.ServeWeb(t, director, "127.0.0.1:80")
	other.Answers(func(http.ResponseWriter, *http.Request) { elsewhere <- struct{}{} })
	all(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
	})
	full("they redirect to another server", 3, 4)
	d.WaitStatus("the alarm", func(s *status.Snapshot) error {
		if !s.Services[3].FailOpen {
			return errors.New("the checks are believed")
		}
		for _, server := range s.Services[1].Servers {
			if !strings.Contains(server.Error, "127.0.0.1") {
				return fmt.Errorf("%s: %q does not say where it leads", server.Addr, server.Error)
			}
		}
		return nil
	})
	d.Process.WaitLog(ipvsd.Patience, "fail-open")
	select {
	case <-elsewhere:
		t.Error("the other server was asked")
	default:
	}

	all(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/new" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		}
	})
	full("they redirect to themselves", 2, 3, 4)
	all(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	full("they redirect in a circle", 3, 4)
	all(func(http.ResponseWriter, *http.Request) {})
	full("they answer again", 1, 2, 3, 4)
}

// Scenario 27 of the peers: whoever is notified hangs, and so do checks that are scripts. The other checks go on, and so does the table.
func TestKernelNotifiedHangs(t *testing.T) {
	director, servers := ipvsd.Rack(t, 2, 3, 4)
	dir := t.TempDir()
	script := filepath.Join(dir, "hang")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n: >\"$1\"\nexec sleep 10000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var real strings.Builder
	for _, n := range []int{2, 3, 4} {
		fmt.Fprintf(&real, "[[virtual_server.real_server]]\naddress = \"10.0.100.%[1]d:80\"\nnotify_down = \"%[2]s %[3]s/down%[1]d\"\nnotify_up = \"%[2]s %[3]s/up%[1]d\"\n",
			n, script, dir)
	}
	const table = `-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.4:80 -m -w 1`
	ipvsd.Start(t, director, fmt.Sprintf(`
[global_defs]
script_user = "root"
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 0.2
retry = 0
quorum_down = "%[1]s %[2]s/quorum"
TCP_CHECK = true
%[3]s
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
lb_algo = "rr"
MISC_CHECK = { misc_path = "%[1]s %[2]s/check", misc_timeout = "1h" }
real_servers = ["10.0.100.2:80"]
`, script, dir, &real))
	second := func(table string) string { return table + "\n-A -t 192.0.2.2:80 -s rr" }
	ipvsd.WaitSaved(t, director, second(table))
	hangs := func(name string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, "the script of "+name, func() error {
			_, err := os.Stat(filepath.Join(dir, name))
			return err
		})
	}
	hangs("check")
	hangs("up2")
	servers[2].Stop()
	ipvsd.WaitSaved(t, director, second(ipvsd.Without(table, "10.0.100.2:80")))
	servers[3].Stop()
	ipvsd.WaitSaved(t, director, second(ipvsd.Without(ipvsd.Without(table, "10.0.100.2:80"), "10.0.100.3:80")))
	servers[4].Stop()
	ipvsd.WaitSaved(t, director, second("-A -t 192.0.2.1:80 -s rr"))
	for _, n := range []int{2, 3, 4} {
		servers[n].Start()
	}
	ipvsd.WaitSaved(t, director, second(table))
}
