//go:build kernel

package table

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A flow lives while an import adds, removes and reweights other servers, edits its service and its server, and while an import
// of the same changes nothing.
func TestKernelImportKeepsFlows(t *testing.T) {
	c := lab.NewWebCluster(t)
	h := c.Director
	ipvsd.Echo(t, c.Web[0].Host, "10.0.100.2:7")
	restore(t, h, `-A -t 192.168.1.202:7 -s rr
-a -t 192.168.1.202:7 -r 10.0.100.2 -m
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.3 -m
`)
	f := ipvsd.OpenFlow(t, c.Client, netip.MustParseAddrPort("192.168.1.202:7"))
	last := ipvsd.CountersOf(t, h)
	for when, table := range []string{`-A -t 192.168.1.202:7 -s rr
-a -t 192.168.1.202:7 -r 10.0.100.2 -m
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.3 -m
`, `-A -t 192.168.1.202:7 -s wlc -p 60
-a -t 192.168.1.202:7 -r 10.0.100.2 -m -w 0 -x 9
-a -t 192.168.1.202:7 -r 10.0.100.3 -m
-A -t 192.168.1.202:81 -s rr
`, `-A -t 192.168.1.202:7 -s mh -b mh-port
-a -t 192.168.1.202:7 -r 10.0.100.2 -m -w 2
-a -t 192.168.1.202:7 -r 10.0.100.4 -m
-A -t 192.168.1.202:80 -s rr
`} {
		out := ipvsd.GoodCtl(t, h, "import", tableFile(t, table))
		if when == 0 && out != "" {
			t.Errorf("an import of what is so already changes\n%s", out)
		}
		if got, err := ipvsd.Saved(h); err != nil || strings.Count(got, "\n") != strings.Count(table, "\n")-1 {
			t.Errorf("%v\n%s", err, got)
		}
		f.Ping("after an import that did\n" + out)
		now := ipvsd.CountersOf(t, h)
		flow := []string{"TCP 192.168.1.202:7", "TCP 192.168.1.202:7 10.0.100.2:7"}
		ipvsd.Counters{flow[0]: now[flow[0]], flow[1]: now[flow[1]]}.GrownFrom(t, "after an import", ipvsd.Counters{flow[0]: last[flow[0]], flow[1]: last[flow[1]]})
		last = now
	}
	if n := last["TCP 192.168.1.202:7"][0]; n > 1 {
		t.Errorf("the flow counts as %d connections", n)
	}
}

// A daemon tells its services from others', exports what there is, and is not to be run over.
func TestKernelTableOfDaemon(t *testing.T) {
	h := lab.NewHost(t, "director")
	d := ipvsd.Start(t, h, `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["198.51.100.1:80"]
`)
	h.Run("ipvsadm", "-A", "-f", "7", "-6", "-s", "rr")
	h.Run("ipvsadm", "-a", "-t", "192.0.2.1:80", "-r", "198.51.100.2:80", "-m")
	k, err := d.Table(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Services) != 2 || len(k.Services[0].Servers) != 2 {
		t.Fatalf("%+v", k)
	}
	web, mark := k.Services[0], k.Services[1]
	if !web.Ours || !web.Servers[0].Ours || web.Servers[1].Ours || mark.Ours {
		t.Errorf("%+v", k.Services)
	}
	if k, err = d.Table(t.Context(), []ipvs.ServiceKey{mark.Key}); err != nil || len(k.Services) != 1 || k.Services[0].Key != mark.Key {
		t.Errorf("%v %+v", err, k)
	}
	alone := ipvsd.GoodCtl(t, h, "export")
	if asked := ipvsd.GoodCtl(t, h, "--socket", d.Path("socket"), "export"); asked != alone || !strings.Contains(asked, "fwmark = 7") {
		t.Errorf("the daemon's export\n%s\nand that without it\n%s", asked, alone)
	}

	before := h.SavedTable()
	file := tableFile(t, "-A -f 9 -s rr\n")
	code, _, stderr := ipvsd.RunCtl(t, h, "--socket", d.Path("socket"), "import", file)
	if code != 1 || !strings.Contains(stderr, "would put its own services back") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if after := h.SavedTable(); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("the table is %q", after)
	}
	ipvsd.GoodCtl(t, h, "--socket", d.Path("socket"), "import", "--dry-run", file)
	ipvsd.GoodCtl(t, h, "--socket", d.Path("socket"), "import", "--force", file)
	ipvsd.WaitSaved(t, h, "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1\n-A -f 9 -s rr")
}
