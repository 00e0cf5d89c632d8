package control_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func TestChecks(t *testing.T) {
	b := &backend{}
	c, _ := serve(t, b)
	q := status.CheckQuery{Server: "[2001:db8::1]:80", Service: "fwmark 7 inet6", Type: "HTTP_GET", State: "down"}
	s, err := c.Checks(t.Context(), q, true)
	if err != nil || len(s.Checks) != 1 || s.Checks[0].State != health.Down || b.checks != (asked{q, true}) {
		t.Errorf("%v %+v, asked for %+v", err, s, b.checks)
	}
	if _, err := c.Checks(t.Context(), status.CheckQuery{}, false); err != nil || b.checks != (asked{}) {
		t.Errorf("of all: %v, asked for %+v", err, b.checks)
	}
}

func TestProbe(t *testing.T) {
	b := &backend{}
	c, _ := serve(t, b)
	q := status.CheckQuery{Server: "198.51.100.1", Type: "HTTP_GET"}
	p, err := c.Probe(t.Context(), q)
	if err != nil || p.Passed() || len(p.Probes[0].Steps) != 1 || b.checks != (asked{CheckQuery: q}) {
		t.Errorf("%v %+v, asked for %+v", err, p, b.checks)
	}
	if _, err := c.Probe(t.Context(), status.CheckQuery{Type: "HTTP_GET"}); err == nil || !strings.Contains(err.Error(), "server") {
		t.Errorf("without a server: %v", err)
	}
}

// What a request for checks has besides is refused with its name.
func TestBadRequestsForChecks(t *testing.T) {
	_, path := serve(t, &backend{})
	h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	for query, want := range map[string]string{
		"state=sideways":                "sideways",
		"server=web1":                   "web1",
		"service=tcp":                   "is not a service",
		"history=often":                 "0 or 1",
		"type=a&type=b":                 "there can be one",
		"sever=198.51.100.1":            "parameter sever",
		"server=198.51.100.1&history=1": "", // of a probe
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			resource := map[string]string{http.MethodGet: "/v1/checks?", http.MethodPost: "/v1/probe?"}[method]
			if want == "" && method == http.MethodGet {
				continue
			}
			req, err := http.NewRequestWithContext(t.Context(), method, "http://ipvsd"+resource+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), want) {
				t.Errorf("%s %s: %v %s %s", method, query, err, resp.Status, text)
			}
			_ = resp.Body.Close()
		}
	}
}
