package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// What is no request for a route is refused, whatever it looks like, and nothing is done. The next client has its answer.
func TestHostileRequests(t *testing.T) {
	p := serveTCP(t, nil)
	at := (<-p.listened).Addr().String()
	c := p.client(t, "")
	config := c.Transport.(*http.Transport).TLSClientConfig
	const auth = "Host: x\r\nAuthorization: Bearer " + operateSecret + "\r\n"
	for request, code := range map[string]int{
		"GET //v1/status HTTP/1.1\r\n" + auth:                                                                404,
		"GET /v1/../v1/status HTTP/1.1\r\n" + auth:                                                           404,
		"GET /v1/./status HTTP/1.1\r\n" + auth:                                                               404,
		"GET /v1/status/ HTTP/1.1\r\n" + auth:                                                                404,
		"GET /v1/%2fstatus HTTP/1.1\r\n" + auth:                                                              404,
		"GET /v1%2fstatus HTTP/1.1\r\n" + auth:                                                               404,
		"GET /v1/status%00 HTTP/1.1\r\n" + auth:                                                              404,
		"GET /v1/Status HTTP/1.1\r\n" + auth:                                                                 404,
		"GET /../../etc/passwd HTTP/1.1\r\n" + auth:                                                          404,
		"GET /v1/" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\n" + auth:                                     404,
		"GET /v1/status HTTP/1.1\r\n" + auth + "X: " + strings.Repeat("x", 64<<10) + "\r\n":                  431,
		"HEAD /v1/status HTTP/1.1\r\n" + auth:                                                                405,
		"DELETE /v1/status HTTP/1.1\r\n" + auth:                                                              405,
		"POST /v1/status HTTP/1.1\r\nContent-Length: 0\r\n" + auth:                                           405,
		"GET /v1/reload HTTP/1.1\r\n" + auth:                                                                 405,
		"get /v1/status HTTP/1.1\r\n" + auth:                                                                 405,
		"GET /v1/status HTTP/1.1\r\nContent-Length: 5\r\n" + auth + "\r\nhello":                              413,
		"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + auth + "\r\n1\r\nx\r\n0\r\n\r\n":      413,
		"POST /v1/wishes HTTP/1.1\r\nContent-Length: 99999999999\r\n" + auth:                                 413,
		"POST /v1/reload HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked, x\r\n" + auth:          501,
		"POST /v1/reload HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 9\r\n" + auth:                      400,
		"POST /v1/reload HTTP/1.1\r\nContent-Length: -1\r\n" + auth:                                          400,
		"GET http://[::1/v1/status HTTP/1.1\r\n" + auth:                                                      400,
		"GET /v1/status HTTP/1.1\r\n" + auth + "Authorization : Bearer x\r\n":                                400,
		"GET /v1/status HTTP/2.0\r\n" + auth:                                                                 505,
		"CONNECT 192.0.2.9:22 HTTP/1.1\r\n" + auth:                                                           404,
		"OPTIONS * HTTP/1.1\r\n" + auth:                                                                      404,
		"\x16\x03\x01\x00\xff\r\n":                                                                           400,
		"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + strings.Repeat("=", 100) + "\r\n":    401,
		"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("x", 8<<10) + "\r\n": 401,
	} {
		p.calm()
		conn, err := tls.Dial("tcp", at, config)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, request+"\r\n") // it may be refused before it is whole
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.60q: %v", request, err)
			continue
		}
		text, _ := io.ReadAll(a.Body)
		_ = conn.Close()
		if a.StatusCode != code || bytes.Count(bytes.TrimSpace(text), []byte("\n")) > 0 || bytes.Contains(text, []byte("certificate ")) {
			t.Errorf("%.60q: %s %s, want %d", request, a.Status, text, code)
		}
		if a.StatusCode == http.StatusMethodNotAllowed && a.Header.Get("Allow") == "" {
			t.Errorf("%.60q: %v", request, a.Header)
		}
	}
	if conn, err := net.Dial("tcp", at); err != nil {
		t.Error(err)
	} else { // no TLS
		_, _ = io.WriteString(conn, "GET /v1/status HTTP/1.1\r\n"+auth+"\r\n")
		text, _ := io.ReadAll(conn)
		if _ = conn.Close(); bytes.Contains(text, []byte("status")) {
			t.Errorf("without TLS: %q", text)
		}
	}
	if code, text := fetch(t, c, http.MethodGet, "https://"+at+statusPath, "Authorization", "Bearer "+operateSecret); code != http.StatusOK {
		t.Errorf("after all that: %d %s", code, text)
	}
}

// No bytes that pass for a request get to a route but by its path and method as they are.
func FuzzRequest(f *testing.F) {
	for _, request := range []string{
		"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/reload?strict=1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1//status HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD /v1/%2e%2e/v1/status HTTP/1.0\r\n\r\n", "GET http://a/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Og==\r\n\r\n",
	} {
		f.Add([]byte(request))
	}
	reached := ""
	list := Routes()
	for i := range list {
		list[i].serve = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = list[i].Method + " " + list[i].Path })
	}
	h := straight(muxOf(list, new(book)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		if r.Body == nil {
			r.Body = http.NoBody
		}
		asked := r.Method + " " + r.URL.Path
		reached = ""
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if reached != "" && reached != asked {
			t.Errorf("%q got to %s", asked, reached)
		}
		if w.Code >= 400 && strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		if c := (&credentials{}); c.open() {
			if who, _, err := c.who(r); err == nil && who.Role != Read {
				t.Errorf("%+v", who)
			}
		}
	})
}

// much answers with more than anybody's buffers hold.
type much struct{ Backend }

func (much) Connections(ctx context.Context, _ connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for ctx.Err() == nil && yield(connection.Connection{State: "ESTABLISHED"}, nil) {
		}
		yield(connection.Connection{}, ctx.Err())
	}
}

func (much) Wishes(context.Context) (*status.Wishes, error) { return &status.Wishes{}, nil }

// Clients that send slowly, or don't read what they asked for, keep nobody waiting, and soon have no place.
func TestStuckClients(t *testing.T) {
	inBubble(t, much{}, func(t *testing.T, c *Client) {
		open := func(request string) net.Conn {
			conn, err := c.transport.DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			return conn
		}
		start := time.Now()
		stuck := make([]net.Conn, maxWalks)
		for i := range stuck {
			stuck[i] = open("GET " + connectionsPath + " HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		header := open("GET " + wishesPath + " HTTP/1.1\r\nHost:")
		body := open("POST " + wishesPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
		silent := open("")
		synctest.Wait()
		if _, err := c.Wishes(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("others wait: %v after %v", err, time.Since(start))
		}
		for _, test := range []struct {
			what string
			conn net.Conn
			took time.Duration
		}{{"without a request", silent, 5 * time.Second}, {"half a header", header, 5 * time.Second}, {"half a body", body, readPatience}} {
			text, _ := io.ReadAll(test.conn)
			if took := time.Since(start); took != test.took {
				t.Errorf("%s: ended after %v with %q, want %v", test.what, took, text, test.took)
			}
		}
		// The lists have ended long ago, after a part that nobody has read.
		before := time.Now()
		for _, err := range c.Connections(t.Context(), connection.Query{}) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if time.Since(before) != 0 {
			t.Errorf("there was a place after %v", time.Since(before))
		}
	})
}

// A client by TCP has so many requests, and so many connections. Others have theirs.
func TestLimitsOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rates
		count := func(client string) (n int) {
			for r.allow(client) {
				n++
			}
			return n
		}
		if a, b := count("192.0.2.1"), count("192.0.2.2"); a != burst || b != burst {
			t.Errorf("%d, %d", a, b)
		}
		time.Sleep(2 * time.Second)
		if n := count("192.0.2.1"); n != 2*perSecond {
			t.Errorf("%d after two seconds", n)
		}
		time.Sleep(time.Minute)
		r.punish("192.0.2.1")
		if n := count("192.0.2.1"); n != burst-wrongCosts {
			t.Errorf("%d with a wrong secret", n)
		}
		time.Sleep(time.Minute)
		guesses := 0
		for range 60 * 100 {
			time.Sleep(10 * time.Millisecond)
			if r.allow("192.0.2.1") {
				guesses++
				r.punish("192.0.2.1")
			}
		}
		if most := (burst + 60*perSecond) / wrongCosts; guesses > most {
			t.Errorf("%d guesses in a minute, of %d", guesses, most)
		}
		for range 1000 { // of requests that were under way
			r.punish("192.0.2.1")
		}
		time.Sleep(5 * time.Second)
		if !r.allow("192.0.2.1") {
			t.Error("who has the same address is kept out for long")
		}
		for i := range 3 * maxClients {
			r.allow(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String())
		}
		if len(r.of) > maxClients {
			t.Errorf("%d clients are remembered", len(r.of))
		}
	})
	var c crowd
	for i := range maxConnsEach + 1 {
		if c.enter("a") != (i < maxConnsEach) {
			t.Errorf("connection %d", i)
		}
	}
	c.leave("a")
	for i := range MaxConns - maxConnsEach + 1 {
		if !c.enter(fmt.Sprint(i)) {
			t.Errorf("connection %d", i)
		}
	}
	if c.enter("b") {
		t.Error("there are more connections than there may be")
	}
	if few := (crowd{most: 1}); !few.enter("a") || few.enter("b") {
		t.Error("there is room for one")
	}
	for address, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1", "[::ffff:192.0.2.1]:99": "192.0.2.1", "[2001:db8::1]:9": "2001:db8::/64", "[2001:db8::2%eth0]:9": "2001:db8::/64", "[::1]:9": "::1",
	} {
		if got := clientOf(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// Who asks too often by TCP is told so, and connections that are too many end at once.
func TestTooManyRequests(t *testing.T) {
	p := serveTCP(t, func(a *Access) { *a = Access{Listen: a.Listen} })
	at := (<-p.listened).Addr().String()
	for range burst {
		p.gates.rates.allow("127.0.0.1")
	}
	limited := false
	for range 100 { // meanwhile it gets some back
		code, text := fetch(t, http.DefaultClient, http.MethodGet, "http://"+at+statusPath)
		if limited = code == http.StatusTooManyRequests && strings.Contains(text, "ask less often"); limited {
			break
		}
	}
	if !limited {
		t.Error("it may ask for ever")
	}
	var conns []net.Conn
	for range maxConnsEach {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
	}
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(4 * time.Second)) // sooner than who says nothing is sent away
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("one more than %d: %v", len(conns), err)
	}
	_ = conn.Close()
}

// Files that change are read again while the server runs; one that can't be read, or is no good, leaves what was there.
func TestFilesOfAccess(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue(t, "lb1")
	dir := t.TempDir()
	write(t, dir+"/token", readSecret)
	synctest.Test(t, func(t *testing.T) {
		g := newGates(slog.New(slog.DiscardHandler))
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { defer close(done); g.run(ctx) }()
		a := Access{Certificate: certificate, Key: key, ClientCA: ca.file, Tokens: []Token{{"t", Read, dir + "/token"}, {"absent", Operate, dir + "/absent"}}}
		g.follow(a)
		synctest.Wait()
		first := g.credentials.Load()
		if first.token(readSecret) != 0 || first.token("") != -1 || first.tls == nil {
			t.Errorf("%+v", first)
		}
		time.Sleep(2 * look)
		synctest.Wait()
		if g.credentials.Load().stale() {
			t.Error("it is stale though nothing has changed")
		}
		write(t, dir+"/token", "too short")
		write(t, dir+"/absent", operateSecret)
		write(t, ca.file, "no certificate")
		write(t, key, "no key")
		time.Sleep(look + time.Second)
		synctest.Wait()
		next := g.credentials.Load()
		if next == first || next.token(readSecret) != 0 || next.token(operateSecret) != 1 || next.clients != first.clients || next.tls == nil {
			t.Errorf("%+v", next)
		}
		write(t, dir+"/token", "another-0123456789")
		time.Sleep(look + time.Second)
		synctest.Wait()
		if c := g.credentials.Load(); c.token(readSecret) != -1 || c.token("another-0123456789") != 0 {
			t.Error("what was in the file before still opens")
		}
		if err := os.Remove(dir + "/token"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(look + time.Second)
		synctest.Wait()
		if c := g.credentials.Load(); c.token("another-0123456789") != -1 || c.token(operateSecret) != 1 {
			t.Error("the secret of a file that is gone still opens, or another one doesn't")
		}
		cancel()
		<-done
	})
	unreadable := Access{Certificate: dir + "/no", Key: dir + "/no", ClientCA: dir + "/no", Tokens: []Token{{"t", Operate, dir + "/no"}}}
	c := unreadable.load(nil, slog.New(slog.DiscardHandler))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, statusPath, nil)
	if who, code, err := c.who(r); err == nil || code != http.StatusUnauthorized || c.tls != nil || c.token("") != -1 {
		t.Errorf("with files that aren't there: %+v %d", who, code)
	}
}
