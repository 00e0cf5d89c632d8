//go:build kernel

package likeness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// numbers are the last numbers of the servers' addresses.
var numbers = []int{2, 3}

// line puts the words of a check where they belong.
func (l likewise) line(words string, n int, dir string) string {
	return strings.NewReplacer("#", fmt.Sprint(n), "DIR", dir).Replace(words)
}

func keepalivedChecks(all []likewise, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n\trouter_id lab\n\tscript_user root\n\tenable_script_security\n}\n")
	for _, n := range numbers {
		fmt.Fprintf(&b, "track_file maintenance%d {\n\tfile %s/file%d\n}\n", n, dir, n)
	}
	for i, l := range all {
		fmt.Fprintf(&b, "# %s\nvirtual_server 192.0.2.1 %d {\n\tlb_algo wrr\n\tlb_kind NAT\n\tprotocol TCP\n\tdelay_loop 0.6\n\twarmup 0.1\n"+
			"\tretry 1\n\tdelay_before_retry 0.1\n\tconnect_timeout 1\n\t%s\n", l.name, 1000+i, l.more)
		for _, n := range numbers {
			fmt.Fprintf(&b, "\treal_server 10.0.100.%d 80 {\n\t\tweight %d\n\t\t%s\n\t}\n", n, full, l.line(l.theirs, n, dir))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func ipvsdChecks(all []likewise, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global_defs]\nscript_user = \"root\"\n")
	for _, n := range numbers {
		fmt.Fprintf(&b, "[track_file.maintenance%d]\nfile = \"%s/file%d\"\n", n, dir, n)
	}
	for i, l := range all {
		fmt.Fprintf(&b, "# %s\n[[virtual_server]]\naddress = \"192.0.2.1:%d\"\nlb_algo = \"wrr\"\nlb_kind = \"NAT\"\nprotocol = \"TCP\"\nalpha = false\n"+
			"delay_loop = 0.6\nwarmup = 0.1\nretry = 1\ndelay_before_retry = 0.1\nconnect_timeout = 1\n", l.name, 1000+i)
		if l.more != "" {
			fmt.Fprintf(&b, "%s = true\n", l.more)
		}
		for _, n := range numbers {
			fmt.Fprintf(&b, "[[virtual_server.real_server]]\naddress = \"10.0.100.%d:80\"\nweight = %d\n%s\n", n, full, l.line(l.ours, n, dir))
		}
	}
	return b.String()
}

// tableIn is what ipvsadm -Sn has to print in a world.
func tableIn(all []likewise, w world, theirs bool) string {
	var b strings.Builder
	for i, l := range all {
		fmt.Fprintf(&b, "-A -t 192.0.2.1:%d -s wrr\n", 1000+i)
		judge := l.weight
		if theirs && l.theirWeight != nil {
			judge = l.theirWeight
		}
		for _, n := range numbers {
			if weight, in := judge(w, n); in {
				fmt.Fprintf(&b, "-a -t 192.0.2.1:%d -r 10.0.100.%d:80 -m -w %d\n", 1000+i, n, weight)
			}
		}
	}
	return b.String()
}

// thing is something of each server that may be well, which is its first state, or not.
type thing struct {
	name   string
	states []string
	become func(n int, from, to string)
}

// serverThing is a server of the lab that stops and hangs.
func serverThing(name string, servers map[int]*lab.Server) thing {
	return thing{name, []string{"well", "stopped", "frozen"}, func(n int, from, to string) {
		s := servers[n]
		switch from {
		case "stopped":
			s.Start()
		case "frozen":
			s.Thaw()
		}
		switch to {
		case "stopped":
			s.Stop()
		case "frozen":
			s.Freeze()
		}
	}}
}

// fileThing is a file of each server, whose states are what is in it.
func fileThing(t *testing.T, dir, name string, states ...string) thing {
	put := func(n int, text string) {
		t.Helper()
		file := filepath.Join(dir, fmt.Sprint(name, n))
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range numbers {
		put(n, states[0])
	}
	return thing{name, states, func(n int, _, to string) { put(n, to) }}
}

// The script of MISC_CHECK ends as a file says.
const statusScript = `#!/bin/sh
read status < "$1"
[ "$status" != hang ] || exec sleep 1000
exit "$status"
`

// One configuration, one series of faults, and after each of them the same table by keepalived and by ipvsd: what the checks make of
// the servers is the same. Checks run every 0.6 s instead of every 6: the series is as long as ten times the time of flapping, and both have processor time to spare.
// Differences are those with theirWeight in the list. Where only the defaults differ, one of the two has them written out: alpha,
// http_protocol, fast_recovery, retry and delay_before_retry of DNS_CHECK, and the weight of a track_file.
//
// Scripts that hang come last: it may happen to keepalived that it loses one that it has killed ("child lost" in its log), and then
// the check stays what it was for minutes.
func TestKernelSameVerdictsAsKeepalived(t *testing.T) {
	bridge := lab.NewBridge(t, "internal", 1500)
	theirs, ours := lab.NewHost(t, "keepalived"), lab.NewHost(t, "ipvsd")
	theirs.Connect(bridge, "eth0", "10.0.100.101/24")
	ours.Connect(bridge, "eth0", "10.0.100.102/24")

	sites, web, mail, names := map[int]*lab.Site{}, map[int]*lab.Server{}, map[int]*lab.Server{}, map[int]*lab.Server{}
	echoes, far := map[int]*echoServer{}, map[int]*lab.Host{}
	for _, n := range numbers {
		h := lab.NewHost(t, fmt.Sprintf("real%d", n))
		at := netip.AddrFrom4([4]byte{10, 0, 100, byte(n)})
		h.Connect(bridge, "eth0", at.String()+"/24")
		// The connections to a frozen server wait for it, dead ones, too. And the kernel would refuse no more than one datagram a
		// second: UDP_CHECKs that go unrefused pass.
		h.Sysctl("net.core.somaxconn", "65535")
		h.Sysctl("net.ipv4.icmp_ratelimit", "0")
		sites[n] = lab.NewSite(h, at)
		sites[n].Put("index.html", goodPage)
		sites[n].Put("second", goodPage)
		web[n], mail[n], names[n] = sites[n].Server, lab.NewPostfix(h, at), lab.NewBind(h, at)
		for _, s := range []*lab.Server{web[n], mail[n], names[n]} {
			s.Start()
		}
		ipvsd.ServeWeb(t, h, at.String()+":8081").Answers(func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // from here on in chunks
			_, _ = io.WriteString(w, goodPage)
		})
		serveMail(t, h, at.String()+":2525")
		echoes[n] = &echoServer{t: t, host: h}
		echoes[n].become("pong")
		far[n] = lab.NewHost(t, fmt.Sprintf("far%d", n))
		far[n].Connect(bridge, "eth0", fmt.Sprintf("10.0.100.1%d/24", n))
	}
	dir := t.TempDir()
	const program = "/usr/local/lib/status" // of a directory that is root's alone, as both demand
	if err := os.WriteFile(program, []byte(statusScript), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(program) })
	things := []thing{
		serverThing("web", web), serverThing("mail", mail), serverThing("names", names),
		{"page", []string{"good", "other", "missing"}, func(n int, _, to string) {
			switch to {
			case "good":
				sites[n].Put("index.html", goodPage)
			case "other":
				sites[n].Put("index.html", otherPage)
			case "missing":
				sites[n].Remove("index.html")
			}
		}},
		{"second", []string{"there", "missing"}, func(n int, _, to string) {
			if to == "there" {
				sites[n].Put("second", goodPage)
			} else {
				sites[n].Remove("second")
			}
		}},
		{"echo", []string{"pong", "puns", "po", "silent", "stopped"}, func(n int, _, to string) { echoes[n].become(to) }},
		{"link", []string{"up", "down"}, func(n int, _, to string) {
			if to == "up" {
				far[n].LinkUp("eth0")
			} else {
				far[n].LinkDown("eth0")
			}
		}},
		fileThing(t, dir, "status", "0", "1", "2", "255"),
		fileThing(t, dir, "file", "0", "3", "-4"),
	}
	w := world{}
	for _, g := range things {
		for _, n := range numbers {
			w[fmt.Sprint(g.name, " ", n)] = g.states[0]
		}
	}

	all := likewises()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(keepalivedChecks(all, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	theirs.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--check", "--use-file", conf,
		"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers"))
	ipvsd.Start(t, ours, ipvsdChecks(all, dir))
	both := func(when string) {
		t.Helper()
		for _, h := range []*lab.Host{theirs, ours} {
			want := tableIn(all, w, h == theirs)
			err := lab.Poll(ipvsd.Patience, func() error {
				got, err := ipvsd.Saved(h)
				if err != nil {
					return err
				}
				return differences(all, slices.Collect(strings.Lines(got+"\n")), slices.Collect(strings.Lines(want)))
			})
			if err != nil {
				t.Errorf("%s, by %s: %v", when, h.Name, err)
			}
		}
		if t.Failed() {
			t.Fatalf("the world: %v", w)
		}
	}
	both("at the start")
	become := func(g thing, n int, state string) string {
		key := fmt.Sprint(g.name, " ", n)
		g.become(n, w[key], state)
		w[key] = state
		return key + " is " + state
	}
	// All that can be the matter comes once, in an order that is always the same, and something else goes most times.
	type ill struct {
		thing
		n     int
		state string
	}
	var ills []ill
	for _, g := range things {
		for _, n := range numbers {
			for _, state := range g.states[1:] {
				ills = append(ills, ill{g, n, state})
			}
		}
	}
	dice := rand.New(rand.NewPCG(4, 2026))
	dice.Shuffle(len(ills), func(i, j int) { ills[i], ills[j] = ills[j], ills[i] })
	for step, next := range ills {
		what := become(next.thing, next.n, next.state)
		if past := ills[dice.IntN(step+1)]; step%4 != 0 && past.name != next.name {
			what += " and " + become(past.thing, past.n, past.states[0])
		}
		both(fmt.Sprintf("step %d, %s", step, what))
	}
	for _, g := range things {
		for _, n := range numbers {
			become(g, n, g.states[0])
		}
	}
	both("all is well")
	for _, n := range numbers {
		become(things[slices.IndexFunc(things, func(g thing) bool { return g.name == "status" })], n, "hang")
	}
	both("scripts hang")
}

// differences names the lines that are in one table alone, with the names of their checks.
func differences(all []likewise, got, want []string) error {
	var text strings.Builder
	for _, part := range []struct {
		say   string
		lines []string
	}{{"not expected", ipvsd.Missing(got, want)}, {"missing", ipvsd.Missing(want, got)}} {
		for _, l := range part.lines {
			var port int
			_, after, _ := strings.Cut(l, "192.0.2.1:")
			if _, err := fmt.Sscanf(after, "%d", &port); err != nil {
				continue // an empty table
			}
			fmt.Fprintf(&text, "\n%s: %s # %s", part.say, strings.TrimSpace(l), all[port-1000].name)
		}
	}
	if text.Len() > 0 {
		return errors.New(text.String())
	}
	return nil
}

// serveMail starts a mail server that has two lines to say to HELO.
func serveMail(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	l, err := h.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(conn net.Conn) {
		defer conn.Close()
		_, _ = io.WriteString(conn, "220 lab\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			answer := "221 bye\r\n"
			if strings.HasPrefix(lines.Text(), "HELO") {
				answer = "250-lab\r\n250 at your service\r\n"
			}
			_, _ = io.WriteString(conn, answer)
		}
	}
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go serve(conn)
		}
	}()
}

// echoServer answers datagrams at port 7.
type echoServer struct {
	t    *testing.T
	host *lab.Host
	conn net.PacketConn
}

func (e *echoServer) become(state string) {
	e.t.Helper()
	if e.conn != nil {
		_ = e.conn.Close()
		e.conn = nil
	}
	if state == "stopped" {
		return
	}
	conn, err := e.host.ListenPacket("udp", "0.0.0.0:7")
	if err != nil {
		e.t.Fatal(err)
	}
	e.conn = conn
	e.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			_, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if state != "silent" {
				_, _ = conn.WriteTo([]byte(state), from)
			}
		}
	}()
}
