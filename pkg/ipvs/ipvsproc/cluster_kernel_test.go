//go:build kernel

package ipvsproc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

var vip = netip.MustParseAddrPort("192.0.2.80:7")

// cluster is a client, a director and two servers behind it by NAT, which answer every datagram and every line with their
// name.
type cluster struct {
	client, director *lab.Host
	servers          map[string]string // addresses with port, by name
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	outside, inside := lab.NewBridge(t, "outside", 1500), lab.NewBridge(t, "inside", 1500)
	c := &cluster{client: lab.NewHost(t, "client"), director: lab.NewHost(t, "director"), servers: map[string]string{}}
	c.client.Connect(outside, "eth0", "192.0.2.10/24")
	c.director.Sysctl("net.ipv4.ip_forward", "1")
	c.director.Connect(outside, "eth0", "192.0.2.1/24", vip.Addr().String()+"/32")
	c.director.Connect(inside, "eth1", "198.51.100.1/24")
	for i := range 2 {
		h := lab.NewHost(t, fmt.Sprintf("server%d", i+1))
		addr := fmt.Sprintf("198.51.100.%d", 11+i)
		h.Connect(inside, "eth0", addr+"/24")
		h.DefaultRoute(netip.MustParseAddr("198.51.100.1"))
		c.servers[h.Name] = addr + ":7"
		c.serve(t, h, addr+":7")
	}
	return c
}

func (c *cluster) serve(t *testing.T, h *lab.Host, addr string) {
	t.Helper()
	l, err := h.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p, err := h.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	go func() {
		buf := make([]byte, 100)
		for {
			_, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = p.WriteTo([]byte(h.Name), from)
		}
	}()
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

// flow opens a flow to the VIP and returns it with the name of the server that answers.
func (c *cluster) flow(t *testing.T, network string) (net.Conn, string) {
	t.Helper()
	conn, err := c.client.DialContext(t.Context(), network, vip.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, ask(conn, patience)
}

// patience is how long an answer may take that has to come: the lab stands still now and then, and TCP repeats at growing intervals.
const patience = time.Minute

// ask returns the name of the server that answers, or how it comes that none does in that time.
func ask(conn net.Conn, within time.Duration) string {
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return err.Error()
	}
	buf := make([]byte, 100)
	_, err := conn.Write([]byte("who?"))
	n := 0
	if err == nil {
		n, err = conn.Read(buf)
	}
	var timeout net.Error
	switch {
	case err == nil:
		return string(buf[:n])
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return err.Error()
}

func (c *cluster) ipvsadm(args ...string) { c.director.Run(append([]string{"ipvsadm"}, args...)...) }

// entries returns the connections that the director knows to go to a server.
func (c *cluster) entries(server string) []string {
	var l []string
	for line := range strings.Lines(c.director.Run("ipvsadm", "-Lnc")) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == c.servers[server] {
			l = append(l, strings.Join(f, " "))
		}
	}
	return l
}
