package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// startLimit is for a server to be ready after its start.
const startLimit = time.Minute

// What servers with users let in.
const (
	Login    = "lab"
	Password = "Sesame-123"
)

// Server is a real server that runs on a host: nginx, bind9 and others.
type Server struct {
	Host *Host
	Addr netip.AddrPort // where it serves; some have more ports
	IPv6 netip.AddrPort // where it serves in IPv6; not every server of the lab does
	CA   string         // a file with its certificate, if it has one

	args    []string
	ready   func() error
	process *Process
}

// NewServer prepares a server of the test's own: a command that serves at a TCP port of a host.
func NewServer(h *Host, at netip.AddrPort, args ...string) *Server {
	s := &Server{Host: h, Addr: at, args: args}
	s.ready = func() error { return s.listens(at.Port()) }
	return s
}

// Start starts the server and waits until it serves.
func (s *Server) Start() {
	s.Host.tb.Helper()
	s.launch()
	s.wait()
}

func (s *Server) launch() {
	s.Host.tb.Helper()
	s.process = s.Host.startFamily(s.args...)
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

// logged says whether the running server has written a text.
func (s *Server) logged(text string) error {
	if !strings.Contains(s.process.Log(), text) {
		return fmt.Errorf("%s has not said %q", s.process.name, text)
	}
	return nil
}

// listens says whether something accepts connections at ports of the host.
func (s *Server) listens(ports ...uint16) error {
	return short(func(ctx context.Context) error {
		for _, port := range ports {
			conn, err := s.Host.DialContext(ctx, "tcp", loopback(port).String())
			if err != nil {
				return err
			}
			if err := conn.Close(); err != nil {
				return err
			}
		}
		return nil
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
	s.signal(syscall.SIGSTOP)
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() {
	s.Host.tb.Helper()
	s.signal(syscall.SIGCONT)
}

// signal reaches all processes of the server, whatever process groups they have made. A server that has ended is left alone.
func (s *Server) signal(number syscall.Signal) {
	s.Host.tb.Helper()
	family, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.process.PID()))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var pids []int
	if err == nil {
		pids, err = inNamespace("pid", family)
	}
	for _, pid := range pids {
		if killed := syscall.Kill(pid, number); !errors.Is(killed, syscall.ESRCH) {
			err = errors.Join(err, killed)
		}
	}
	if err != nil {
		s.Host.tb.Fatalf("send %v to %s on %s: %v", number, s.process.name, s.Host.Name, err)
	}
}

// files writes configuration files for a server in a new directory that goes away after the test, and returns its path.
// DIR in them stands for that path.
func (h *Host) files(parent string, content map[string]string) string {
	h.tb.Helper()
	dir, err := os.MkdirTemp(parent, "lab-"+h.Name+"-*")
	if err != nil {
		h.tb.Fatalf("configuration of %s: %v", h.Name, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // most servers are not root for long
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

// withLogin puts what servers let in into a configuration.
func withLogin(conf string) string {
	return strings.NewReplacer("{login}", Login, "{password}", Password).Replace(conf)
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
