package control_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// backend answers from its fields.
type backend struct {
	shelf
	status *status.Snapshot
	answer *status.Answer
	err    error
	strict bool          // of the last reload
	file   *control.File // that the last plan was asked for
	table  table         // its entries
	checks asked         // that the last request for checks or a probe was for
	order  control.Order // the last
	heard  admin.Message // of the last exchange
	feed   *feed.Feed    // of Events
	block  chan struct{} // if not nil, Status waits for it or for the context
}

func (b *backend) Status(ctx context.Context) (*status.Snapshot, error) {
	if b.block != nil {
		select {
		case <-b.block:
		case <-ctx.Done():
		}
	}
	return b.status, b.err
}

func (b *backend) Plan(_ context.Context, f *control.File) (*status.Answer, error) {
	b.file = f
	return b.answer, b.err
}

func (b *backend) Reload(_ context.Context, strict bool) (*status.Answer, error) {
	b.strict = strict
	return b.answer, b.err
}

func (b *backend) Table(_ context.Context, keys []ipvs.ServiceKey) (*status.Kernel, error) {
	k := &status.Kernel{Version: "1.2.1"}
	for _, key := range keys {
		k.Services = append(k.Services, status.KernelService{Key: key})
	}
	return k, b.err
}

// asked is what a request asked for.
type asked struct {
	status.CheckQuery
	last bool
}

func (b *backend) Checks(_ context.Context, q status.CheckQuery, last bool) (*status.Checks, error) {
	b.checks = asked{q, last}
	return &status.Checks{Checks: []status.Check{{Type: "TCP_CHECK", State: health.Down}}}, b.err
}

func (b *backend) Probe(ctx context.Context, q status.CheckQuery) (*status.Probes, error) {
	if b.block != nil {
		select {
		case <-b.block:
		case <-ctx.Done():
		}
	}
	b.checks = asked{CheckQuery: q}
	return &status.Probes{Probes: []status.Probe{{Error: "connection refused", Steps: []status.Step{{Text: "connecting"}}}}}, b.err
}

// serve returns a client of a server that has the backend, and the socket's path.
func serve(t *testing.T, b *backend) (*control.Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ipvsd.sock")
	s, err := control.Listen(path, b, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return control.NewClient(path), path
}

func TestStatus(t *testing.T) {
	c, _ := serve(t, &backend{status: &status.Snapshot{Version: "v1", PID: 7}})
	s, err := c.Status(t.Context())
	if err != nil || s.Version != "v1" || s.PID != 7 {
		t.Errorf("%v %+v", err, s)
	}
}

func TestTableOfServices(t *testing.T) {
	c, path := serve(t, &backend{})
	keys := []ipvs.ServiceKey{
		ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("[2001:db8::1]:80")), ipvs.FWMarkKey(7, ipvs.IPv6),
	}
	k, err := c.Table(t.Context(), keys)
	if err != nil || k.Version != "1.2.1" || len(k.Services) != 2 || k.Services[0].Key != keys[0] || k.Services[1].Key != keys[1] {
		t.Errorf("%v %+v", err, k)
	}
	if k, err := c.Table(t.Context(), nil); err != nil || len(k.Services) != 0 {
		t.Errorf("without a service: %v %+v", err, k)
	}
	h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	resp, err := h.Get("http://ipvsd/v1/table?service=tcp")
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a service that is none: %s", resp.Status)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestPlanSendsTheFile(t *testing.T) {
	b := &backend{answer: &status.Answer{Changes: []string{"add"}}}
	c, _ := serve(t, b)
	a, err := c.Plan(t.Context(), &control.File{Name: "/tmp/a b&c.toml", Text: []byte("x = 1\n")})
	if err != nil || len(a.Changes) != 1 || b.file.Name != "/tmp/a b&c.toml" || string(b.file.Text) != "x = 1\n" {
		t.Errorf("%v %+v, asked for %+v", err, a, b.file)
	}
	if _, err := c.Plan(t.Context(), nil); err != nil || b.file != nil {
		t.Errorf("without a file: %v, asked for %+v", err, b.file)
	}
	// With what it includes.
	file := control.File{
		Name: "/tmp/a.conf", Text: []byte("include *.d\n\xff"), ConfigID: "id",
		Texts: map[string][]byte{"/tmp/b.d": {0xfe}}, Globs: map[string][]string{"/tmp/*.d": {"/tmp/b.d"}},
	}
	if _, err := c.Plan(t.Context(), &file); err != nil || !reflect.DeepEqual(b.file, &file) {
		t.Errorf("%v, asked for %+v", err, b.file)
	}
	// An empty file is a file.
	if _, err := c.Plan(t.Context(), &control.File{Name: "empty.toml"}); err != nil || b.file == nil || len(b.file.Text) != 0 {
		t.Errorf("with an empty file: %v, asked for %+v", err, b.file)
	}
}

// A rejected configuration is an answer, not an error.
func TestRejected(t *testing.T) {
	b := &backend{answer: &status.Answer{Rejected: "f.toml:1:1: no\n"}}
	c, _ := serve(t, b)
	for _, strict := range []bool{true, false} {
		if a, err := c.Reload(t.Context(), strict); err != nil || a.Rejected != "f.toml:1:1: no\n" || b.strict != strict {
			t.Errorf("%v %+v", err, a)
		}
	}
}

func TestBackendFails(t *testing.T) {
	c, _ := serve(t, &backend{err: errors.New("no such luck")})
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "no such luck" {
		t.Errorf("got %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ipvsd.sock")
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNotRunning) || !strings.Contains(err.Error(), path) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("the socket of a dead process: %v", err)
	}
}

// The socket is for its owner alone, and takes the place of one that a dead process left.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ipvsd.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := control.Listen(path, &backend{}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v: mode %v", err, info.Mode())
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v: files %v", err, files)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestListenFails(t *testing.T) {
	if _, err := control.Listen(filepath.Join(t.TempDir(), "no", "such.sock"), &backend{}, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error without a directory")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 200))
	if _, err := control.Listen(long, &backend{}, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("with a long name: %v", err)
	}
	path := filepath.Join(t.TempDir(), "ipvsd.toml") // a slip of the pen
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path, &backend{}, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("in place of a file: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file: %v %q", err, text)
	}
}

// A client that gives up, and one that is slow, hold up nobody.
func TestClientGivesUp(t *testing.T) {
	b := &backend{block: make(chan struct{}), answer: &status.Answer{}, status: &status.Snapshot{}}
	c, path := serve(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	slow, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := slow.Write([]byte("GET /v1/st")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context(), false); err != nil {
		t.Error(err)
	}
	close(b.block)
}

// What is no request of ours is refused.
func TestOtherRequests(t *testing.T) {
	_, path := serve(t, &backend{answer: &status.Answer{}})
	for request, want := range map[string]string{
		"GET /v1/reload HTTP/1.1":           "405",
		"POST /v1/status HTTP/1.1":          "405",
		"GET / HTTP/1.1":                    "404",
		"GET /v1/../../etc/passwd HTTP/1.1": "404",
		"BREW /v1/status HTCPCP/1.0":        "400",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request + "\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		reply := make([]byte, 64)
		n, err := conn.Read(reply)
		code := strings.Fields(string(reply[:n]) + "  ")
		if err != nil || len(code) < 2 || code[1] != want && !(want == "404" && code[1] == "307") {
			t.Errorf("%s: %v %q, want %s", request, err, reply[:n], want)
		}
		_ = conn.Close()
	}
}
