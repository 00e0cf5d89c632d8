// Package etcdtest runs Debian's etcd on loopback, for tests. Each is a process, which ends with the test.
package etcdtest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ipvsd/ipvsd/pkg/etcd"
	"github.com/ipvsd/ipvsd/pkg/internal/authority"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// Server is an etcd with its data in a directory.
type Server struct {
	Address string // "http://127.0.0.1:2379"
	Access         // of Do

	tb      testing.TB
	dir     string
	options []string
	process *exec.Cmd
	log     *bytes.Buffer
}

// Access is how etcd knows who asks.
type Access = member.Access

// New returns a server that has not been started.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), Address: "http://" + free(tb)}
	tb.Cleanup(s.Stop)
	return s
}

// NewTLS returns one that has a certificate, and wants to see one that the authority has signed.
func NewTLS(tb testing.TB, ca *authority.Authority) *Server {
	tb.Helper()
	s := New(tb)
	s.Address = strings.Replace(s.Address, "http:", "https:", 1)
	certificate, key := ca.Issue("etcd")
	s.options = []string{"--cert-file", certificate, "--key-file", key, "--trusted-ca-file", ca.File, "--client-cert-auth"}
	s.CA = ca.File
	s.Certificate, s.Key = ca.Issue("test")
	return s
}

func free(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start starts it, and waits until it answers.
func (s *Server) Start() {
	s.tb.Helper()
	peer := "http://" + free(s.tb)
	s.log = new(bytes.Buffer)
	s.process = exec.Command("etcd", append([]string{
		"--data-dir", filepath.Join(s.dir, "data"), "--listen-client-urls", s.Address, "--advertise-client-urls", s.Address,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}, s.options...)...)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.tb.Fatalf("%v: run scripts/install etcd-server", err)
	}
	s.Do(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Get(ctx, "/")
		return err
	})
}

// Stop kills it. What it has is there when it is started again.
func (s *Server) Stop() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// Wipe removes what it has. It is stopped.
func (s *Server) Wipe() {
	s.tb.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "data")); err != nil {
		s.tb.Fatal(err)
	}
}

// Freeze has it answer nobody, until it is thawed. On a busy machine its threads run on for a while after the signal.
func (s *Server) Freeze() {
	s.tb.Helper()
	s.signal(syscall.SIGSTOP)
	if err := unix.Waitid(unix.P_PID, s.process.Process.Pid, nil, unix.WSTOPPED, nil); err != nil {
		s.tb.Fatalf("etcd does not stand still: %v", err)
	}
}

// Thaw has it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(n syscall.Signal) {
	s.tb.Helper()
	if err := s.process.Process.Signal(n); err != nil {
		s.tb.Fatal(err)
	}
}

// Do does something in etcd, as soon as that is there.
func (s *Server) Do(f func(context.Context, *clientv3.Client) error) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), time.Minute)
	defer cancel()
	for {
		err := s.try(ctx, f)
		if err == nil {
			return
		}
		if status.Code(err) != codes.Unavailable || !etcd.Rest(ctx, 50*time.Millisecond) {
			s.Stop() // or it would go on to write its log
			s.tb.Fatalf("%v\n%s", err, s.log)
		}
	}
}

func (s *Server) try(ctx context.Context, f func(context.Context, *clientv3.Client) error) error {
	client, err := etcd.Connect(ctx, s.Address, s.Access)
	if err != nil {
		return err
	}
	defer client.Close()
	return f(ctx, client)
}

// Put sets a key.
func (s *Server) Put(key, value string) {
	s.tb.Helper()
	s.Do(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Put(ctx, key, value)
		return err
	})
}

// Admit has it let in none but root and one user, who may do that with the keys that begin with a prefix.
func (s *Server) Admit(user, password, prefix string, may clientv3.PermissionType) {
	s.tb.Helper()
	s.Do(func(ctx context.Context, c *clientv3.Client) error {
		for _, u := range []struct{ name, password, role string }{{"root", "top", "root"}, {user, password, "some"}} {
			if _, err := c.UserAdd(ctx, u.name, u.password); err != nil {
				return err
			}
			if _, err := c.RoleAdd(ctx, u.role); err != nil {
				return err
			}
			if _, err := c.UserGrantRole(ctx, u.name, u.role); err != nil {
				return err
			}
		}
		if _, err := c.RoleGrantPermission(ctx, "some", prefix, clientv3.GetPrefixRangeEnd(prefix), may); err != nil {
			return err
		}
		_, err := c.AuthEnable(ctx)
		return err
	})
}
