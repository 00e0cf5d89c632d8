package ipvsd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Echo serves on a host until the test ends: it sends every line back.
func Echo(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	l, err := h.Listen("tcp", at)
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
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
}

// Flow is a TCP connection that should live as long as the test.
type Flow struct {
	net.Conn
	t    *testing.T
	Sent int
}

// OpenFlow connects from a host to an echo server.
func OpenFlow(t *testing.T, h *lab.Host, to netip.AddrPort) *Flow {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &Flow{Conn: conn, t: t}
	f.Ping("from the start")
	return f
}

// Ping sends a line there and back.
func (f *Flow) Ping(when string) {
	f.t.Helper()
	f.Sent++
	line := fmt.Sprintf("line %d\n", f.Sent)
	if err := f.SetDeadline(time.Now().Add(Patience)); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(f, line); err != nil {
		f.t.Fatalf("%s the flow is broken: %v", when, err)
	}
	if got, err := bufio.NewReader(f).ReadString('\n'); err != nil || got != line {
		f.t.Fatalf("%s the flow is broken: sent %q, received %q: %v", when, line, got, err)
	}
}

// Until calls f over and over until the context is done or stop is called; stop waits for the last call.
func Until(ctx context.Context, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			f()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
