package ipvsadm_test

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/ipvsadm"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// load reads a file that has no errors.
func load(t testing.TB, name, text string) (*config.Config, config.Diagnostics) {
	t.Helper()
	c, problems := ipvsadm.Load(name, []byte(text))
	if problems.Err() != nil {
		t.Fatalf("%s:\n%s", name, problems.Format([]byte(text)))
	}
	return c, problems
}

// tableOf returns the table that a configuration makes, as a kernel would show it.
func tableOf(c *config.Config) (t ipvs.Table, s ipvs.Settings) {
	for _, v := range desired.Exact(c, nil) {
		status := ipvs.ServiceStatus{Service: v.Service}
		for _, d := range v.Destinations {
			status.Destinations = append(status.Destinations, ipvs.DestinationStatus{Destination: d.Destination})
		}
		t = append(t, status)
	}
	s.Timeouts, s.Master, s.Backup = c.GlobalDefs.LVSTimeouts, c.GlobalDefs.LVSSyncDaemon.Master, c.GlobalDefs.LVSSyncDaemon.Backup
	return t, s
}

// testdata/saved.rules is what ipvsadm 1.31 printed with -Sn of a table with every field (TestKernelExport makes one like it);
// testdata/full.rules has what ipvsadm leaves out, too.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"testdata/saved.rules", "testdata/full.rules"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, problems := load(t, name, string(text))
		if len(problems) > 0 {
			t.Errorf("%s: warnings: %v", name, problems)
		}
		if got := ipvsadm.Format(tableOf(c)); !bytes.Equal(got, text) {
			t.Errorf("%s comes back as\n%s", name, cmp.Diff(string(text), string(got)))
		}
	}
}

// All ways to write the same, each read as what ipvsadm -R made of it.
func TestForms(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"defaults", "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1", "-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1\n"},
		{"a comment, blank lines, tabs, CRLF, a mark", "\ufeff# ipvsadm.rules\n\n  \t\r\n\t-A\t-t  192.0.2.1:80\r\n", "-A -t 192.0.2.1:80 -s wlc\n"},
		{"a comment at the end", "-A -t 192.0.2.1:80 -s rr # web", "-A -t 192.0.2.1:80 -s rr\n"},
		{"the program's name", "ipvsadm -A -f 1\n/sbin/ipvsadm -A -f 2", "-A -f 1 -s wlc\n-A -f 2 -s wlc\n"},
		{"values attached", "-A -t192.0.2.1:80 -srr -p5 -M255.255.0.0", "-A -t 192.0.2.1:80 -s rr -p 5 -M 255.255.0.0\n"},
		{"values after =", "-A -t=192.0.2.1:80 -s=rr -p=5", "-A -t 192.0.2.1:80 -s rr -p 5\n"},
		{"long forms", "--add-service --tcp-service 192.0.2.1:80 --scheduler rr --persistent 5 --netmask 255.255.255.0\n" +
			"--add-server --tcp-service 192.0.2.1:80 --real-server 10.0.0.1 --weight 4 --u-threshold 5 --l-threshold 3 --masquerading\n" +
			"--add-server --tcp-service 192.0.2.1:80 --real-server 10.0.0.2 --gatewaying\n" +
			"--add-server --tcp-service 192.0.2.1:80 --real-server 10.0.0.3 --ipip",
			"-A -t 192.0.2.1:80 -s rr -p 5 -M 255.255.255.0\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 4 -x 5 -y 3\n" +
				"-a -t 192.0.2.1:80 -r 10.0.0.2:80 -g -w 1\n-a -t 192.0.2.1:80 -r 10.0.0.3:80 -i -w 1 --tun-type ipip\n"},
		{"long forms with =", "--add-service --udp-service=192.0.2.1:80 --scheduler=sh --persistent=9 --pe=sip --sched-flags=sh-port --ops\n" +
			"--add-service --fwmark-service=9 --ipv6 --scheduler rr --persistent",
			"-A -u 192.0.2.1:80 -s sh -p 9 --pe sip -o -b sh-port\n-A -f 9 -6 -s rr -p 360\n"},
		{"several short options", "-At 192.0.2.1:80 -s rr\n-at 192.0.2.1:80 -mr 10.0.0.1", "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n"},
		{"-6 before -f", "-A -6 -f 7 -s rr", "-A -f 7 -6 -s rr\n"},
		{"a mark as ipvsadm -S prints it", "-A -f -1 -s rr\n-A -f -2147483648 -s rr", "-A -f 2147483648 -s rr\n-A -f 4294967295 -s rr\n"},
		{"edits", "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1 -m -w 5\n-e -t 192.0.2.1:80 -r 10.0.0.1:80 -i\n-E -t 192.0.2.1:80 -s lc",
			"-A -t 192.0.2.1:80 -s lc\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -i -w 1 --tun-type ipip\n"},
		{"deletions", "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1\n-a -t 192.0.2.1:80 -r 10.0.0.2\n-d -t 192.0.2.1:80 -r 10.0.0.1\n" +
			"-A -f 1\n-D -f 1\n-e -t 192.0.2.1:80 -r 10.0.0.2 -w 3", "-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 10.0.0.2:80 -g -w 3\n"},
		{"a service deleted and added again", "-A -f 1\n-a -f 1 -r 10.0.0.1\n-D -f 1\n-A -f 1 -s rr", "-A -f 1 -s rr\n"},
		{"clear", "-A -f 1\n-a -f 1 -r 10.0.0.1\n-C\n-A -f 2", "-A -f 2 -s wlc\n"},
		{"addresses", "-A -t 192.0.2.1 -p\n-A -t ::1 -p\n-A -t [::2] -p\n-A -t [::ffff:1.2.3.4]:080", "-A -t 192.0.2.1:0 -s wlc -p 360\n" +
			"-A -t [::1]:0 -s wlc -p 360\n-A -t [::2]:0 -s wlc -p 360\n-A -t [::ffff:1.2.3.4]:80 -s wlc\n"},
		{"timeouts", "--set 0 5 0\n--set 900 0 0", "--set 900 5 0\n"},
		{"daemons", "--start-daemon master --mcast-interface eth0\n--start-daemon=backup --mcast-interface=eth1 --syncid 7 --sync-maxlen 1000 " +
			"--mcast-group ff02::8 --mcast-port 9 --mcast-ttl 3",
			"--start-daemon master --mcast-interface eth0 --syncid 0 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1\n" +
				"--start-daemon backup --mcast-interface eth1 --syncid 7 --sync-maxlen 1000 --mcast-group ff02::8 --mcast-port 9 --mcast-ttl 3\n"},
		{"a daemon that is stopped", "--start-daemon master --mcast-interface eth0\n--stop-daemon master", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, problems := load(t, tt.name, tt.text)
			if got := string(ipvsadm.Format(tableOf(c))); got != tt.want || len(problems) > 0 {
				t.Errorf("got\n%s\nwant\n%s\nwarnings: %v", got, tt.want, problems)
			}
		})
	}
}

// What ipvsadm does silently, or drops, is told.
func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"-A -t 192.0.2.1:80 -M 255.0.0.0":                          "f:1:20: warning: a netmask has no effect without persistence",
		"-A -t 192.0.2.1:80 -s mh -b":                              "f:1:26: warning: -b without a flag has no effect",
		"-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:99 -g": "f:2:23: warning: under DR a server has the service's port: taken as 80, as ipvsadm does",
		"-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:0 -m":  "f:2:23: warning: port 0 of a server stands for the service's: taken as 80",
		"-A -f 1\n-Z":          "f:2:1: warning: --zero has no effect here: counters are not part of a configuration",
		"-A -f 1\n--zero -f 1": "f:2:1: warning: --zero has no effect here: counters are not part of a configuration",
	} {
		_, problems := load(t, "f", text)
		if len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%q: %v, want %s", text, problems, want)
		}
	}
}

// Everything that is wrong is told at once, with its place.
func TestErrors(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.rules")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := ipvsadm.Load("wrong.rules", text)
	if c != nil || problems.Err() == nil {
		t.Error("it is taken")
	}
	golden.Check(t, "testdata/wrong.golden", []byte(problems.Format(text)))
	for number, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		at := 0
		for _, p := range problems {
			if p.Line == number+1 {
				at++
			}
		}
		if good := strings.HasPrefix(line, "#") || strings.Contains(line, "# good"); good != (at == 0) {
			t.Errorf("line %d has %d diagnostics: %s", number+1, at, line)
		}
	}
}

// Files of others, read where they lie. Those here are saved without -n: every name in them is told, and nothing else.
func TestCorpus(t *testing.T) {
	texts := map[string]string{"like one": "-A -t vip.example.com:squid -s sh\n-a -t vip.example.com:squid -r [2001:db8::1]:gsiftp -g -w 1\n"}
	for _, f := range corpus.Files(t, "ipvsadm/*.rules") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[f] = string(text)
	}
	for name, text := range texts {
		_, problems := ipvsadm.Load(name, []byte(text))
		bad := make(map[int]bool)
		for _, p := range problems {
			bad[p.Line] = true
			if p.Hint != "save the table with numbers: ipvsadm -Sn" {
				t.Errorf("%s", p)
			}
		}
		for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
			if !bad[i+1] {
				t.Errorf("%s:%d: no word on the names in it: %s", name, i+1, line)
			}
		}
	}
}

// Format never writes what Load reads otherwise, whatever a kernel may hold.
func TestFormatOfWhatIpvsadmLacks(t *testing.T) {
	local := ipvs.Service{ServiceKey: ipvs.FWMarkKey(1, ipvs.IPv4), Scheduler: "rr", Granularity: 32}
	server := func(f ipvs.Forward) ipvs.DestinationStatus {
		return ipvs.DestinationStatus{Destination: ipvs.Destination{Addr: netip.MustParseAddrPort("10.0.0.1:1"), Forward: f}}
	}
	table := ipvs.Table{{Service: local, Destinations: []ipvs.DestinationStatus{server(ipvs.Local), server(ipvs.Bypass), server(ipvs.DR)}}}
	if got, want := string(ipvsadm.Format(table, ipvs.Settings{})), "-A -f 1 -s rr\n-a -f 1 -r 10.0.0.1:1 -g -w 0\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := ipvsadm.Format(nil, ipvs.Settings{}); len(got) > 0 {
		t.Errorf("of nothing: %q", got)
	}
}

// Any text is either refused with a place in it, or comes back the same after it was written once.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"saved", "full", "wrong"} {
		text, err := os.ReadFile("testdata/" + name + ".rules")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
		for line := range strings.Lines(string(text)) {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := ipvsadm.Load("f", []byte(text))
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Width < 1 {
				t.Errorf("%v is nowhere in %q", p, text)
			}
		}
		if (c == nil) != (problems.Err() != nil) {
			t.Fatalf("%v, but the configuration is %v", problems, c)
		}
		if c == nil {
			return
		}
		once := ipvsadm.Format(tableOf(c))
		again, problems := ipvsadm.Load("again", once)
		if len(problems) > 0 {
			t.Fatalf("%q is written as\n%s\n%s", text, once, problems.Format(once))
		}
		if twice := ipvsadm.Format(tableOf(again)); !bytes.Equal(once, twice) {
			t.Errorf("%q is written as\n%s\nand then as\n%s", text, once, twice)
		}
	})
}
