package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// http2Client speaks HTTP/2 on a connection of dial's or secure's. The scheme is what URLs have to begin with.
func http2Client(ctx context.Context, conn net.Conn, c health.Check) (client *http.ClientConn, scheme string, err error) {
	given := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	t := &http.Transport{DialContext: given, DialTLSContext: given, DisableCompression: true, MaxResponseHeaderBytes: headLimit,
		Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	scheme = "http"
	if _, encrypted := conn.(*tls.Conn); encrypted {
		scheme = "https"
	}
	client, err = t.NewClientConn(ctx, scheme, c.Target.String())
	return client, scheme, err
}

// ask2 is ask for HTTP/2: in TLS, or by prior knowledge (RFC 9113, 3.3) without.
func ask2(ctx context.Context, conn net.Conn, c health.Check, s health.HTTP, u health.URL) (a answer, err error) {
	client, scheme, err := http2Client(ctx, conn, c)
	if err != nil {
		return a, err
	}
	defer client.Close()
	whole := u.Path
	if !strings.HasPrefix(whole, "http://") {
		whole = scheme + "://" + host(c, u) + u.Path
	}
	request, err := http.NewRequestWithContext(ctx, u.Method, whole, strings.NewReader(u.Body))
	if err != nil {
		return a, fmt.Errorf("request: %w", err)
	}
	request.Host = host(c, u)
	request.Header.Set("User-Agent", userAgent)
	for h := range u.Headers.All() {
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
		}
		request.Header.Set(h.Name, h.Value)
	}
	step(ctx, "> %s %s HTTP/2, Host: %s", u.Method, u.Path, request.Host)
	response, err := client.RoundTrip(request)
	if err != nil {
		return a, fmt.Errorf("HTTP/2: %w", err)
	}
	defer response.Body.Close()
	a = answer{status: response.StatusCode, location: response.Header.Get("Location")}
	if s.Weight != "" {
		a.weight = response.Header.Get(s.Weight)
	}
	if !u.Status.Has(a.status) && !(s.Follow && isRedirect(a.status)) {
		return a, nil
	}
	x := exchanges.Get().(*exchange)
	defer exchanges.Put(x)
	if err := a.read(response.Body, x.piece[:], s, u); err != nil {
		return a, fmt.Errorf("HTTP/2: %w", err)
	}
	return a, nil
}
