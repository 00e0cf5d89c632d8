package probe_test

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

const (
	md5OfContent = "9a0364b9e99bb480dd25e1f0284c8555"
	md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e"
)

// get returns what HTTP makes of a server, as a talk as well if it can be one.
func get(t *testing.T, at netip.AddrPort, s health.HTTP) (f health.Finding, text string) {
	t.Helper()
	c := health.Check{Type: "HTTP_GET", Target: at, Timeout: patience, Spec: s}
	for name, run := range waysOf(c) {
		before, wording := f, text
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var err error
		if f, err = run(ctx, c); err != nil {
			text = err.Error()
		}
		cancel()
		if name == byTalk && (f != before || text != wording) {
			t.Errorf("%s: %+v, %q; the probe says %+v, %q", name, f, text, before, wording)
		}
	}
	return f, text
}

// page is keepalived's defaults for one URL, changed by some functions.
func page(changes ...func(*health.URL)) health.HTTP {
	u := health.URL{Method: "GET", Path: "/", Status: health.SuccessStatus()}
	for _, change := range changes {
		change(&u)
	}
	return health.HTTP{Protocol: "1.0", URLs: health.ListOf(u)}
}

func digest(sum string) func(*health.URL) { return func(u *health.URL) { u.Digest = sum } }
func method(m string) func(*health.URL)   { return func(u *health.URL) { u.Method = m } }
func path(p string) func(*health.URL)     { return func(u *health.URL) { u.Path = p } }
func regex(pattern string) func(*health.URL) {
	return func(u *health.URL) { u.Regex = health.Regex{Pattern: pattern} }
}
func noRegex(pattern string) func(*health.URL) {
	return func(u *health.URL) { u.Regex = health.Regex{Pattern: pattern, NoMatch: true} }
}
func status(from, to int) func(*health.URL) {
	return func(u *health.URL) { u.Status = health.StatusSet{}; u.Status.Add(from, to) }
}
func assertion(path, value string) func(*health.URL) {
	return func(u *health.URL) { u.JSON = health.ListOf(health.Assertion{Path: path, Value: value}) }
}

// respond returns a server that reads a request and answers with a text. "..." at the end keeps the connection open, "!" resets it.
func respond(text string) func(net.Conn) {
	return func(c net.Conn) {
		hearRequest(c)
		text, open := strings.CutSuffix(text, "...")
		text, reset := strings.CutSuffix(text, "!")
		io.WriteString(c, text)
		switch {
		case reset:
			// A reset overtakes what the other side has not read yet.
			<-time.After(50 * time.Millisecond)
			c.(*net.TCPConn).SetLinger(0)
		case open:
			io.Copy(io.Discard, c)
		}
	}
}

// hearRequest reads up to the end of a request's headers.
func hearRequest(c net.Conn) string {
	var got strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(got.String(), "\r\n\r\n"); got.Write(b) {
		if _, err := c.Read(b); err != nil {
			break
		}
	}
	return got.String()
}

func TestHTTPRequest(t *testing.T) {
	site := func(u *health.URL) { u.VirtualHost = "www.example.org" }
	own := func(u *health.URL) {
		u.Headers = health.ListOf(health.Header{Name: "X-A", Value: "1"}, health.Header{Name: "user-agent", Value: "me"})
	}
	post := func(u *health.URL) { u.Method, u.Body = "POST", "a=b" }
	for _, test := range []struct {
		protocol string
		http     health.HTTP
		want     string
	}{
		{"1.0", page(), "GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: TARGET\r\n\r\n"},
		{"1.0C", page(), "GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: TARGET\r\n\r\n"},
		{"1.1", page(site), "GET / HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example.org\r\n\r\n"},
		{"1.0", page(own, method("OPTIONS"), path("*")), "OPTIONS * HTTP/1.0\r\nHost: TARGET\r\nX-A: 1\r\nuser-agent: me\r\n\r\n"},
		{"1.0", page(post), "POST / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: TARGET\r\nContent-Length: 3\r\n\r\na=b"},
		{"1.0", page(path("http://www.example.org/x")),
			"GET http://www.example.org/x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: www.example.org\r\n\r\n"},
	} {
		got := make(chan string, 2) // one for each way
		at, end := server(t, func(c net.Conn) {
			request := hearRequest(c)
			if strings.HasPrefix(request, "POST") {
				body := make([]byte, 3)
				io.ReadFull(c, body)
				request += string(body)
			}
			got <- request
			io.WriteString(c, ok+"\r\n")
		})
		test.http.Protocol = test.protocol
		if _, err := get(t, at, test.http); err != "" {
			t.Error(err)
		}
		for range waysOf(health.Check{Spec: test.http}) {
			if want, got := strings.ReplaceAll(test.want, "TARGET", at.String()), <-got; got != want {
				t.Errorf("%q\nwant %q", got, want)
			}
		}
		end()
	}
}

func TestHTTPAsksAllURLsOrOne(t *testing.T) {
	asked := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if r.URL.Path == "/bad" {
			w.WriteHeader(500)
		}
	}))
	defer s.Close()
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	url := func(path string) health.URL {
		return health.URL{Method: "GET", Path: path, Status: health.SuccessStatus()}
	}
	check := health.Check{Target: at, Timeout: patience,
		Spec: health.HTTP{Protocol: "1.0", URLs: health.ListOf(url("/a"), url("/bad"), url("/c"))}}
	for _, test := range []struct {
		turn        int
		asked, want string
	}{
		{-1, "/a /bad", "/bad: 500 Internal Server Error; want 200-299"},
		{0, "/a", ""},
		{1, "/bad", "/bad: 500 Internal Server Error; want 200-299"},
		{2, "/c", ""},
		{3, "", "there is no URL to ask for"},
	} {
		ctx := t.Context()
		if test.turn >= 0 {
			ctx = probe.WithTurn(ctx, test.turn)
		}
		for way, run := range waysOf(check) {
			_, err := run(ctx, check)
			var paths []string
			for len(asked) > 0 {
				paths = append(paths, <-asked)
			}
			if got := strings.Join(paths, " "); got != test.asked {
				t.Errorf("turn %d %s: asked for %s; want %s", test.turn, way, got, test.asked)
			}
			if got := fmt.Sprint(err); got != test.want && !(err == nil && test.want == "") {
				t.Errorf("turn %d %s: %v; want %s", test.turn, way, err, test.want)
			}
		}
	}
}

func TestHTTPRedirects(t *testing.T) {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	for from, to := range map[string]string{
		"/relative": "fine", "/absolute": "/fine?a=b", "/self": s.URL + "/fine", "/site": "http://WWW.example.org/fine",
		"/elsewhere": "http://192.0.2.1/fine", "/port": "http://127.0.0.1:1/fine", "/tls": "https://www.example.org/fine",
		"/loop": "/loop", "/none": "", "/bad": "http://[::1", "/protocol": "//other.example.org/",
	} {
		mux.HandleFunc(from, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(302)
		})
	}
	mux.HandleFunc("/fine", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method+" "+r.Host) })
	mux.HandleFunc("/missing", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/nowhere")
		w.WriteHeader(307)
	})
	for path, want := range map[string]string{
		"/relative": "", "/absolute": "", "/self": "", "/site": "",
		"/elsewhere": "/elsewhere: it redirects to http://192.0.2.1/fine, which is not this server",
		"/port":      "/port: it redirects to http://127.0.0.1:1/fine, which is not this server",
		"/tls":       "/tls: it redirects to https://www.example.org/fine, which is not this server",
		"/protocol":  "/protocol: it redirects to http://other.example.org/, which is not this server",
		"/loop":      "/loop: more than 5 redirects",
		"/none":      "/none: 302 Found; want 200-299",
		"/bad":       `/bad: it redirects to "http://[::1", which is no URL`,
		"/missing":   "/nowhere: 404 Not Found; want 200-299",
	} {
		spec := page(func(u *health.URL) {
			u.Path, u.VirtualHost, u.Method, u.Regex = path, "www.example.org", "POST", health.Regex{Pattern: "^GET www.example.org$"}
		})
		spec.Follow = true
		if _, got := get(t, at, spec); got != want {
			t.Errorf("%s: %q; want %q", path, got, want)
		}
	}
}

func TestHTTPWeight(t *testing.T) {
	for _, test := range []struct {
		answer, header string
		want           health.Finding
	}{
		{ok + "x-weight: 12\r\n\r\n", "X-Weight", health.Finding{Advice: health.Advice{Kind: health.Weigh, Value: 12}}},
		{ok + "X-Weight: 75%\r\n\r\n", "X-Weight", health.Finding{Advice: health.Advice{Kind: health.Percent, Value: 75}}},
		{ok + "\r\n50%\n", "-", health.Finding{Advice: health.Advice{Kind: health.Percent, Value: 50}}},
		{ok + "\r\n50%\n", "", health.Finding{}},
		{ok + "\r\n", "X-Weight", health.Finding{Warning: "the weight in X-Weight: there is none"}},
		{ok + "\r\nhigh", "-", health.Finding{Warning: `the weight in the body: "high" is no weight such as 12 or 75%`}},
	} {
		at, end := server(t, respond(test.answer))
		spec := page()
		spec.Weight = test.header
		if got, err := get(t, at, spec); got != test.want || err != "" {
			t.Errorf("%q: %+v, %s; want %+v", test.answer, got, err, test.want)
		}
		end()
	}
}

func TestHTTPJSON(t *testing.T) {
	const document = `{"status": "ok", "n": 1.50, "checks": [{"up": true}, null, {"a": {"b" : [1, 2]}}], "x.y": 1, "s": "\u0041"}`
	for _, test := range []struct{ body, path, value, want string }{
		{document, "status", "ok", ""},
		{document, "status", "", ""},
		{document, "s", "A", ""},
		{document, "n", "1.5", ""},
		{document, "n", "15e-1", ""},
		{document, "n", "1.6", "/: JSON n is 1.50; want 1.6"},
		{document, "status", "bad", `/: JSON status is "ok"; want bad`},
		{document, "checks.0.up", "true", ""},
		{document, "checks.0.up", "1", "/: JSON checks.0.up is true; want 1"},
		{document, "checks.1", "null", ""},
		{document, "checks.2.a", `{ "b": [1,2] }`, ""},
		{document, "checks.3", "", `/: JSON checks.3: there is no "3" in a list of 3`},
		{document, "checks.x", "", `/: JSON checks.x: there is no "x" in a list of 3`},
		{document, "missing", "", `/: JSON missing: there is no "missing"`},
		{document, "n.m", "", `/: JSON n.m: there is no "m" in 1.50`},
		{"oops", "n", "", `/: "oops" is not JSON`},
		{"", "n", "", `/: "" is not JSON`},
		{`["` + strings.Repeat("x", 1<<20) + `"]`, "0", "", "/: the body has 1048580 bytes; for JSON it may have 1048576"},
	} {
		at, end := server(t, respond(ok+"\r\n"+test.body))
		if _, got := get(t, at, page(assertion(test.path, test.value))); got != test.want {
			t.Errorf("%s = %s: %q; want %q", test.path, test.value, got, test.want)
		}
		end()
	}
}

// A regex sees the first MiB.
func TestHTTPLongBodies(t *testing.T) {
	early := "needle" + strings.Repeat("x", 2<<20)
	late := strings.Repeat("x", 2<<20) + "needle"
	const unseen = `/: the body has 2097158 bytes; the regex "needle" was not found in the first 1048576, all that it sees`
	for _, test := range []struct {
		name, body string
		http       health.HTTP
		want       string
	}{
		{"early", early, page(regex("needle")), ""},
		{"late", late, page(regex("needle")), unseen},
		{"early, which it should not", early, page(noRegex("needle")), `/: "needle` + strings.Repeat("x", 74) + `..." matches the regex "needle"`},
		{"late, which it should not", late, page(noRegex("needle")), unseen},
		{"digest", late, page(digest(fmt.Sprintf("%x", md5.Sum([]byte(late))))), ""},
	} {
		at, end := server(t, respond(ok+"\r\n"+test.body))
		if _, got := get(t, at, test.http); got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
		end()
	}
}

func TestHTTPHasNoBodyAfterHEAD(t *testing.T) {
	at, end := server(t, respond(ok11+"Content-Length: 500\r\n\r\n..."))
	defer end()
	if _, got := get(t, at, page(method("HEAD"))); got != "" {
		t.Error(got)
	}
}

func TestHTTP2(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(404)
		}
		w.Header().Set("X-Weight", "5")
		fmt.Fprintf(w, "%s %s %s %s", r.Proto, r.Method, r.Host, r.UserAgent())
	})
	plain := httptest.NewUnstartedServer(hello)
	plain.Config.Protocols = priorKnowledge()
	plain.Start()
	defer plain.Close()
	encrypted := httptest.NewUnstartedServer(hello)
	encrypted.EnableHTTP2 = true
	encrypted.StartTLS()
	defer encrypted.Close()
	old := httptest.NewTLSServer(hello)
	defer old.Close()
	for _, test := range []struct {
		server *httptest.Server
		mode   health.TLSMode
		path   string
		want   string
	}{
		{plain, health.Plain, "/", ""},
		{plain, health.Plain, "/missing", "/missing: 404 Not Found; want 200-299"},
		{encrypted, health.Implicit, "/", ""},
		{old, health.Implicit, "/", "TLS: the server refuses: no application protocol"},
	} {
		spec := page(path(test.path), regex(`^HTTP/2.0 GET www.example.org KeepAliveClient$`), func(u *health.URL) { u.VirtualHost = "www.example.org" })
		spec.Protocol, spec.TLS.Mode, spec.Weight = "2", test.mode, "X-Weight"
		f, got := get(t, netip.MustParseAddrPort(test.server.Listener.Addr().String()), spec)
		if got != test.want || got == "" && f.Advice != (health.Advice{Kind: health.Weigh, Value: 5}) {
			t.Errorf("%v %s: %q, %+v; want %q", test.mode, test.path, got, f, test.want)
		}
	}
}

func TestHTTPSThatEndsWithoutNotice(t *testing.T) {
	id := newIdentity(t, time.Now().Add(time.Hour))
	for _, test := range []struct {
		name, answer      string
		notice, compliant bool
		want              string
	}{
		{"with notice", ok + "\r\nhello", true, true, ""},
		{"without", ok + "\r\nhello", false, true, "/: the server closed the connection without TLS's close_notify"},
		{"with a length", ok + "Content-Length: 5\r\n\r\nhello", false, true, "/: the server closed the connection without TLS's close_notify"},
		{"nobody cares", ok + "\r\nhello", false, false, ""},
		{"nobody cares, with a length", ok + "Content-Length: 5\r\n\r\nhello", false, false, ""},
		{"but it is too short", ok + "Content-Length: 9\r\n\r\nhello", false, false, "/: the answer ends after 5 of 9 bytes"},
	} {
		at, end := server(t, func(raw net.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{id.cert}})
			hearRequest(c)
			io.WriteString(c, test.answer)
			if test.notice {
				c.CloseWrite()
			}
		})
		spec := page(func(u *health.URL) { u.TLSCompliant = test.compliant })
		spec.TLS.Mode = health.Implicit
		if _, got := get(t, at, spec); got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
		end()
	}
}

func TestHTTPFaults(t *testing.T) {
	answer := respond(ok + "Content-Length: 7\r\n\r\ncontent")
	id := newIdentity(t, time.Now().Add(time.Hour))
	good2 := func(c net.Conn) {
		only := &onlyConn{Conn: c, closed: make(chan struct{})}
		s := http.Server{Protocols: priorKnowledge(), ErrorLog: log.New(io.Discard, "", 0),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "content") })}
		s.Serve(only)
	}
	for protocol, good := range map[string]func(net.Conn){"1.0": answer, "1.1": answer, "2": good2} {
		spec := page(digest(md5OfContent))
		spec.Protocol = protocol
		t.Run(protocol, func(t *testing.T) {
			faults(t, func(at netip.AddrPort) health.Check { return health.Check{Target: at, Spec: spec} }, good)
		})
		spec.TLS.Mode = health.Implicit
		t.Run(protocol+" in TLS", func(t *testing.T) {
			faultsTLS(t, id, func(at netip.AddrPort) health.Check { return health.Check{Target: at, Spec: spec} }, good)
		})
	}
}

func priorKnowledge() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

// onlyConn is a listener with one connection, and that connection. It ends with it.
type onlyConn struct {
	net.Conn
	taken  bool
	once   sync.Once
	closed chan struct{}
}

func (o *onlyConn) Accept() (net.Conn, error) {
	if !o.taken {
		o.taken = true
		return o, nil
	}
	<-o.closed
	return nil, net.ErrClosed
}

func (o *onlyConn) Close() error {
	o.once.Do(func() { close(o.closed) })
	return o.Conn.Close()
}

func (o *onlyConn) Addr() net.Addr { return o.LocalAddr() }
