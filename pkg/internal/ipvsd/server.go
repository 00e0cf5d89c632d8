package ipvsd

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// ServerOf returns a server of the first service.
func ServerOf(s *status.Snapshot, addr string) *status.Server {
	for i := range s.Services[0].Servers {
		if server := &s.Services[0].Servers[i]; server.Addr.String() == addr {
			return server
		}
	}
	return &status.Server{}
}

// WebServer is a web server of the test's own, which may be told anything.
type WebServer struct {
	mu      sync.Mutex
	handler http.HandlerFunc
}

func (s *WebServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler := s.handler
	s.mu.Unlock()
	handler(w, r)
}

// Answers changes what the server does.
func (s *WebServer) Answers(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = f
}

// ServeWeb starts a web server on a host. Its answer is "OK" at first.
func ServeWeb(t *testing.T, h *lab.Host, at string) *WebServer {
	t.Helper()
	l, err := h.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &WebServer{handler: func(http.ResponseWriter, *http.Request) {}}
	server := &http.Server{Handler: s} //nolint:gosec // its clients are of the test
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// Rack is a director, and servers that can be stopped one by one.
func Rack(t *testing.T, last ...int) (director *lab.Host, servers map[int]*Target) {
	t.Helper()
	bridge := lab.NewBridge(t, "internal", 1500)
	host := lab.NewHost(t, "servers")
	director = lab.NewHost(t, "director")
	director.Connect(bridge, "eth0", "10.0.100.1/24")
	var addrs []string
	for _, n := range last {
		addrs = append(addrs, fmt.Sprintf("10.0.100.%d/24", n))
	}
	host.Connect(bridge, "eth0", addrs...)
	servers = make(map[int]*Target)
	for _, n := range last {
		servers[n] = NewTarget(t, host, fmt.Sprintf("10.0.100.%d:80", n))
		servers[n].Start()
	}
	return director, servers
}

// Target is a server that counts its clients.
type Target struct {
	t        *testing.T
	host     *lab.Host
	Addr     string
	listener net.Listener
	Clients  atomic.Int64
}

// NewTarget prepares one.
func NewTarget(t *testing.T, host *lab.Host, addr string) *Target {
	t.Helper()
	s := &Target{t: t, host: host, Addr: addr}
	t.Cleanup(s.Stop)
	return s
}

// Start has it listen.
func (s *Target) Start() {
	s.t.Helper()
	l, err := s.host.Listen("tcp", s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener = l
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			s.Clients.Add(1)
			_ = conn.Close()
		}
	}()
}

// Stop has it refuse connections.
func (s *Target) Stop() {
	if s.listener != nil {
		_ = s.listener.Close()
	}
}
