//go:build kernel

package doctorhost_test

import (
	"context"
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
	"time"

	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long anything that is waited for may take: it is never what a test is about.
const patience = 2 * time.Minute

// programs is the directory with ipvsd and ipvsctl.
var programs string

// The tests of this package break things on hosts of the lab, have the real ipvsctl find and mend them, and look at what clients see.
func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipvsd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab's own /tmp
	programs = dir
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// What is typed as iptables is to be the one that the lab's kernel knows.
	if legacy, err := exec.LookPath("iptables-legacy"); err == nil {
		if err := os.Symlink(legacy, filepath.Join(dir, "iptables")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// network is a client, a director and two real servers, which answer every line and datagram on port 7 with their name:
//
//	client 192.0.2.10 --- eth0 192.0.2.1 director eth1 198.51.100.1 --- server1-2 198.51.100.11-12
//
// and the same in IPv6, with 2001:db8:1:: and 2001:db8:2::. The servers have no route back yet. Nothing is in the table.
type network struct {
	t                *testing.T
	outside, inside  *lab.Bridge
	client, director *lab.Host
	servers          [2]*lab.Host
	state            map[*lab.Host]string // what each has for /var/lib/ipvsd: hosts of the lab share their files
	asked            map[string]bool      // services, by TestKernelExplain
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, outside: lab.NewBridge(t, "outside", 1500), inside: lab.NewBridge(t, "inside", 1500), state: map[*lab.Host]string{}, asked: map[string]bool{}}
	n.client, n.director = lab.NewHost(t, "client"), lab.NewHost(t, "director")
	n.director.Sysctl("net.ipv4.ip_forward", "1")
	n.director.Sysctl("net.ipv6.conf.all.forwarding", "1")
	n.client.Connect(n.outside, "eth0", "192.0.2.10/24", "2001:db8:1::10/64")
	n.director.Connect(n.outside, "eth0", "192.0.2.1/24", "2001:db8:1::1/64")
	n.director.Connect(n.inside, "eth1", "198.51.100.1/24", "2001:db8:2::1/64")
	for i := range n.servers {
		h := lab.NewHost(t, fmt.Sprintf("server%d", i+1))
		h.Connect(n.inside, "eth0", fmt.Sprintf("198.51.100.%d/24", 11+i), fmt.Sprintf("2001:db8:2::%d/64", 11+i))
		n.servers[i] = h
		serve(t, h)
	}
	for _, h := range []*lab.Host{n.director, n.servers[0], n.servers[1]} {
		n.state[h] = t.TempDir()
	}
	return n
}

// route gives the servers their way back through the director.
func (n *network) route() {
	for _, h := range n.servers {
		h.DefaultRoute(netip.MustParseAddr("198.51.100.1"))
		h.DefaultRoute(netip.MustParseAddr("2001:db8:2::1"))
	}
}

func serve(t *testing.T, h *lab.Host) {
	t.Helper()
	l, err := h.Listen("tcp", "[::]:7")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 100)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					if _, err := conn.Write([]byte(h.Name)); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// How long a client waits: where an answer is to come, and where none is.
const (
	long  = 10 * time.Second
	short = 2 * time.Second
)

// dial connects and returns the connection with the name of the server that answers.
func dial(t *testing.T, from *lab.Host, to string, limit time.Duration) (net.Conn, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := from.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, "", err
	}
	name, err := ask(t, conn, limit)
	return conn, name, err
}

// fromPort is dial from an address and port.
func (n *network) fromPort(source, to string) (name string, err error) {
	n.t.Helper()
	var conn net.Conn
	err = n.client.Do(func() (err error) {
		from := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source)), Timeout: long}
		conn, err = from.DialContext(n.t.Context(), "tcp", to)
		return err
	})
	if err != nil {
		return "", err
	}
	return ask(n.t, conn, long)
}

// ask returns the name of the server at the other end. The connection stays until the end of the test.
func ask(t *testing.T, conn net.Conn, limit time.Duration) (name string, err error) {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	buf := make([]byte, 100)
	if err = conn.SetDeadline(time.Now().Add(limit)); err == nil {
		_, err = conn.Write([]byte("who?"))
	}
	size := 0
	if err == nil {
		size, err = conn.Read(buf)
	}
	return string(buf[:size]), err
}

// served wants an answer.
func served(t *testing.T, from *lab.Host, to string) string {
	t.Helper()
	conn, name, err := dial(t, from, to, long)
	if err != nil {
		t.Errorf("%s from %s: %v", to, from.Name, err)
		return ""
	}
	_ = conn.Close()
	return name
}

// unserved wants none.
func unserved(t *testing.T, from *lab.Host, to, when string) {
	t.Helper()
	if _, name, err := dial(t, from, to, short); err == nil {
		t.Errorf("%s: %s answers for %s", when, name, to)
	}
}

// ctl runs ipvsctl on a host, with its own state. Exit codes other than these end the test.
func (n *network) ctl(h *lab.Host, code int, args ...string) string {
	n.t.Helper()
	out, err := h.Output(n.shell(h, "exec ipvsctl --socket "+n.socket()+" "+strings.Join(quoted(args), " "))...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	if err != nil || got != code {
		n.t.Fatalf("ipvsctl %s on %s: exit code %d, want %d: %v\n%s", strings.Join(args, " "), h.Name, got, code, err, out)
	}
	return out
}

func (n *network) socket() string { return filepath.Join(programs, "socket") }

func quoted(args []string) (list []string) {
	for _, a := range args {
		list = append(list, "'"+a+"'")
	}
	return list
}

// shell is a command line that runs what somebody types, on a machine of his own.
func (n *network) shell(h *lab.Host, typed string) []string {
	state := n.state[h]
	if state == "" {
		state = n.t.TempDir()
		n.state[h] = state
	}
	return []string{"unshare", "-m", "sh", "-c",
		fmt.Sprintf("mkdir -p /var/lib/ipvsd && mount --bind %s /var/lib/ipvsd && PATH=%s:$PATH && %s", state, programs, typed)}
}

// examine runs the doctor, who listens for so long.
func (n *network) examine(h *lab.Host, listen string) *doctor.Report {
	n.t.Helper()
	out, err := h.Output(n.shell(h, "exec ipvsctl --socket "+n.socket()+" doctor -o json --listen "+listen)...)
	r := &doctor.Report{}
	if e := json.Unmarshal([]byte(out), r); e != nil {
		n.t.Fatalf("doctor on %s: %v: %q", h.Name, err, out)
	}
	exit, _ := errors.AsType[*exec.ExitError](err)
	if found := len(r.Findings) > 0; found != (exit != nil && exit.ExitCode() == 2) || !found && err != nil {
		n.t.Errorf("doctor on %s ends with %v and %d findings", h.Name, err, len(r.Findings))
	}
	return r
}

func finding(r *doctor.Report, id string) *doctor.Finding {
	i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

// A fault is broken for real, found, mended by the very commands that are printed, and found no more.
type fault struct {
	id     string
	listen string // how long the doctor listens; empty: not at all
	on     *lab.Host
	spoil  func()
	broken func()    // what clients see while it is broken; nil: nothing
	mended func()    // what they see afterwards
	mend   *lab.Host // where the commands are typed; nil: on that host
	repair func()    // instead of the commands, where there are none
}

func (n *network) stage(f fault) {
	n.t.Helper()
	if f.listen == "" {
		f.listen = "0s"
	}
	if before := finding(n.examine(f.on, f.listen), f.id); before != nil {
		n.t.Errorf("%s is found before it is there: %+v", f.id, before)
	}
	f.spoil()
	var found *doctor.Finding
	lab.WaitFor(n.t, patience, "the doctor to find "+f.id, func() error {
		r := n.examine(f.on, f.listen)
		if found = finding(r, f.id); found == nil {
			return fmt.Errorf("found: %+v", r.Findings)
		}
		return nil
	})
	if f.broken != nil {
		f.broken()
	}
	at := f.on
	if f.mend != nil {
		at = f.mend
	}
	switch {
	case f.repair != nil:
		f.repair()
	case len(found.Mend) == 0:
		n.t.Errorf("%s: no command: %+v", f.id, found)
	case (found.On != "") != (f.mend != nil && f.mend != f.on && f.mend.Namespace != ""):
		n.t.Errorf("%s: the commands are for %q", f.id, found.On)
	}
	if f.repair == nil {
		for _, command := range found.Mend {
			at.Run(n.shell(at, command)...)
		}
	}
	lab.WaitFor(n.t, patience, "the doctor to find "+f.id+" no more", func() error {
		if f.mended != nil {
			f.mended()
		}
		if again := finding(n.examine(f.on, f.listen), f.id); again != nil {
			return fmt.Errorf("it finds %+v", again)
		}
		return nil
	})
	n.t.Logf("%s: %s: mended by %q", f.id, found.What, found.Mend)
}

var (
	d1  = netip.MustParseAddr("198.51.100.1")
	far = netip.MustParseAddr("203.0.113.10")
)
