package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// dialTLS connects and, if t says so, encrypts: with STARTTLS after the protocol's command, where it has one. It adds to the finding
// what there is to warn of.
func dialTLS(ctx context.Context, c health.Check, limit int64, t health.TLS, f *health.Finding, command func(net.Conn) error,
	protocols ...string) (net.Conn, error) {
	conn, err := dialUpTo(ctx, c, limit)
	if err != nil || t.Mode == health.Plain {
		return conn, err
	}
	if t.Mode == health.StartTLS && command != nil {
		err = command(conn)
	}
	if err == nil {
		var secured net.Conn
		if secured, f.Warning, err = secure(ctx, conn, t, c.Target, protocols...); err == nil {
			return secured, nil
		}
	}
	conn.Close()
	return nil, err
}

// notLoggedIn says that the server refused a login, unless it did not answer.
func notLoggedIn(err error) error {
	for _, silence := range []error{context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, unix.ECONNRESET, unix.EPIPE} {
		if errors.Is(err, silence) {
			return fmt.Errorf("login: %w", err)
		}
	}
	return fmt.Errorf("login refused: %w", err)
}

// witness is a connection that remembers how reading from it ended, which some clients don't tell.
type witness struct {
	net.Conn
	lock sync.Mutex
	end  error
}

func (w *witness) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.lock.Lock()
		defer w.lock.Unlock()
		if w.end == nil {
			w.end = err
		}
	}
	return n, err
}

// testify returns the reason behind an error of the client's, unless it is an answer of the server's put into words: that the check's
// time is over, or how the connection ended.
func (w *witness) testify(ctx context.Context, err error) error {
	var answer worded
	if err == nil || errors.As(err, &answer) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.end != nil && !errors.Is(w.end, net.ErrClosed) {
		return w.end
	}
	return err
}
