package control

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// port is a server with an API by TCP.
type port struct {
	*Server
	ca       *authority
	access   Access
	listened chan net.Listener // each that was opened
}

// The secrets of the tokens of a port.
const (
	readSecret    = "reads-0123456789"
	operateSecret = "operates-0123456"
)

// serveTCP returns a server with clients of all sorts. Every route is answered with its name.
func serveTCP(t *testing.T, change func(*Access)) *port {
	t.Helper()
	p := &port{ca: newAuthority(t), listened: make(chan net.Listener, 8)}
	certificate, key := p.ca.issue(t, "lb1")
	dir := t.TempDir()
	write(t, dir+"/read", readSecret+"\n")
	write(t, dir+"/operate", operateSecret)
	p.access = Access{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9443")}, Certificate: certificate, Key: key, ClientCA: p.ca.file,
		Certificates: []CertificateRole{{"reader", Read}, {"lb2", Operate}},
		Tokens:       []Token{{"dashboard", Read, dir + "/read"}, {"deploy", Operate, dir + "/operate"}},
	}
	if change != nil {
		change(&p.access)
	}
	s, err := Listen(filepath.Join(t.TempDir(), "s"), nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.Server = s
	list := Routes()
	for i := range list {
		list[i].serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, list[i].Name, " ", WhoOf(r.Context()))
		})
	}
	s.mux = muxOf(list, s.book)
	s.http.Handler = s.door()
	s.gates.listen = func(context.Context, netip.AddrPort) (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			p.listened <- l
		}
		return l, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	s.Follow(p.access)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// calm has the server forget how often its clients have asked.
func (p *port) calm() {
	p.gates.rates.mu.Lock()
	defer p.gates.rates.mu.Unlock()
	clear(p.gates.rates.of)
}

// client returns one with a certificate for a name, if there is a name.
func (p *port) client(t *testing.T, name string) *http.Client {
	t.Helper()
	pool, err := authorities(p.ca.file)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: pool}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(p.ca.issue(t, name))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// fetch returns the status of an answer, and its text.
func fetch(t *testing.T, c *http.Client, method, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// Every role may do with every route what it is for, and nothing else, however it is shown.
func TestRoleMatrix(t *testing.T) {
	p := serveTCP(t, nil)
	base := "https://" + (<-p.listened).Addr().String()
	basic := func(name, secret string) []string {
		r := http.Request{Header: make(http.Header)}
		r.SetBasicAuth(name, secret)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	plain := p.client(t, "")
	for _, who := range []struct {
		name   string
		client *http.Client
		header []string
		role   Role
		code   int // of a refusal whatever is asked for
	}{
		{"token dashboard", plain, []string{"Authorization", "Bearer " + readSecret}, Read, 0},
		{"token deploy", plain, []string{"Authorization", "bearer " + operateSecret}, Operate, 0},
		{"token dashboard", plain, basic("dashboard", readSecret), Read, 0},
		{"token deploy", plain, basic("deploy", operateSecret), Operate, 0},
		{"certificate reader", p.client(t, "reader"), nil, Read, 0},
		{"certificate lb2", p.client(t, "lb2"), nil, Operate, 0},
		{"a stranger's certificate", p.client(t, "lb3"), nil, "", http.StatusForbidden},
		{"nobody", plain, nil, "", http.StatusUnauthorized},
		{"another's name", plain, basic("dashboard", operateSecret), "", http.StatusUnauthorized},
		{"an empty secret", plain, []string{"Authorization", "Bearer "}, "", http.StatusUnauthorized},
		{"a wrong secret with a good certificate", p.client(t, "lb2"), []string{"Authorization", "Bearer guess"}, "", http.StatusUnauthorized},
	} {
		for _, rt := range Routes() {
			p.calm() // this is about roles
			code, text := fetch(t, who.client, rt.Method, base+rt.Path, who.header...)
			want := who.code
			if want == 0 {
				here := rt.Name == "apply" || rt.Name == "revision" || rt.Name == "upgrade"
				if want = http.StatusOK; rt.Method != http.MethodGet && (who.role != Operate || here) {
					want = http.StatusForbidden
				}
			}
			if code != want {
				t.Errorf("%s, %s %s: %d %s, want %d", who.name, rt.Method, rt.Path, code, text, want)
			}
			if said := strings.HasPrefix(text, rt.Name+" "+who.name); said != (want == http.StatusOK) {
				t.Errorf("%s, %s: %d %s", who.name, rt.Name, code, text)
			}
			if strings.Contains(text, readSecret) || strings.Contains(text, operateSecret) {
				t.Errorf("%s: %s", who.name, text)
			}
		}
	}
}

// What has secrets, or has the daemon read or run what a client names, is for the control socket only: no role has it by TCP.
func TestSocketOnly(t *testing.T) {
	p := serveTCP(t, nil)
	tcp, base := p.client(t, "lb2"), "https://"+(<-p.listened).Addr().String()
	local := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.path)
	}}}
	t.Cleanup(local.CloseIdleConnections)
	for _, test := range []struct {
		path string
		code int // by TCP
		why  string
	}{
		{applyPath, http.StatusForbidden, "apply is for the control socket only: a configuration names commands"},
		{revisionPath, http.StatusForbidden, "revision is for the control socket only: there are secrets"},
		{planPath + "?file=x", http.StatusForbidden, "plan is for the control socket only: a configuration that is sent has the daemon read"},
		{planPath + "?json=1&file", http.StatusForbidden, "plan is for the control socket only"},
		{planPath, http.StatusOK, "plan certificate lb2"},
		{rollbackPath, http.StatusOK, "rollback certificate lb2"},
		{confirmPath, http.StatusOK, "confirm certificate lb2"},
	} {
		if code, text := fetch(t, tcp, http.MethodPost, base+test.path); code != test.code || !strings.HasPrefix(text, test.why) {
			t.Errorf("by TCP, %s: %d %s", test.path, code, text)
		}
		if code, text := fetch(t, local, http.MethodPost, "http://ipvsd"+test.path); code != http.StatusOK {
			t.Errorf("on the socket, %s: %d %s", test.path, code, text)
		}
	}
}

// A page elsewhere whose name points to a port that ssh -L brings to the socket is not of this host.
func TestForeignNameOnSocket(t *testing.T) {
	p := serveTCP(t, nil)
	h := p.door()
	for host, code := range map[string]int{
		"ipvsd": http.StatusOK, "localhost:8080": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "[::1]:8080": http.StatusOK, "[::1]": http.StatusOK,
		"evil.example.org:8080": http.StatusForbidden, "evil.example.org": http.StatusForbidden,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, reloadPath, nil)
		r.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != code {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
	}
}

// Where nobody has to show anything, they may read, from this host only, and no page of elsewhere has their browser do anything.
func TestOpenPort(t *testing.T) {
	p := serveTCP(t, func(a *Access) { *a = Access{Listen: a.Listen} })
	base := "http://" + (<-p.listened).Addr().String()
	c := new(http.Client)
	t.Cleanup(c.CloseIdleConnections)
	for _, test := range []struct {
		method, path string
		header       []string
		code         int
	}{
		{http.MethodGet, statusPath, nil, http.StatusOK},
		{http.MethodPost, reloadPath, nil, http.StatusForbidden},
		{http.MethodGet, statusPath, []string{"Authorization", "Bearer x"}, http.StatusUnauthorized},
	} {
		if code, text := fetch(t, c, test.method, base+test.path, test.header...); code != test.code {
			t.Errorf("%s %s %v: %d %s", test.method, test.path, test.header, code, text)
		}
	}
	for host, code := range map[string]int{"evil.example.org": http.StatusForbidden, "localhost:9443": http.StatusOK, "[::1]:9443": http.StatusOK} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+statusPath, nil)
		r.Host = host
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Body.Close(); err != nil || a.StatusCode != code {
			t.Errorf("%s: %s, %v", host, a.Status, err)
		}
	}
}

// A page of elsewhere has a browser do nothing, whatever the browser can show.
func TestForeignPage(t *testing.T) {
	p := serveTCP(t, nil)
	base := "https://" + (<-p.listened).Addr().String()
	c := p.client(t, "lb2")
	for site, code := range map[string]int{"cross-site": http.StatusForbidden, "same-site": http.StatusForbidden, "same-origin": http.StatusOK, "none": http.StatusOK} {
		if got, text := fetch(t, c, http.MethodPost, base+reloadPath, "Sec-Fetch-Site", site); got != code {
			t.Errorf("%s: %d %s", site, got, text)
		}
	}
	if got, _ := fetch(t, c, http.MethodPost, base+reloadPath, "Origin", "https://evil.example.org"); got != http.StatusForbidden {
		t.Errorf("%d", got)
	}
}

// A reload opens and closes listeners. One that stays keeps its connections, which have other rights from then on.
func TestListenersFollow(t *testing.T) {
	p := serveTCP(t, nil)
	first := (<-p.listened).Addr().String()
	c := p.client(t, "lb2")
	ask := func(addr string) int {
		code, _ := fetch(t, c, http.MethodPost, "https://"+addr+reloadPath)
		return code
	}
	if code := ask(first); code != http.StatusOK {
		t.Fatal(code)
	}
	conn, err := tls.Dial("tcp", first, c.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	on := func() (int, error) {
		if _, err := io.WriteString(conn, "POST "+reloadPath+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return 0, err
		}
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, a.Body)
		return a.StatusCode, err
	}
	if code, err := on(); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	next := p.access
	next.Listen = append(next.Listen, netip.MustParseAddrPort("192.0.2.2:9443"))
	next.Certificates = []CertificateRole{{"lb2", Read}}
	p.Follow(next)
	second := (<-p.listened).Addr().String() // the first one stays
	if code, err := on(); err != nil || code != http.StatusForbidden {
		t.Errorf("on the connection of before: %d %v", code, err)
	}
	if code := ask(second); code != http.StatusForbidden {
		t.Errorf("%d", code)
	}
	stays, err := tls.Dial("tcp", first, c.Transport.(*http.Transport).TLSClientConfig) // the refusal has ended the other one
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stays.Close() }()
	next.Listen = next.Listen[1:]
	next.Certificates = p.access.Certificates
	c.CloseIdleConnections()
	p.Follow(next)
	if _, err := stays.Read(make([]byte, 1)); err == nil { // it ends
		t.Error("a connection of a listener that is gone goes on")
	}
	if code := ask(second); code != http.StatusOK {
		t.Errorf("%d", code)
	}
	if conn, err := net.DialTimeout("tcp", first, time.Second); err == nil {
		_ = conn.Close()
		t.Error("the first one is still there")
	}
	next.Certificate, next.Key, next.ClientCA, next.Certificates = "", "", "", nil
	p.Follow(next)
	third := (<-p.listened).Addr().String()
	if code, text := fetch(t, new(http.Client), http.MethodGet, "http://"+third+statusPath, "Authorization", "Bearer "+readSecret); code != http.StatusOK {
		t.Errorf("without TLS: %d %s", code, text)
	}
}
