package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/control"
)

// table answers for connections: from its entries, as often as it is told, then with an error.
type table struct {
	entries []connection.Connection
	rounds  int
	err     error
	asked   chan connection.Query // if not nil
	ended   chan struct{}         // if not nil, hears when nobody ranges over the entries any more
}

func (b *backend) Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		if b.table.asked != nil {
			b.table.asked <- q
		}
		if b.table.ended != nil {
			defer func() { b.table.ended <- struct{}{} }()
		}
		for range b.table.rounds {
			for _, c := range b.table.entries {
				if ctx.Err() != nil {
					yield(connection.Connection{}, ctx.Err())
					return
				}
				if !yield(c, nil) {
					return
				}
			}
		}
		if b.table.err != nil {
			yield(connection.Connection{}, b.table.err)
		}
	}
}

func entries(n int) (all []connection.Connection) {
	for i := range n {
		all = append(all, connection.Connection{
			Protocol: "tcp", Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1024),
			Virtual: netip.MustParseAddrPort("192.0.2.1:80"), Server: netip.MustParseAddrPort("[2001:db8::1]:80"), State: "ESTABLISHED",
			Expires: 900e9, Engine: "sip", EngineData: "a \x1b\"b",
		})
	}
	return all
}

// read returns what a client gets, until the first error.
func read(c *control.Client, q connection.Query) (all []connection.Connection, err error) {
	for e, err := range c.Connections(context.Background(), q) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

func TestConnections(t *testing.T) {
	b := &backend{table: table{entries: entries(1000), rounds: 1, asked: make(chan connection.Query, 1)}}
	c, _ := serve(t, b)
	q := connection.Query{Service: "tcp 192.0.2.1:80", Server: "2001:db8::/32", Client: "10.0.0.0/8", State: "established", Family: "inet"}
	got, err := read(c, q)
	if err != nil || len(got) != 1000 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i := range got {
		if got[i] != b.table.entries[i] {
			t.Fatalf("entry %d is %+v, want %+v", i, got[i], b.table.entries[i])
		}
	}
	if asked := <-b.table.asked; asked != q {
		t.Errorf("asked for %+v, want %+v", asked, q)
	}
}

func TestNoConnections(t *testing.T) {
	c, _ := serve(t, &backend{})
	if got, err := read(c, connection.Query{}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestConnectionsSummary(t *testing.T) {
	c, _ := serve(t, &backend{table: table{entries: entries(10), rounds: 3}})
	s, err := c.Summary(t.Context(), connection.Query{}, 4)
	if err != nil || s.Entries != 30 || len(s.Clients) != 4 || len(s.Services) != 1 || s.Services[0].Servers[0].States["ESTABLISHED"] != 30 {
		t.Errorf("%v %+v", err, s)
	}
}

// What is not whole never passes for whole: not when the kernel breaks off, and not when the daemon goes away.
func TestConnectionsBreakOff(t *testing.T) {
	b := &backend{table: table{entries: entries(5), rounds: 1, err: errors.New("line 7 is odd")}}
	c, _ := serve(t, b)
	got, err := read(c, connection.Query{})
	if len(got) != 5 || err == nil || err.Error() != "the list of connections broke off: line 7 is odd" {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if _, err := c.Summary(t.Context(), connection.Query{}, 0); err == nil || err.Error() != "line 7 is odd" {
		t.Errorf("the summary: %v", err)
	}
	b.table.entries = nil
	if got, err := read(c, connection.Query{}); len(got) != 0 || err == nil || err.Error() != "line 7 is odd" {
		t.Errorf("an error at the start: %d entries, %v", len(got), err)
	}
}

// A peer that is no ipvsd ends well-formed answers in the middle, as one that is killed ends them anywhere, and has lines without end.
func TestConnectionsOfDeadDaemon(t *testing.T) {
	for _, body := range []string{"", `{"protocol":"tcp"}` + "\n", `{"protocol":"tcp"}` + "\n" + `{"pro`, "{}\nx", `{"error":"` + strings.Repeat("x", 1<<20)} {
		path := t.TempDir() + "/s"
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })}
		go func() { _ = s.Serve(l) }()
		_, err = read(control.NewClient(path), connection.Query{})
		if err == nil || !strings.HasPrefix(err.Error(), "the list of connections broke off: ") || len(body) > 1<<16 && !errors.Is(err, bufio.ErrTooLong) {
			t.Errorf("%.40q: %v", body, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A client that has enough ends the reading of the table.
func TestConnectionsEndWithClient(t *testing.T) {
	b := &backend{table: table{entries: entries(100), rounds: 1 << 40, ended: make(chan struct{}, 1)}}
	c, _ := serve(t, b)
	for _, err := range c.Connections(t.Context(), connection.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	<-b.table.ended
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Connections(ctx, connection.Query{}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	<-b.table.ended
}

func TestBadConnectionsRequests(t *testing.T) {
	_, path := serve(t, &backend{})
	for query, want := range map[string]string{
		"sevrice=x":             "parameter sevrice: it can be summary, top, client, family, server, service, state",
		"state=a&state=b":       "parameter state: there can be one",
		"service=x":             `service: "x" is not an address`,
		"summary=perhaps":       `parsing "perhaps": invalid syntax`,
		"summary=1&top=many":    `parsing "many": invalid syntax`,
		"summary=1&top=-1":      "parameter top: -1 is below 0",
		"client=10.0.0.1/8":     "has bits behind the prefix",
		"family=x&summary=true": `family: "x" is not`,
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /v1/connections?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", query)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v, %s %s, want %s", query, err, resp.Status, body, want)
		}
		_ = conn.Close()
	}
}
