package daemon

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/ipvsadm"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// rules is a table with most of what there is.
const rules = `-A -t 192.0.2.1:80 -s wlc
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 70000 -x 9 -y 3
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 0 --tun-type gue --tun-port 6080 --tun-csum
-A -u 192.0.2.1:53 -s sh -p 60 -M 255.255.0.0 -o -b sh-port
-a -u 192.0.2.1:53 -r 198.51.100.1:53 -g -w 0
-A -t [2001:db8::1]:0 -s mh -p 5 -b mh-fallback,flag-3
-A -f 7 -6 -s rr
-a -f 7 -6 -r [2001:db8::9]:0 -g -w 1
--set 901 121 301
--start-daemon master --mcast-interface eth1 --syncid 7 --sync-maxlen 1000 --mcast-group 224.0.0.99 --mcast-port 9000 --mcast-ttl 3
`

// imported imports a text of ipvsadm's into a kernel.
func imported(t *testing.T, k *ipvstest.Kernel, text string, o ImportOptions) *status.Answer {
	t.Helper()
	cfg, problems := ipvsadm.Load("f", []byte(text))
	if problems.Err() != nil {
		t.Fatal(problems.Err())
	}
	a := &status.Answer{}
	if err := importTo(t.Context(), k, cfg, o, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// exported exports the table of a kernel without loss.
func exported(t *testing.T, k *ipvstest.Kernel, format string) string {
	t.Helper()
	table, err := readKernel(t.Context(), k, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, lost, err := Export(table, format)
	if err != nil || len(lost) > 0 {
		t.Fatalf("%v, lost: %q", err, lost)
	}
	return string(text)
}

// Scenario 24 of the peers, without a kernel: what is exported, imported and exported again is the same, byte for byte, and an
// import into a table that is so already does nothing.
func TestExportAndImport(t *testing.T) {
	k := new(ipvstest.Kernel)
	imported(t, k, rules, ImportOptions{})
	if got := exported(t, k, FormatIPVSAdm); got != rules {
		t.Errorf("got\n%s\nwant\n%s", got, rules)
	}
	for name, f := range formats {
		text := exported(t, k, name)
		if got := formatOf([]byte("\n# a comment\n" + text)); got != name {
			t.Errorf("%s is taken for %s:\n%s", name, got, text)
		}
		cfg, problems := f.read(name, []byte(text))
		if problems.Err() != nil {
			t.Fatal(problems.Err())
		}
		a, fresh := &status.Answer{}, new(ipvstest.Kernel)
		k.Commands()
		k.Changes()
		if err := importTo(t.Context(), k, cfg, ImportOptions{}, a); err != nil || len(a.Changes)+len(a.Refused) > 0 {
			t.Errorf("%s: into the same table: %v %+v", name, err, a)
		}
		if c, s := k.Commands(), k.Changes(); len(c)+len(s) > 0 {
			t.Errorf("%s: into the same table: %v %v", name, c, s)
		}
		if err := importTo(t.Context(), fresh, cfg, ImportOptions{}, a); err != nil || len(a.Refused) > 0 {
			t.Errorf("%s: %v %+v", name, err, a)
		}
		if again := exported(t, fresh, name); again != text {
			t.Errorf("%s: the second export differs:\n%s", name, cmp.Diff(text, again))
		}
	}
}

const before = `-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 1
-A -u 192.0.2.9:53 -s rr
`

const after = `-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 5
-a -t 192.0.2.1:80 -r 198.51.100.3:80 -m -w 1
--set 901 0 0
`

// Only what differs is changed; what is not in the file goes, unless it is to be merged; a dry run only says so.
func TestImportChangesWhatDiffers(t *testing.T) {
	changes := []string{
		"add server 198.51.100.3:80 NAT weight 1 of tcp 192.0.2.1:80",
		"edit service tcp 192.0.2.1:80: rr -> wrr",
		"edit server 198.51.100.2:80 of tcp 192.0.2.1:80: weight 1 -> weight 5",
		"delete server 198.51.100.1:80 of tcp 192.0.2.1:80",
		"delete service udp 192.0.2.9:53, with 0 servers",
		"set timeout tcp 900s -> 901s",
	}
	for _, tt := range []struct {
		name    string
		options ImportOptions
		want    []string
		done    bool
	}{
		{"whole", ImportOptions{}, changes, true},
		{"merged", ImportOptions{Merge: true}, slices.Concat(changes[:3], changes[5:]), true},
		{"dry run", ImportOptions{DryRun: true}, changes, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := new(ipvstest.Kernel)
			imported(t, k, before, ImportOptions{})
			k.Commands()
			a := imported(t, k, after, tt.options)
			if diff := cmp.Diff(tt.want, a.Changes); diff != "" || len(a.Refused) > 0 {
				t.Errorf("(-want +got):\n%s\nrefused: %q", diff, a.Refused)
			}
			if n := len(k.Commands()); tt.done && n != len(tt.want)-1 || !tt.done && n+len(k.Changes()) > 0 {
				t.Errorf("%d commands", n)
			}
		})
	}
}

// What the kernel refuses is reported, and holds up nothing else; what hangs on it is not reported as well.
func TestImportGoesOnAfterARefusal(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Op == ipvs.NewService && c.Service.Protocol == ipvs.UDP {
			return ipvs.ENOENT
		}
		return 0
	})
	k.SetInterfaces("eth0")
	a := imported(t, k, rules, ImportOptions{})
	if len(a.Refused) != 2 || !strings.Contains(a.Refused[0], "udp 192.0.2.1:53") || !strings.Contains(a.Refused[1], "eth1") {
		t.Errorf("refused: %q", a.Refused)
	}
	if len(a.Changes) != 6+3 {
		t.Errorf("changed: %q", a.Changes)
	}
	got := exported(t, k, FormatIPVSAdm)
	for line := range strings.Lines(rules) {
		if missing := strings.Contains(line, "-u ") || strings.Contains(line, "eth1"); missing == strings.Contains(got, line) {
			t.Errorf("%q is there: %t\n%s", line, missing, got)
		}
	}
}

// A granularity without persistence means nothing: it is no reason for an edit, and no format has it.
func TestImportLeavesIdleGranularity(t *testing.T) {
	k := new(ipvstest.Kernel)
	s := ipvs.Service{ServiceKey: webKey, Scheduler: "rr", Granularity: 16}
	if refused, err := k.Apply(t.Context(), []ipvs.Command{{Op: ipvs.NewService, Service: s}}); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	for name := range formats {
		exported(t, k, name)
	}
	if a := imported(t, k, "-A -t 192.0.2.1:80 -s rr\n", ImportOptions{}); len(a.Changes) > 0 {
		t.Errorf("%q", a.Changes)
	}
}

// The order of the servers of mh is that of their addresses after an import: a file need not tell it, and nothing is lost.
func TestExportKnowsNoOrder(t *testing.T) {
	k := new(ipvstest.Kernel)
	s := ipvs.Service{ServiceKey: webKey, Scheduler: "mh", Granularity: 32}
	commands := []ipvs.Command{{Op: ipvs.NewService, Service: s}}
	for _, a := range []netip.AddrPort{third, first, second} {
		commands = append(commands, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: ipvs.Destination{Addr: a, Weight: 1}})
	}
	if refused, err := k.Apply(t.Context(), commands); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	for name := range formats {
		exported(t, k, name)
	}
}

// What a format can't express is left out and told, and all else is written.
func TestExportTellsWhatIsLost(t *testing.T) {
	addr := netip.MustParseAddrPort
	server := func(a string, f ipvs.Forward) ipvs.DestinationStatus {
		return ipvs.DestinationStatus{Destination: ipvs.Destination{Addr: addr(a), Forward: f, Weight: 1}}
	}
	service := func(a string, scheduler string, servers ...ipvs.DestinationStatus) ipvs.ServiceStatus {
		return ipvs.ServiceStatus{
			Service:      ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, addr(a)), Scheduler: scheduler, Granularity: 32},
			Destinations: servers,
		}
	}
	sip := service("192.0.2.4:80", "rr")
	sip.Engine = "sip"
	table := ipvs.Table{
		service("192.0.2.1:80", "rr", server("198.51.100.1:80", ipvs.NAT), server("198.51.100.2:0", ipvs.NAT), server("198.51.100.3:80", ipvs.Local)),
		service("192.0.2.2:80", "none", server("198.51.100.1:80", ipvs.NAT)),
		service("192.0.2.3:80", "rr", server("198.51.100.1:81", ipvs.DR)),
		sip,
	}
	settings := ipvs.Settings{Timeouts: ipvs.Timeouts{TCP: math.MaxInt32 * time.Second}}
	kernel := status.KernelOf(table, settings, func(ipvs.ServiceKey, netip.AddrPort) bool { return false })
	for name := range formats {
		text, lost, err := Export(kernel, name)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/lost-"+name+".golden", fmt.Appendf(text, "\nlost:\n%s\n", strings.Join(lost, "\n")))
	}
	if _, _, err := Export(kernel, "yaml"); err == nil {
		t.Error("there is no such format")
	}
}

// A file is refused as a whole, with places; checks are passed over, and that is said.
func TestImportOfFiles(t *testing.T) {
	a, err := Import(t.Context(), control.File{Name: "f", Text: []byte("-A -t nowhere:80\n")}, ImportOptions{})
	if err != nil || !strings.HasPrefix(a.Rejected, `f:1:7: "nowhere" of the service`) {
		t.Errorf("%v %+v", err, a)
	}
	a, err = Import(t.Context(), control.File{Name: "f", Text: []byte("-A -f 1\n")}, ImportOptions{Format: FormatTOML})
	if err != nil || !strings.HasPrefix(a.Rejected, "f:1:") {
		t.Errorf("%v %+v", err, a)
	}
	if _, err := Import(t.Context(), control.File{}, ImportOptions{Format: "yaml"}); err == nil {
		t.Error("there is no such format")
	}
	unchecked := strings.ReplaceAll(web, "TCP_CHECK = true", "TCP_CHECK = false")
	for text, want := range map[string]bool{
		web: true, unchecked: false, unchecked + "sorry_server = \"198.51.100.9:80\"\n": true,
		"[global_defs.lvs_sysctl]\nconntrack = 1\n" + unchecked: true,
	} {
		cfg, problems := config.Load("f", []byte(text))
		if problems.Err() != nil {
			t.Fatal(problems.Err())
		}
		if got := passedOver(cfg); (got != "") != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// The daemon's table has all there is, and marks what is the daemon's.
func TestTableMarksOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		h := start(t, k, t.TempDir(), web)
		h.pass(time.Minute)
		foreign := ipvs.Service{ServiceKey: ipvs.FWMarkKey(7, ipvs.IPv4), Scheduler: "rr", Granularity: 32}
		other := ipvs.Destination{Addr: addr(9), Weight: 1}
		if refused, err := k.Apply(t.Context(), []ipvs.Command{
			{Op: ipvs.NewService, Service: foreign}, {Op: ipvs.NewDestination, Service: ipvs.Service{ServiceKey: webKey}, Destination: other},
		}); err != nil || len(refused) > 0 {
			t.Fatal(err, refused)
		}
		if err := k.SetSysctl(t.Context(), "run_estimation", "0"); err != nil {
			t.Fatal(err)
		}
		for _, keys := range [][]ipvs.ServiceKey{nil, {webKey}} {
			all, err := h.Table(t.Context(), keys)
			if err != nil {
				t.Fatal(err)
			}
			if len(all.Services) != 2-len(keys) || !all.Frozen || all.Timeouts.TCP != 15*time.Minute {
				t.Errorf("%+v", all)
			}
			var ours []bool
			for _, s := range all.Services {
				ours = append(ours, s.Ours)
				for _, r := range s.Servers {
					ours = append(ours, r.Ours)
				}
			}
			if want := []bool{true, true, true, true, false, false}[:6-len(keys)]; !slices.Equal(ours, want) {
				t.Errorf("ours are %v, want %v", ours, want)
			}
		}
		k.SetLoaded(false)
		if _, err := h.Table(t.Context(), nil); !errors.Is(err, ipvs.ErrUnavailable) {
			t.Errorf("without IPVS: %v", err)
		}
	})
}
