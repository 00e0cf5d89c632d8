package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// listen serves the page of scenario 2 on a host until stop is called, and counts connections if somebody wants to know.
func listen(b *bench, host *lab.Host, asked *atomic.Int64) (stop func()) {
	l, err := host.Listen("tcp", "0.0.0.0:80")
	b.Must(err)
	b.Cleanup(func() { _ = l.Close() })
	serve := func(conn net.Conn) {
		defer conn.Close()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if lines.Text() == "" {
				_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nPagina de Prueba\n")
				return
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if asked != nil {
				asked.Add(1)
			}
			go serve(conn)
		}
	}()
	return func() { _ = l.Close() }
}

// hammer is a client who asks all the time.
type hammer struct{ requests, failed atomic.Int64 }

func (h *hammer) start(b *bench, client *lab.Host) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		b.Must(client.Do(func() error {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-quit:
					return nil
				case <-tick.C:
				}
				if !ask() {
					h.failed.Add(1)
				}
				h.requests.Add(1)
			}
		}))
	}()
	return func() {
		close(quit)
		<-done
	}
}

// ask requests the page. Who waits longer than a second has no patience left.
func ask() bool {
	conn, err := net.DialTimeout("tcp", vip(0)+":80", second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(second)) != nil {
		return false
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	page, err := io.ReadAll(conn)
	return err == nil && strings.HasSuffix(string(page), "Prueba\n")
}
