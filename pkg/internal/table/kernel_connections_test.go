//go:build kernel

package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// oneOfEach is a table that has every kind of entry: both families and a mix of them, persistence, a firewall mark.
const oneOfEach = `
--set 3600 3600 3600
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m
-A -t 192.0.2.1:81 -s rr -p 300
-a -t 192.0.2.1:81 -r 10.0.0.2:81 -m
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r [2001:db8:1::2]:80 -m
-A -u [2001:db8::1]:53 -s rr
-a -u [2001:db8::1]:53 -r 10.0.0.3:53 -i
-A -u 192.0.2.1:53 -s rr
-a -u 192.0.2.1:53 -r 10.0.0.2:53 -m
-A -u 192.0.2.1:5060 -s rr -p 300 --pe sip
-a -u 192.0.2.1:5060 -r 10.0.0.2:5060 -m
-A -f 7 -s rr -p 300
-a -f 7 -r 10.0.0.2:0 -g
-A -f 7 -6 -s rr -p 300
-a -f 7 -6 -r [2001:db8:1::2]:0 -g
`

// newConnections makes a director that is its own real server, and connections to it that stay.
func newConnections(t *testing.T) (director *lab.Host) {
	t.Helper()
	network := lab.NewBridge(t, "network", 1500)
	client, director := lab.NewHost(t, "client"), lab.NewHost(t, "director")
	client.Connect(network, "eth0", "198.51.100.2/24", "2001:db8:9::2/64")
	director.Connect(network, "eth0", "198.51.100.1/24", "2001:db8:9::1/64")
	client.DefaultRoute(netip.MustParseAddr("198.51.100.1"))
	client.DefaultRoute(netip.MustParseAddr("2001:db8:9::1"))
	for _, prefix := range []string{"192.0.2.1/32", "192.0.2.7/32", "10.0.0.2/32", "2001:db8::1/128", "2001:db8::7/128", "2001:db8:1::2/128"} {
		director.AddAddress("lo", prefix)
	}
	ipvsd.Fill(director, oneOfEach)
	director.Run("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-d", "192.0.2.7", "-j", "MARK", "--set-mark", "7")
	director.Run("ip6tables-legacy", "-t", "mangle", "-A", "PREROUTING", "-d", "2001:db8::7", "-j", "MARK", "--set-mark", "7")
	for _, at := range []string{"10.0.0.2:80", "10.0.0.2:81", "[2001:db8:1::2]:80", "192.0.2.7:80", "[2001:db8::7]:80"} {
		ipvsd.Echo(t, director, at)
	}
	for _, to := range []string{"192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:81", "[2001:db8::1]:80", "192.0.2.7:80", "[2001:db8::7]:80"} {
		ipvsd.OpenFlow(t, client, netip.MustParseAddrPort(to))
	}
	for to, text := range map[string]string{
		"192.0.2.1:53":     "anything",
		"[2001:db8::1]:53": "anything",
		"192.0.2.1:5060":   "INVITE sip:a@b SIP/2.0\r\nCall-ID: 1-2@198.51.100.2\r\n\r\n",
	} {
		socket, err := client.ListenPacket("udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = socket.Close() })
		if _, err := socket.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
			t.Fatal(err)
		}
	}
	return director
}

// listed are the entries that ipvsadm lists, as sorted lines of protocol, state, client, virtual address and server.
func listed(h *lab.Host) (lines []string, err error) {
	out, err := h.Output("ipvsadm", "-Lnc")
	for line := range strings.Lines(out) {
		if w := strings.Fields(line); len(w) == 6 && w[0] != "pro" {
			lines = append(lines, strings.Join([]string{strings.ToLower(w[0]), w[2], w[3], w[4], w[5]}, " "))
		}
	}
	slices.Sort(lines)
	return lines, err
}

// told is listed of what ipvsctl prints as JSON.
func told(h *lab.Host, ipvsctl ...string) (lines []string, all []connection.Connection, err error) {
	out, err := h.Output(append(ipvsctl, "-o", "json")...)
	for line := range strings.Lines(out) {
		var c connection.Connection
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			return nil, nil, fmt.Errorf("%w in %q", err, line)
		}
		all = append(all, c)
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", c.Protocol, c.State, c.Client, c.Virtual, c.Server))
	}
	slices.Sort(lines)
	return lines, all, err
}

// The list is that of ipvsadm, with a daemon and without; filters leave of it what they should; the summary adds up to it.
func TestKernelConnections(t *testing.T) {
	program := ipvsd.IPVSCtl()
	director := newConnections(t)
	d := ipvsd.Start(t, director, "")
	with := []string{program, "--socket", d.Path("socket"), "connections"}
	without := []string{program, "--socket", d.Path("none"), "connections"}

	var all []connection.Connection
	for _, command := range [][]string{with, without} {
		lab.WaitFor(t, ipvsd.Patience, "the list of ipvsadm", func() error {
			want, err := listed(director)
			if err != nil {
				return err
			}
			var got []string
			if got, all, err = told(director, command...); err != nil {
				return err
			}
			if len(want) != 13 || !slices.Equal(got, want) {
				return fmt.Errorf("ipvsctl lists\n%s\nipvsadm\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			return nil
		})
	}
	for _, c := range all {
		if c.Engine != "" && c.EngineData != "1-2@198.51.100.2" || (c.Engine != "") != (c.Virtual.Port() == 5060 && c.Client.Port() == 0) {
			t.Errorf("the engine of %+v", c)
		}
		if c.Expires <= 0 || c.Expires > 3600e9 {
			t.Errorf("the time of %+v", c)
		}
	}
	for filter, want := range map[string]int{
		"--service=tcp 192.0.2.1:80":                    2,
		"--service=192.0.2.1":                           7,
		"--service=udp":                                 4,
		"--service=fwmark 7":                            1,
		"--service=fwmark 7 inet6":                      1,
		"--server=10.0.0.2:81":                          2,
		"--server=2001:db8:1::/64":                      3,
		"--client=198.51.100.0/24":                      9,
		"--client=198.51.100.3":                         0,
		"--state=established":                           6,
		"--state=UDP":                                   3,
		"--family=inet6":                                4,
		"--limit=3":                                     3,
		"--family=inet6 --state=UDP --server=10.0.0.3":  1,
		"--family=inet6 --state=UDP --server=10.0.0.99": 0,
	} {
		var words []string
		for _, word := range strings.Split(filter, "--")[1:] {
			words = append(words, "--"+strings.TrimSpace(word))
		}
		for _, command := range [][]string{with, without} {
			if got, _, err := told(director, append(slices.Clone(command), words...)...); err != nil || len(got) != want {
				t.Errorf("%q: %v, %d entries, want %d\n%s", words, err, len(got), want, strings.Join(got, "\n"))
			}
		}
	}
	for _, command := range [][]string{with, without} {
		var s connection.Summary
		if err := json.Unmarshal([]byte(director.Run(append(command, "--summary", "-o", "json")...)), &s); err != nil {
			t.Fatal(err)
		}
		count := map[string]uint64{}
		for _, c := range all {
			count[fmt.Sprint(c.Service(), c.Server, c.State)]++
		}
		groups := 0
		for _, v := range s.Services {
			for _, r := range v.Servers {
				for state, n := range r.States {
					if groups++; n != count[fmt.Sprint(v.Service, r.Addr, state)] {
						t.Errorf("%s, %s, %s: %d", v.Service, r.Addr, state, n)
					}
				}
			}
		}
		if s.Entries != uint64(len(all)) || groups != len(count) || len(s.Clients) != 2 || s.Clients[0].Entries != 9 || s.Clients[1].Entries != 4 {
			t.Errorf("the summary has %d entries in %d groups, want %d in %d; clients %+v", s.Entries, groups, len(all), len(count), s.Clients)
		}
		t.Logf("\n%s\n%s", director.Run(command...), director.Run(append(command, "--summary")...))
	}
}

// Without the module there is no list, and the reason is told.
func TestKernelConnectionsWithoutModule(t *testing.T) {
	if os.Getenv("IPVSD_LAB") == "host" {
		inKernelOfItsOwn(t)
		return
	}
	program := ipvsd.IPVSCtl()
	director := lab.NewHost(t, "director")
	takeModule(t)
	for _, summary := range []string{"--summary=false", "--summary"} {
		_, err := director.Output(program, "--socket", filepath.Join(t.TempDir(), "none"), "connections", summary)
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 1 || !strings.Contains(err.Error(), "this kernel has no IPVS: load the module with modprobe ip_vs") {
			t.Errorf("%v", err)
		}
	}
}
