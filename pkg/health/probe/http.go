package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const (
	// bodyLimit is how much of a body a regex, an assertion, or the weight sees, in bytes.
	bodyLimit = 1 << 20
	// httpLimit is how much a server may send in one connection, in bytes. A body is not kept: this only ends endless ones.
	httpLimit = 64 << 20
	// hops is how many redirects are followed.
	hops = 5
)

// HTTP is keepalived's HTTP_GET and SSL_GET: each URL is requested over a connection of its own, as keepalived does to the letter,
// User-Agent and order of the headers included, so that what servers know of it holds. All have to be answered as the URL says
// before the check's time is over; of a run with a turn, only one is asked.
//
// Where keepalived 2.2.7 errs, we don't. It fails a server that answers with 100 or 103 first, whose status line ends after the code,
// whose lines end in LF alone, or that leaves the connection open after the length it told; it looks for Content-Length in this
// case only; it takes chunks as they come, sizes included, for the body; and it has a regex search the headers as well, if they
// came with the first part of the body, which moves the offsets, while $ matches nowhere but, with multiline, before a newline. It
// passes what says "SSH 200 OK", bodies that end before the length told, and lengths that are none. The kernel test
// TestKernelHTTPAsKeepalived has both side by side.
//
// A body may have any length up to 64 MiB. A regex, an assertion and the weight see the first MiB: if a regex finds nothing there and
// there is more, and in any case for the others, the check fails.
func HTTP(ctx context.Context, c health.Check, s health.HTTP) (f health.Finding, err error) {
	n, one := turn(ctx)
	asked := 0
	for u := range s.URLs.All() {
		if !one || asked == n {
			if err := visit(ctx, c, s, u, &f); err != nil {
				return health.Finding{}, err
			}
		}
		asked++
	}
	if asked == 0 || one && n >= asked {
		return f, errors.New("there is no URL to ask for")
	}
	return f, nil
}

// visit asks for one URL and judges the answer.
func visit(ctx context.Context, c health.Check, s health.HTTP, u health.URL, f *health.Finding) error {
	first := u.Path
	for range hops + 1 {
		a, err := ask(ctx, c, s, u, f)
		if err != nil {
			return err
		}
		to := a.location
		if !s.Follow || to == "" || !isRedirect(a.status) {
			if err := a.judge(s, u, f); err != nil {
				return fmt.Errorf("%s: %w", u.Path, err)
			}
			return nil
		}
		path, err := follow(c, s, u, to)
		if err != nil {
			return fmt.Errorf("%s: %w", u.Path, err)
		}
		u.Path = path
		if a.status < 307 && u.Method != "HEAD" { // RFC 9110, 15.4
			u.Method, u.Body = "GET", ""
		}
	}
	return fmt.Errorf("%s: more than %d redirects", first, hops)
}

func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// follow returns the path that a redirect leads to, if it leads to this very server: by the name that it was asked for, or by
// its address.
func follow(c health.Check, s health.HTTP, u health.URL, location string) (path string, err error) {
	scheme := "http"
	if s.TLS.Mode != health.Plain {
		scheme = "https"
	}
	base, err := url.Parse(scheme + "://" + host(c, u))
	if err == nil {
		base, err = base.Parse(u.Path)
	}
	var to *url.URL
	if err == nil {
		to, err = base.Parse(location)
	}
	if err != nil {
		return "", fmt.Errorf("it redirects to %.200q, which is no URL", location)
	}
	itself := authority(to) == authority(&url.URL{Scheme: scheme, Host: host(c, u)}) ||
		authority(to) == authority(&url.URL{Scheme: scheme, Host: c.Target.String()})
	if to.Scheme != scheme || !itself {
		return "", fmt.Errorf("it redirects to %.200s, which is not this server", to)
	}
	return to.RequestURI(), nil
}

// authority returns a URL's host in lower case with its port, which need not be there if it is the scheme's.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// host returns what the Host header says.
func host(c health.Check, u health.URL) string {
	if u.VirtualHost != "" {
		return u.VirtualHost
	}
	if rest, proxied := strings.CutPrefix(u.Path, "http://"); proxied {
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	return netip.AddrPortFrom(c.Target.Addr().WithZone(""), c.Target.Port()).String()
}

// ask sends a request and reads the answer.
func ask(ctx context.Context, c health.Check, s health.HTTP, u health.URL, f *health.Finding) (a answer, err error) {
	if t := talkOf(ctx); t != nil {
		conn, err := t.dial(ctx, httpLimit)
		if err != nil {
			return a, err
		}
		defer conn.Close()
		if a, err = ask1(ctx, conn, c, s, u); err != nil {
			err = fmt.Errorf("%s: %w", u.Path, err)
		}
		return a, err
	}
	raw, err := dialUpTo(ctx, c, httpLimit)
	if err != nil {
		return a, err
	}
	defer raw.Close()
	conn := raw
	var wire *tlsWire
	if s.TLS.Mode != health.Plain {
		var protocols []string
		if s.Protocol == "2" {
			protocols = []string{"h2"}
		}
		if u.TLSCompliant {
			wire = &tlsWire{Conn: raw}
			conn = wire
		}
		secured, warning, err := secure(ctx, conn, s.TLS, c.Target, protocols...)
		if err != nil {
			return a, err
		}
		if warning != "" {
			f.Warning = warning
		}
		conn = secured
		if s.Protocol == "2" && secured.ConnectionState().NegotiatedProtocol != "h2" {
			return a, errors.New("the server does not speak HTTP/2")
		}
	}
	if s.Protocol == "2" {
		a, err = ask2(ctx, conn, c, s, u)
	} else {
		a, err = ask1(ctx, conn, c, s, u)
	}
	if err == nil && wire != nil && u.Status.Has(a.status) {
		err = wire.noticed(conn)
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", u.Path, alertInWords(err, s.TLS))
	}
	if traced(ctx) {
		step(ctx, "< %d, %d bytes %s %s", a.status, a.size, a.digest,
			excerpt(string(a.text[:min(len(a.text), 200)]), 200))
	}
	return a, nil
}

// tlsWire is a connection of which is known whether the other side has closed it. TLS doesn't tell whether it was told so before.
type tlsWire struct {
	net.Conn
	ended bool
}

func (w *tlsWire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.ended = w.ended || errors.Is(err, io.EOF)
	return n, err
}

// SyscallConn is that of the connection.
func (w *tlsWire) SyscallConn() (syscall.RawConn, error) { return w.Conn.(syscall.Conn).SyscallConn() }

// noticed waits for TLS's close_notify on a connection of which this is the wire.
func (w *tlsWire) noticed(secured io.Reader) error {
	if _, err := io.Copy(io.Discard, secured); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if w.ended {
		return errors.New("the server closed the connection without TLS's close_notify")
	}
	return nil
}
