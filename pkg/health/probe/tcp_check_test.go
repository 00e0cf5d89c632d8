package probe_test

import (
	"net"
	"net/netip"
	"testing"
)

// acceptor returns the address of a server that accepts and closes connections until the test ends.
func acceptor(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
