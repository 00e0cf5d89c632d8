package probe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

const benchPage = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\ncontent"

// pages serves benchPage. It is as cheap as a server can be, so that what is measured is mostly the check.
func pages(b *testing.B, wrap func(net.Conn) net.Conn) net.Listener {
	b.Helper()
	l := listen(b, "127.0.0.1:0")
	go func() {
		request := make([]byte, 4096)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c = wrap(c)
			c.Read(request)
			io.WriteString(c, benchPage)
			c.Close()
		}
	}()
	return l
}

func plain(c net.Conn) net.Conn { return c }

// BenchmarkHTTP is one HTTP_GET with a digest of a server on loopback. As with BenchmarkTCP, cpu-ns/op has the server's share in it.
func BenchmarkHTTP(b *testing.B) {
	c := health.Check{Target: addrOf(pages(b, plain)), Timeout: 3 * time.Second, Spec: page(digest(md5OfContent))}
	probes(b, c)
}

// BenchmarkTalk is the same by a Connector, of so many at once.
func BenchmarkTalk(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			c := health.Check{Target: addrOf(pages(b, plain)), Timeout: 3 * time.Second, Spec: page(digest(md5OfContent))}
			k := connector(b)
			ended := make(chan error, n)
			done := func(_ health.Finding, err error, _ time.Time) { ended <- err }
			left := 0
			perCheck(b, func() error {
				if left == 0 {
					for ; left < n; left++ {
						k.Talk(b.Context(), c, done)
					}
				}
				left--
				return <-ended
			})
		})
	}
}

// BenchmarkHTTPRegex has a regex instead.
func BenchmarkHTTPRegex(b *testing.B) {
	c := health.Check{Target: addrOf(pages(b, plain)), Timeout: 3 * time.Second, Spec: page(regex("^cont[a-z]+$"))}
	probes(b, c)
}

// BenchmarkSSL is one SSL_GET.
func BenchmarkSSL(b *testing.B) {
	id := newIdentity(b, time.Now().Add(24*time.Hour))
	at := addrOf(pages(b, func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{id.cert}}) }))
	spec := page(digest(md5OfContent))
	spec.TLS = health.TLS{Mode: health.Implicit}
	probes(b, health.Check{Target: at, Timeout: 3 * time.Second, Spec: spec})
}

// BenchmarkHTTPClient is the same by way of net/http, to see what that would cost.
func BenchmarkHTTPClient(b *testing.B) {
	l := pages(b, plain)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Second}
	perCheck(b, func() error {
		r, err := client.Get("http://" + l.Addr().String() + "/")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return err
	})
}

func probes(b *testing.B, c health.Check) {
	b.Helper()
	perCheck(b, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), c.Timeout)
		defer cancel()
		_, err := probe.HTTP(ctx, c, c.Spec.(health.HTTP))
		return err
	})
}
