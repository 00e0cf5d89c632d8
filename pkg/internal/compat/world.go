package compat

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long anything that is waited for may take.
const patience = 90 * time.Second

// absent is an interface that no director has, whatever a file says.
const absent = "eth9"

// prefixes are the networks of the interfaces, in their order.
var prefixes = []string{"192.0.2", "198.51.100", "203.0.113"}

// needs is what a file wants from its director.
type needs struct {
	interfaces []string
	addresses  []netip.Addr     // of the director's own: sources of adverts and checks
	servers    []netip.AddrPort // that can be reached over TCP
	here       []uint16         // ports of servers that are on the director itself, at 127.0.0.2
}

var (
	ofInterface = regexp.MustCompile(`(?m)(?:^|[\s{"])(?:interface|dev|iif|oif|lvs_sync_daemon|default_interface|lvs_sync_daemon_interface)[ \t]+"?([a-z][a-zA-Z0-9_.\-]{1,14})"?`)
	ofList      = regexp.MustCompile(`(?s)(?:track_interface|linkbeat_interfaces|interfaces)\s*\{([^}]*)\}`)
	ofSource    = regexp.MustCompile(`(?m)^\s*(?:unicast_src_ip|mcast_src_ip|source_ip|bindto)[ \t]+([0-9a-fA-F.:]+)`)
	ofServer    = regexp.MustCompile(`(?m)^\s*(?:real_server|sorry_server)[ \t]+([0-9a-fA-F.:]+)[ \t]+(\d+)`)
	ofPort      = regexp.MustCompile(`(?m)^\s*connect_port[ \t]+(\d+)`)
)

// needsOf finds what a file wants, as well as can be told without reading it as one of the two would.
func needsOf(text string) (n needs) {
	add := func(name string) {
		if name != "lo" && name != absent && name != "no" && !slices.Contains(n.interfaces, name) && len(n.interfaces) < 12 {
			n.interfaces = append(n.interfaces, name)
		}
	}
	for _, name := range []string{"eth0", "eth1", "eth2"} {
		add(name)
	}
	for _, m := range ofInterface.FindAllStringSubmatch(text, -1) {
		add(m[1])
	}
	for _, m := range ofList.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(m[1]) {
			if words := strings.Fields(line); len(words) > 0 && regexp.MustCompile(`^[a-z][a-z0-9.]+$`).MatchString(words[0]) {
				add(words[0])
			}
		}
	}
	for _, m := range ofSource.FindAllStringSubmatch(text, -1) {
		if a, err := netip.ParseAddr(m[1]); err == nil && !a.IsLoopback() && !slices.Contains(n.addresses, a) {
			n.addresses = append(n.addresses, a)
		}
	}
	ports := ofPort.FindAllStringSubmatch(text, -1)
	for _, m := range ofServer.FindAllStringSubmatch(text, -1) {
		for _, port := range append(ports, []string{"", m[2]}) {
			s, err := netip.ParseAddrPort(net.JoinHostPort(m[1], port[1]))
			switch {
			case err != nil:
			case s.Addr().IsLoopback():
				if !slices.Contains(n.here, s.Port()) {
					n.here = append(n.here, s.Port())
				}
			case !slices.Contains(n.servers, s):
				n.servers = append(n.servers, s)
			}
		}
	}
	return n
}

// world is a director and its neighbour.
type world struct {
	director, sink *lab.Host
	needs          needs
	here           []net.Listener
}

// newWorld makes a director that has what a file needs. Two of them for the same file can't be told apart.
func newWorld(tb lab.TB, name string, n needs) *world {
	tb.Helper()
	w := &world{director: lab.NewHost(tb, name), sink: lab.NewHost(tb, name+"-sink"), needs: n}
	w.connect()
	for i, ifname := range n.interfaces {
		w.director.LinkUp(ifname)
		w.director.AddAddress(ifname, network(i)+".1/24")
		six := fmt.Sprintf("2001:db8:%d::1", i)
		if i == 0 {
			six = "2001:db8::1"
		}
		w.director.AddAddress(ifname, six+"/64")
	}
	for _, a := range n.addresses {
		bits := "/24"
		if a.Is6() {
			bits = "/64"
		}
		if !slices.Contains([]string{"192.0.2.1", "2001:db8::1"}, a.String()) {
			w.director.AddAddress("eth0", a.String()+bits)
		}
	}
	w.director.Run("ip", "route", "add", "default", "dev", "eth0")
	// A link that comes up late, or an address that is not sure to be alone yet, is a fault at the start to whoever looks first.
	lab.WaitFor(tb, patience, "links and addresses", func() error { return w.director.Do(func() error { return ready(n.interfaces) }) })
	w.serve(tb)
	return w
}

// network is that of the i-th interface.
func network(i int) string {
	if i < len(prefixes) {
		return prefixes[i]
	}
	return fmt.Sprintf("10.250.%d", i)
}

// connect connects both, with one process for all: processes are what User Mode Linux is slow with. The neighbour answers for every address but
// the director's.
func (w *world) connect() {
	var b strings.Builder
	for i, ifname := range w.needs.interfaces {
		fmt.Fprintf(&b, "link add p%[1]d address 02:00:00:00:01:%02[1]x type veth peer name %[2]s address 02:00:00:00:00:%02[1]x netns %[3]s\n",
			i, ifname, w.director.Namespace)
		fmt.Fprintf(&b, "link set p%d up\nroute add %s.1/32 dev p%[1]d\n", i, network(i))
	}
	for _, a := range w.needs.addresses {
		if a.Is4() {
			fmt.Fprintf(&b, "route replace %v/32 dev p0\n", a)
		}
	}
	b.WriteString("route add local default dev lo table default\n")
	w.sink.Run("sh", "-c", "ip -batch - <<'END'\n"+b.String()+"END\n")
}

// ready returns nil if these interfaces are up, and no address waits to be sure that it is alone.
func ready(interfaces []string) error {
	for _, ifname := range interfaces {
		link, err := netlink.LinkByName(ifname)
		if err != nil {
			return err
		}
		if state := link.Attrs().OperState; state != netlink.OperUp {
			return fmt.Errorf("%s is %v", ifname, state)
		}
	}
	text, err := os.ReadFile("/proc/thread-self/net/if_inet6")
	for line := range strings.Lines(string(text)) {
		const tentative = 0x40        // IFA_F_TENTATIVE
		words := strings.Fields(line) // address, interface, length, scope, flags, name
		flags, wrong := strconv.ParseUint(words[4], 16, 8)
		if err = errors.Join(err, wrong); flags&tentative != 0 {
			err = errors.Join(err, errors.New(line))
		}
	}
	return err
}

// serve begins to answer on the ports of the servers.
func (w *world) serve(tb lab.TB) {
	tb.Helper()
	listen := func(h *lab.Host, address string) net.Listener {
		l, err := h.Listen("tcp", address)
		if err != nil {
			tb.Fatalf("%v", err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })}
		tb.Cleanup(func() { _ = server.Close() })
		go server.Serve(l) //nolint:errcheck // it ends with the test
		return l
	}
	var ports []uint16
	for _, s := range w.needs.servers {
		if s.Port() != 0 && !slices.Contains(ports, s.Port()) {
			ports = append(ports, s.Port())
			listen(w.sink, fmt.Sprintf("0.0.0.0:%d", s.Port()))
		}
	}
	for _, port := range w.needs.here {
		if port != 0 {
			w.here = append(w.here, listen(w.director, fmt.Sprintf("127.0.0.2:%d", port)))
		}
	}
}

// kill takes the first server away, and those that are on the director.
func (w *world) kill() {
	for _, l := range w.here {
		_ = l.Close()
	}
	if len(w.needs.servers) > 0 && w.needs.servers[0].Addr().Is4() {
		w.sink.Run("ip", "route", "replace", "prohibit", w.needs.servers[0].Addr().String()+"/32")
	}
}
