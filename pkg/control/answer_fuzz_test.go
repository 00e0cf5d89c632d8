package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/connection"
)

// answering is the other end of a connection to a daemon that says something, whatever it is asked.
type answering struct {
	net.Conn // which has nothing else
	text     io.Reader
}

func (a *answering) Read(b []byte) (int, error)  { return a.text.Read(b) }
func (a *answering) Write(b []byte) (int, error) { return len(b), nil }
func (a *answering) Close() error                { return nil }

// Another director may answer anything: it is an answer, or an error that says who it was and is not longer than it should be. A list is whole
// only if it says so, a message has what can be said again, and a redirect is followed nowhere.
func FuzzAnswer(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
	for _, text := range []string{
		head + `{"router_id": "lb2", "services": [{"service": "tcp 192.0.2.1:80"}]}`, head + `{"client": "192.0.2.9:1"}` + "\n" + `{"entries": 1}`, head + `{"error": "why"}`, head + `null`,
		head + `{"digest": "x", "state": {"version": 1, "wishes": [{"server": "192.0.2.1", "what": "drain"}]}}`, "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\nnot now\n",
		"HTTP/1.1 302 Found\r\nLocation: http://other/\r\nConnection: close\r\n\r\n", "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + strings.Repeat("x", 5000),
		strings.Repeat("\x05", 3000), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dials := 0
		c := &Client{path: "lb2:9443", url: "http://lb2", transport: &http.Transport{
			DisableKeepAlives: true, DialContext: func(_ context.Context, _, at string) (net.Conn, error) {
				if dials++; at != "lb2:80" {
					t.Errorf("it goes to %s", at)
				}
				return &answering{text: bytes.NewReader(text)}, nil
			},
		}}
		code := 0
		if r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil); err == nil {
			code = r.StatusCode
		}
		judge := func(what string, answered bool, err error) {
			if answered == (err != nil) || answered && code != http.StatusOK && code != http.StatusUnprocessableEntity && code/100 != 1 {
				t.Errorf("%s: %v, %v, with status %d", what, answered, err, code)
			}
			if err != nil && len(err.Error()) > maxReason+200 {
				t.Errorf("%s: an error of %d bytes", what, len(err.Error()))
			}
		}
		s, err := c.Status(t.Context())
		judge("status", s != nil, err)
		m, err := c.Exchange(t.Context(), admin.Message{})
		judge("exchange", m != nil, err)
		if m != nil {
			if text, err := json.Marshal(m); err != nil || json.Unmarshal(text, new(admin.Message)) != nil {
				t.Errorf("%+v can't be said again: %v", m, err)
			}
		}
		whole := true
		for _, err := range c.Connections(t.Context(), connection.Query{}) {
			whole = err == nil
		}
		if whole && !bytes.Contains(bytes.ToLower(text), []byte("entries")) && !bytes.Contains(text, []byte(`\u`)) {
			t.Errorf("%q is a whole list", text)
		}
	})
}
