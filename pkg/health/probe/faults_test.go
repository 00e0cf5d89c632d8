package probe_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const (
	// short is the time limit of probes that are to run into it, patience that of those that are not.
	short    = 250 * time.Millisecond
	patience = time.Minute
	// grace is how much later than its limit a probe may end on a machine that has much to do.
	grace = 20 * time.Second
	// appetite is how many bytes a probe of a server that sends without end may allocate, all in all.
	appetite = 32 << 20
)

// outcome is what a probe has to make of a server.
type outcome int

const (
	fails      outcome = iota // before its time is over
	passes                    //
	late                      // fails, when its time is over
	fallsShort                // fails, now or then
	either                    // it only has to end
)

// fault is a server that is not as it should be. Serve has one connection, which is closed when it returns.
type fault struct {
	name  string
	want  outcome
	serve func(net.Conn)
}

// faults runs a type of check against a good server and many bad ones. Good is a good server's part of one connection; it returns
// when the other side has left, and doesn't touch the test. The names of faults that such a check passes by its rules, or may
// pass, are in but.
func faults(t *testing.T, check func(netip.AddrPort) health.Check, good func(net.Conn), but ...string) {
	t.Helper()
	t.Run("nobody listens", func(t *testing.T) { judge(t, fails, short, check(nobody(t))) })
	t.Run("the backlog is full", func(t *testing.T) { judge(t, late, short, check(hanging(t))) })
	face(t, check, faultsOf(t, check, good), but)
	face(t, check, broken, but)
}

// faultsTLS is faults of a check that encrypts from the first byte: outside of TLS, and inside.
func faultsTLS(t *testing.T, id identity, check func(netip.AddrPort) health.Check, good func(net.Conn)) {
	t.Helper()
	within := func(serve func(net.Conn)) func(net.Conn) {
		return func(raw net.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{id.cert}, NextProtos: []string{"h2", "http/1.1"}})
			if c.Handshake() == nil {
				serve(c)
				c.Close()
			}
		}
	}
	faults(t, check, within(good))
	var inside []fault
	for _, f := range broken {
		inside = append(inside, fault{f.name, f.want, within(f.serve)})
	}
	t.Run("in TLS", func(t *testing.T) { face(t, check, inside, nil) })
}

// face runs a type of check against bad servers.
func face(t *testing.T, check func(netip.AddrPort) health.Check, list []fault, but []string) {
	t.Helper()
	for _, f := range list {
		t.Run(f.name, func(t *testing.T) {
			if slices.Contains(but, f.name) {
				f.want = either
			}
			address, end := server(t, f.serve)
			defer end()
			judge(t, f.want, limitFor(f.want), check(address))
		})
	}
}

func limitFor(want outcome) time.Duration {
	if want == passes || want == fails {
		return patience
	}
	return short
}

// broken is the faults that have nothing of the protocol in them.
var broken = []fault{
	{"never answers", late, func(c net.Conn) { io.Copy(io.Discard, c) }},
	{"closes at once", fails, func(net.Conn) {}},
	{"closes when asked", fallsShort, func(c net.Conn) { c.Read(make([]byte, 1)) }},
	{"says nothing and listens", fails, says("")},
	{"resets", fails, func(c net.Conn) {
		if inside, is := c.(*tls.Conn); is {
			c = inside.NetConn()
		}
		c.(*net.TCPConn).SetLinger(0)
	}},
	{"an empty line", fails, says("\r\n")},
	{"empty lines", fails, says(strings.Repeat("\r\n", 1000))},
	{"HTML", fails, says("<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\r\n")},
	{"an HTTP error", fails, says("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request")},
	{"SSH", fails, says("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")},
	{"zeros", fails, says(string(make([]byte, 4096)))},
	{"ones", fails, says(strings.Repeat("\xff", 4096))},
	{"noise", fails, says(noise(1, 4096))},
	{"little noise", fails, says(noise(2, 3))},
	{"a TLS alert", fails, says("\x15\x03\x01\x00\x02\x02\x46")},
	{"a line of 300 KB", fails, says(strings.Repeat("x", 300<<10))},
	{"a line of 1 GB", fails, floods(strings.Repeat("x", 64<<10))},
	{"lines of 1 GB", fails, floods(strings.Repeat(strings.Repeat("y", 70)+"\r\n", 1<<10))},
	{"1 GB of zeros", fails, floods(string(make([]byte, 64<<10)))},
}

// faultsOf is the faults that can be made of a good server.
func faultsOf(t *testing.T, check func(netip.AddrPort) health.Check, good func(net.Conn)) []fault {
	t.Helper()
	// How much a good server says is seen in a first probe, which has to pass.
	var said atomic.Int64
	address, end := server(t, func(c net.Conn) { good(&tap{Conn: c, sent: &said}) })
	judge(t, passes, patience, check(address))
	end()
	all := int(said.Load())
	if all == 0 {
		t.Fatal("a good server says nothing")
	}
	spoilt := func(name string, want outcome, how tap) fault {
		return fault{name, want, func(c net.Conn) {
			spoiler := how
			spoiler.Conn = c
			good(&spoiler)
		}}
	}
	list := []fault{
		{"a good server", passes, good},
		spoilt("byte by byte", passes, tap{bytewise: true}),
		spoilt("byte by byte, too slowly", late, tap{bytewise: true, pause: short * 3 / 4}),
		spoilt("repeats itself", either, tap{endless: true}),
	}
	for _, cut := range slices.Compact([]int{min(1, all-1), all / 2, all - 1}) {
		list = append(list, spoilt(fmt.Sprintf("stalls after %d of %d bytes", cut, all), either, tap{limited: true, stall: true, cut: cut}))
	}
	// One that has said almost all may be believed.
	for cut := 1; cut < all; cut += 1 + all/40 {
		list = append(list, spoilt(fmt.Sprintf("closes after %d of %d bytes", cut, all), either, tap{limited: true, cut: cut}))
	}
	return list
}

// partsOf20 names the faults of servers that send only a part of the answer.
var partsOf20 = func() (names []string) {
	for keep := range 20 {
		names = append(names, fmt.Sprintf("%d/20 of the answer", keep))
	}
	return names
}()

// faultsUDP runs a type of check against a good server that answers datagrams, and many bad ones.
func faultsUDP(t *testing.T, check func(netip.AddrPort) health.Check, good func(request []byte) (answer []byte), but ...string) {
	t.Helper()
	const most = 40 << 10
	type send = func([]byte) error
	says := func(text string) func([]byte, send) {
		return func(_ []byte, send send) { send([]byte(text)) }
	}
	list := []struct {
		name  string
		want  outcome
		serve func([]byte, send)
	}{
		{"a good server", passes, func(b []byte, send send) { send(good(b)) }},
		{"a good server, twice", passes, func(b []byte, send send) { a := good(b); send(a); send(a) }},
		{"noise before the answer", either, func(b []byte, send send) { send([]byte(noise(1, 512))); send(good(b)) }},
		{"never answers", late, func([]byte, send) {}},
		{"an empty datagram", fallsShort, says("")},
		{"a byte", fallsShort, says("\x00")},
		{"an echo", fallsShort, func(b []byte, send send) { send(b) }},
		{"noise", fallsShort, says(noise(1, 512))},
		{"zeros", fallsShort, says(string(make([]byte, 512)))},
		{"ones", fallsShort, says(strings.Repeat("\xff", 512))},
		{"much noise", fallsShort, says(noise(2, most))},
		{"HTML", fallsShort, says("<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\r\n")},
		{"noise after noise", fallsShort, func(_ []byte, send send) {
			packets := make([][]byte, 256) // made before: what they take would count for the probe's
			for i := range packets {
				packets[i] = []byte(noise(byte(i), 512))
			}
			for i := range 20_000 {
				if send(packets[i%len(packets)]) != nil {
					return
				}
			}
		}},
		{"the answer and more", either, func(b []byte, send send) { send(append(good(b), noise(3, 100)...)) }},
		{"the answer, then zeros", either, func(b []byte, send send) { send(append(good(b), make([]byte, most)...)) }},
	}
	for keep, name := range partsOf20 {
		list = append(list, struct {
			name  string
			want  outcome
			serve func([]byte, send)
		}{name, fallsShort, func(b []byte, send send) { a := good(b); send(a[:len(a)*keep/20]) }})
	}
	for _, f := range list {
		t.Run(f.name, func(t *testing.T) {
			if slices.Contains(but, f.name) {
				f.want = either
			}
			address, end := serverUDP(t, f.serve)
			defer end()
			judge(t, f.want, limitFor(f.want), check(address))
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		address, end := serverUDP(t, nil)
		end()
		judge(t, fails, patience, check(address))
	})
}
