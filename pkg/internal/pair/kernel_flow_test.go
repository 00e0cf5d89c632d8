//go:build kernel

package pair

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// portOfFlows is where the servers of long connections listen.
const portOfFlows = 2222

// serveFlows has a host answer each byte of a client with a block of data, for ever: one byte is a key that is typed, many are
// a download.
func serveFlows(t *testing.T, h *lab.Host) {
	t.Helper()
	l, err := h.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", portOfFlows))
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
				block := make([]byte, blockSize)
				for key := make([]byte, 1); ; {
					if _, err := conn.Read(key); err != nil {
						return
					}
					if _, err := conn.Write(block); err != nil {
						return
					}
				}
			}()
		}
	}()
}

const blockSize = 64 << 10

// flow is a client's connection.
type flow struct {
	t    *testing.T
	conn net.Conn
	got  atomic.Int64 // blocks
	over chan error
}

func dialFlow(t *testing.T, client *lab.Host, service string) *flow {
	t.Helper()
	var conn net.Conn
	lab.WaitFor(t, patience, "a connection to "+service, func() (err error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, err = client.DialContext(ctx, "tcp", service)
		return err
	})
	t.Cleanup(func() { _ = conn.Close() })
	f := &flow{t: t, conn: conn, over: make(chan error, 1)}
	f.key()
	return f
}

// key types one key and waits for what it brings.
func (f *flow) key() {
	f.t.Helper()
	if err := f.block(); err != nil {
		f.t.Fatalf("a connection did not survive: %v", err)
	}
}

func (f *flow) block() error {
	if _, err := f.conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, f.conn, blockSize)
	f.got.Add(1)
	return err
}

// knownTo waits until a director's table has the connection: the kernel tells of one only two seconds after it is there.
func (f *flow) knownTo(d *Director) {
	f.t.Helper()
	lab.WaitFor(f.t, patience, "the connection on "+d.Name, func() error {
		lines, err := d.ReadConnections(netip.MustParseAddrPort(f.conn.RemoteAddr().String()))
		if err != nil {
			return err
		}
		for _, line := range lines {
			if strings.Contains(line, " ESTABLISHED "+f.conn.LocalAddr().String()+" ") {
				return nil
			}
		}
		return fmt.Errorf("%q", lines)
	})
}

// download goes on until the connection breaks or the test is over.
func (f *flow) download() {
	go func() {
		for {
			if err := f.block(); err != nil {
				f.over <- err
				return
			}
		}
	}()
}

// goesOn waits until 50 blocks more have come.
func (f *flow) goesOn() {
	f.t.Helper()
	from := f.got.Load()
	lab.WaitFor(f.t, patience, "the download to go on", func() error {
		select {
		case err := <-f.over:
			f.t.Fatalf("the download broke: %v", err)
		default:
		}
		if n := f.got.Load() - from; n < 50 {
			return fmt.Errorf("%d blocks", n)
		}
		return nil
	})
}
