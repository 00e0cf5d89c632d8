package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const upgradePath = "/v1/upgrade"

// Upgrader is the part of a Backend that has another process take its place.
type Upgrader interface {
	// Upgrade starts the program anew, as it is on the disk now, and has that process go on as the daemon. With an error this one goes on.
	Upgrade(ctx context.Context) (*status.Upgrade, error)
}

// Upgrade has the daemon's program, as it is on the disk now, take the place of the daemon that runs.
func (c *Client) Upgrade(ctx context.Context) (*status.Upgrade, error) {
	resp, err := c.send(ctx, 0, http.MethodPost, upgradePath, nil)
	if err != nil {
		return nil, err
	}
	return decode[status.Upgrade](c, resp)
}

// upgradeHandler goes on when the client has gone: half an upgrade is none.
func upgradeHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // the next request is for the other process
		u, err := b.Upgrade(context.WithoutCancel(r.Context()))
		reply(w, http.StatusOK, u, err)
	}
}

func upgradeRoute(b Backend) Route {
	return Route{
		Name: "upgrade", Method: http.MethodPost, Path: upgradePath, Role: Operate, Answer: status.Upgrade{}, Streams: true, serve: upgradeHandler(b),
		Summary: "The daemon's program, as it is on the disk now, takes the place of the daemon that runs, without a gap; if it can't, that one goes on",
		Here:    func(*http.Request) string { return "an upgrade starts a program" },
	}
}

// entrance is a listener that can be closed for a while: who comes then waits.
type entrance struct {
	*net.UnixListener
	mu     sync.Mutex
	gone   chan struct{} // closed by Close
	once   sync.Once
	closed chan struct{} // closed when it is opened again; nil: it is open; guarded by mu
}

// Accept is net.Listener's.
func (d *entrance) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		wait := d.closed
		d.mu.Unlock()
		if wait != nil {
			select {
			case <-wait:
			case <-d.gone:
				return nil, net.ErrClosed
			}
		}
		c, err := d.UnixListener.Accept()
		d.mu.Lock()
		again := err != nil && (d.closed != nil || wait != nil)
		d.mu.Unlock()
		if timeout, ok := err.(net.Error); again && ok && timeout.Timeout() { //nolint:errorlint // as net/http asks
			continue
		}
		return c, err
	}
}

// Close is net.Listener's.
func (d *entrance) Close() error {
	d.once.Do(func() { close(d.gone) })
	return d.UnixListener.Close()
}

// Pause lets nobody in on the socket until resume is called, which must be once. Requests that came before are answered.
func (s *Server) Pause() (resume func()) {
	d := s.listener
	d.mu.Lock()
	defer d.mu.Unlock()
	opened := make(chan struct{})
	d.closed = opened
	_ = d.SetDeadline(time.Unix(1, 0))
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.closed = nil
		_ = d.SetDeadline(time.Time{})
		close(opened)
	}
}

// Socket returns the listening socket, for another process. Not by File: who gives that to a process makes the socket blocking, here as well, and
// Accept then waits in the kernel, where neither Pause nor Close reaches it: it would take a request that is the other process's, and cut it off.
func (s *Server) Socket() (f *os.File, err error) {
	raw, err := s.listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlled := raw.Control(func(fd uintptr) {
		var own int
		if own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			f = os.NewFile(uintptr(own), s.path)
		}
	})
	return f, errors.Join(err, controlled)
}

// Leave ends Run when the requests have been answered that are being answered now, or when the context is done, and leaves the socket to
// another process.
func (s *Server) Leave(ctx context.Context) {
	s.left.Store(true)
	_ = s.http.Shutdown(ctx) // what is not answered by then is cut
	_ = s.http.Close()
}

// Inherit is Listen with a socket that another process has made.
func Inherit(socket *os.File, path string, b Backend, r Routers, logger *slog.Logger) (*Server, error) {
	l, err := net.FileListener(socket)
	err = errors.Join(err, socket.Close())
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(errors.New("control socket: the old process handed over something else"), l.Close())
	}
	return newServer(unix, path, b, r, logger), nil
}
