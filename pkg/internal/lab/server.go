package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// startLimit is for a server to be ready after its start.
const startLimit = time.Minute

// Server is a real server that runs on a host: nginx or bind9.
type Server struct {
	Host *Host
	Addr netip.AddrPort // where it serves
	IPv6 netip.AddrPort // where it serves in IPv6; not every server of the lab does

	args    []string
	ready   func() error
	process *Process
}

// Start starts the server and waits until it serves.
func (s *Server) Start() {
	s.Host.tb.Helper()
	s.launch()
	s.wait()
}

func (s *Server) launch() {
	s.Host.tb.Helper()
	s.process = s.Host.Start(s.args...)
}

func (s *Server) wait() {
	s.Host.tb.Helper()
	WaitFor(s.Host.tb, startLimit, s.Host.Name+" to serve", func() error {
		if s.process.ended() {
			s.Host.tb.Fatalf("%s on %s ended: %v\n%s", s.process.name, s.Host.Name, s.process.err, s.process.Log())
		}
		return s.ready()
	})
}

// Stop ends the server: connections to it are refused.
func (s *Server) Stop() {
	s.Host.tb.Helper()
	s.process.Kill()
}

// Freeze stops the server in its tracks: the kernel still accepts connections for it, but nobody answers.
func (s *Server) Freeze() {
	s.Host.tb.Helper()
	s.process.Signal(syscall.SIGSTOP)
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() {
	s.Host.tb.Helper()
	s.process.Signal(syscall.SIGCONT)
}

// files writes configuration files for a server in a new directory that goes away after the test, and returns its path.
// DIR in them stands for that path.
func (h *Host) files(parent string, content map[string]string) string {
	h.tb.Helper()
	dir, err := os.MkdirTemp(parent, "lab-"+h.Name+"-*")
	if err != nil {
		h.tb.Fatalf("configuration of %s: %v", h.Name, err)
	}
	h.tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			h.tb.Logf("configuration of %s: %v", h.Name, err)
		}
	})
	for name, text := range content {
		text = strings.ReplaceAll(text, "DIR", dir)
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			h.tb.Fatalf("configuration of %s: %v", h.Name, err)
		}
	}
	return dir
}

// short gives one attempt at something a limit.
func short(f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	return f(ctx)
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// Answer is what a web server says of a request.
type Answer struct {
	Server string         // its host's name
	Client netip.AddrPort // where it saw the request come from
}

func parseAnswer(page string) (Answer, error) {
	var a Answer
	server, client, _ := strings.Cut(strings.TrimSpace(page), " ")
	from, err := netip.ParseAddrPort(client)
	if err != nil {
		return a, fmt.Errorf("%q is not a page of the lab's nginx", page)
	}
	return Answer{Server: server, Client: from}, nil
}
