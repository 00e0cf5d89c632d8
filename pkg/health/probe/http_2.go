package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http2"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// ask2 is ask for HTTP/2: in TLS, or by prior knowledge (RFC 9113, 3.3) without.
func ask2(ctx context.Context, conn net.Conn, c health.Check, s health.HTTP, u health.URL) (a answer, err error) {
	t := &http2.Transport{AllowHTTP: true, DisableCompression: true, MaxHeaderListSize: headLimit}
	client, err := t.NewClientConn(conn)
	if err != nil {
		return a, err
	}
	defer client.Close()
	scheme := "http"
	if s.TLS.Mode != health.Plain {
		scheme = "https"
	}
	whole := u.Path
	if !strings.HasPrefix(whole, "http://") {
		whole = scheme + "://" + host(c, s, u) + u.Path
	}
	request, err := http.NewRequestWithContext(ctx, u.Method, whole, strings.NewReader(u.Body))
	if err != nil {
		return a, fmt.Errorf("request: %w", err)
	}
	request.Host = host(c, s, u)
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
