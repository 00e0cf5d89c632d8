//go:build kernel

package table

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// combinations collects a configuration, and what ipvsadm has to show of it.
type combinations struct {
	config strings.Builder
	saved  []string // by ipvsadm -Sn
	listed []string // services by ipvsadm -Ln, servers by ipvsadm -Ln --thresholds
	number int
}

// service begins a service, with an address of its own and what a protocol needs, and returns how ipvsadm -Sn and -Ln call it.
func (c *combinations) service(protocol string, family, port int) (saved, listed string) {
	c.number++
	addr := fmt.Sprintf("10.%d.%d.1:%d", c.number/256, c.number%256, port)
	if family == 6 {
		addr = fmt.Sprintf("[2001:db8:0:%x::1]:%d", c.number, port)
	}
	c.config.WriteString("[[virtual_server]]\nTCP_CHECK = false\n")
	if protocol != "FWM" {
		fmt.Fprintf(&c.config, "address = %q\nprotocol = %q\n", addr, protocol)
		option := map[string]string{"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}[protocol]
		return option + " " + addr, protocol + " " + addr
	}
	fmt.Fprintf(&c.config, "fwmark = %d\n", c.number)
	saved, listed = fmt.Sprintf("-f %d", c.number), fmt.Sprintf("FWM %d", c.number)
	if family == 6 {
		c.config.WriteString("ip_family = 'inet6'\n")
		return saved + " -6", listed + " IPv6"
	}
	c.config.WriteString("ip_family = 'inet'\n")
	return saved, listed
}

// A persistence is a configuration's lines, and ipvsadm's words.
type persistence struct {
	v4, v6        string // lines
	engine        bool   // that only UDP has
	saved, listed [2]string
}

var persistences = []persistence{
	{},
	{v4: "persistence_timeout = 300\n", v6: "persistence_timeout = 300\n",
		saved: [2]string{" -p 300", " -p 300"}, listed: [2]string{" persistent 300", " persistent 300"}},
	{v4: "persistence_timeout = '1h'\npersistence_granularity = 24\n", v6: "persistence_timeout = '1h'\npersistence_granularity = 64\n",
		saved:  [2]string{" -p 3600 -M 255.255.255.0", " -p 3600 -M 64"},
		listed: [2]string{" persistent 3600 mask 255.255.255.0", " persistent 3600 mask 64"}},
	{v4: "persistence_timeout = 60\npersistence_engine = 'sip'\n", v6: "persistence_timeout = 60\npersistence_engine = 'sip'\n", engine: true,
		saved: [2]string{" -p 60 --pe sip", " -p 60 --pe sip"}, listed: [2]string{" persistent 60 pe sip", " persistent 60 pe sip"}},
	{v4: "persistence_granularity = 8\npersistence_engine = 'sip'\n", v6: "persistence_granularity = 1\npersistence_engine = 'sip'\n", engine: true,
		saved:  [2]string{" -p 360 -M 255.0.0.0 --pe sip", " -p 360 -M 1 --pe sip"},
		listed: [2]string{" persistent 360 mask 255.0.0.0 pe sip", " persistent 360 mask 1 pe sip"}},
}

// services are all schedulers that the lab's kernel has, each with its flags, for all protocols and families, with all sorts of
// persistence, one port and all, with and without ops.
func (c *combinations) services() {
	for _, scheduler := range []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"} {
		sets := [][]string{nil, {"flag-1"}, {"flag-2"}, {"flag-3"}, {"flag-1", "flag-2", "flag-3"}}
		if scheduler == "sh" || scheduler == "mh" {
			sets = [][]string{nil, {scheduler + "-fallback"}, {scheduler + "-port"}, {scheduler + "-fallback", scheduler + "-port"}} // ipvsadm has no word for flag-3 here
		}
		for _, flags := range sets {
			for _, protocol := range []string{"TCP", "UDP", "SCTP", "FWM"} {
				for i, family := range []int{4, 6} {
					for _, p := range persistences {
						for _, ops := range []bool{false, true} {
							for _, port := range []int{80, 0} {
								if datagrams := protocol == "UDP" || protocol == "FWM"; !datagrams && (ops || p.engine) ||
									port == 0 && (protocol == "FWM" || p.v4 == "") {
									continue // the kernel, or ipvsadm, has no such thing
								}
								c.scheduled(scheduler, flags, protocol, i, family, port, p, ops)
							}
						}
					}
				}
			}
		}
	}
}

func (c *combinations) scheduled(scheduler string, flags []string, protocol string, i, family, port int, p persistence, ops bool) {
	saved, listed := c.service(protocol, family, port)
	fmt.Fprintf(&c.config, "lb_algo = %q\nlb_kind = \"DR\"\n%s", scheduler, []string{p.v4, p.v6}[i])
	saved, listed = "-A "+saved+" -s "+scheduler+p.saved[i], listed+" "+scheduler
	if scheduler == "mh" && !slices.Contains(flags, "mh-fallback") {
		c.config.WriteString("mh-fallback = false\n")
	}
	for _, f := range flags {
		c.config.WriteString(f + " = true\n")
	}
	after := p.listed[i]
	if ops {
		c.config.WriteString("ops = true\n")
		saved, after = saved+" -o", after+" ops"
	}
	if len(flags) > 0 {
		words := strings.Join(flags, ",")
		saved, listed = saved+" -b "+words, listed+" ("+words+")"
	}
	listed += after
	c.saved, c.listed = append(c.saved, saved), append(c.listed, listed)
}

// Ways to servers, and how ipvsadm -Sn shows them.
var ways = []struct{ kind, saved string }{
	{"NAT", "-m -w %d"},
	{"DR", "-g -w %d"},
	{"TUN", "-i -w %d --tun-type ipip"},
	{"TUN type gue port 6080", "-i -w %d --tun-type gue --tun-port 6080 --tun-nocsum"},
	{"TUN type gue port 65535 csum", "-i -w %d --tun-type gue --tun-port 65535 --tun-csum"},
	{"TUN type gue port 1 remcsum", "-i -w %d --tun-type gue --tun-port 1 --tun-remcsum"},
	{"TUN type gre", "-i -w %d --tun-type gre --tun-nocsum"},
	{"TUN type gre csum", "-i -w %d --tun-type gre --tun-csum"},
}

// servers are all ways to them, said for the service or for each, of all families that the kernel lets be together, with weights
// and thresholds.
func (c *combinations) servers() {
	for w, way := range ways {
		for _, protocol := range []string{"TCP", "UDP", "SCTP", "FWM"} {
			for _, family := range []int{4, 6} {
				for _, forAll := range []bool{true, false} {
					saved, listed := c.service(protocol, family, 80)
					all, each := way.kind, ""
					if !forAll {
						all, each = ways[(w+1)%len(ways)].kind, fmt.Sprintf("lb_kind = %q\n", way.kind)
					}
					fmt.Fprintf(&c.config, "lb_algo = \"wrr\"\nlb_kind = %q\n", all)
					c.saved, c.listed = append(c.saved, "-A "+saved+" -s wrr"), append(c.listed, listed+" wrr")
					families := []int{family}
					if strings.HasPrefix(way.kind, "TUN") {
						families = []int{4, 6}
					}
					for _, of := range families {
						c.limited(saved, protocol, of, way.kind, way.saved, each)
					}
				}
			}
		}
	}
}

// limited adds to a service servers of a family, with one way to them.
func (c *combinations) limited(service, protocol string, family int, kind, saved, each string) {
	for n, s := range []struct{ weight, upper, lower int }{{0, 0, 0}, {1, 1, 0}, {65535, 65535, 1}, {65536, 65536, 65536}, {1<<31 - 1, 1<<31 - 1, 7}} {
		host := fmt.Sprintf("198.51.100.%d", n+1)
		if family == 6 {
			host = fmt.Sprintf("[2001:db8:ffff::%d]", n+1)
		}
		port := 80
		switch {
		case kind == "NAT":
			port = 8080 + n
		case protocol == "FWM":
			port = 0
		}
		addr := fmt.Sprintf("%s:%d", host, port)
		if port == 0 {
			fmt.Fprintf(&c.config, "[[virtual_server.real_server]]\naddress = %q\n", strings.Trim(host, "[]"))
		} else {
			fmt.Fprintf(&c.config, "[[virtual_server.real_server]]\naddress = %q\n", addr)
		}
		fmt.Fprintf(&c.config, "weight = %d\nuthreshold = %d\nlthreshold = %d\n%s", s.weight, s.upper, s.lower, each)
		c.saved = append(c.saved, fmt.Sprintf("-a %s -r %s "+saved, service, addr, s.weight))
		c.listed = append(c.listed, fmt.Sprintf("-> %s %d %d 0 0", addr, s.upper, s.lower))
	}
}

// TestKernelEveryCombination: whatever can be combined, ipvsadm shows as it was configured, and what is read back equals what was
// written: neither a reload of the same nor another start has anything to write.
func TestKernelEveryCombination(t *testing.T) {
	var c combinations
	c.services()
	c.servers()
	director := lab.NewHost(t, "director")
	writes := ipvsd.NewWatch(t, director, ipvsd.WriteRequests)
	d := ipvsd.Start(t, director, c.config.String())
	same := func(what string, got, want []string) {
		t.Helper()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			less, more := ipvsd.Missing(want, got), ipvsd.Missing(got, want)
			t.Errorf("%s shows %d lines, want %d; %d are missing, %d others are there; first\n%q\n%q", what, len(got), len(want),
				len(less), len(more), less[:min(20, len(less))], more[:min(20, len(more))])
		}
	}
	same("ipvsadm -Sn", director.SavedTable(), c.saved)
	var listed, counted []string
	for _, r := range director.Table() {
		if r.Server == "" {
			listed = append(listed, r.String())
		}
		counted = append(counted, r.Service+" "+r.Server)
	}
	for _, r := range director.Table("--thresholds") {
		if r.Server != "" {
			listed = append(listed, r.String())
		}
	}
	same("ipvsadm -Ln", listed, c.listed)
	var stats []string
	for _, r := range director.Table("--stats") {
		stats = append(stats, r.Service+" "+r.Server)
	}
	same("ipvsadm -Ln --stats", stats, counted)

	written := writes.Count()
	if a := d.Load(c.config.String()); len(a.Changes) > 0 {
		t.Errorf("a reload of the same: %q", a.Changes)
	}
	d.Stop()
	d.Start()
	if a := d.Planned(); len(a.Changes)+len(a.Waiting) > 0 {
		t.Errorf("the plan afterwards: %q, waiting %q", a.Changes, a.Waiting)
	}
	if n := writes.Count() - written; n != 0 || written == 0 {
		t.Errorf("%d messages that write, after %d", n, written)
	}
	t.Logf("%d services, %d lines", c.number, len(c.saved))
}
