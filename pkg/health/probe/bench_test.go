package probe_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// BenchmarkTCP is one TCP_CHECK of a server on loopback. cpu-ns/op counts user and system time of this process and so
// the accepting server's share as well.
func BenchmarkTCP(b *testing.B) {
	c := health.Check{Type: "TCP_CHECK", Target: acceptor(b), Timeout: 3 * time.Second}
	perCheck(b, func() error { return probe.TCP(b.Context(), c) })
}

// BenchmarkConnector is the same by a Connector, of so many at once.
func BenchmarkConnector(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			c := health.Check{Type: "TCP_CHECK", Target: acceptor(b), Timeout: 3 * time.Second}
			k := connector(b)
			ended := make(chan error, n)
			done := func(err error, _ time.Time) { ended <- err }
			left := 0
			perCheck(b, func() error {
				if left == 0 {
					for ; left < n; left++ {
						if _, err := k.Connect(c, done); err != nil {
							return err
						}
					}
				}
				left--
				return <-ended
			})
		})
	}
}

// BenchmarkDialer is the same by way of package net, to see what that would cost.
func BenchmarkDialer(b *testing.B) {
	target := acceptor(b).String()
	d := net.Dialer{KeepAlive: -1}
	perCheck(b, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", target)
		if err != nil {
			return err
		}
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		return conn.Close()
	})
}

func perCheck(b *testing.B, check func() error) {
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if err := check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu returns the time that this process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
