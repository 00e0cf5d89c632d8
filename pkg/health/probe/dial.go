package probe

import (
	"context"
	"net"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// dial connects to the check's target as connect does, and returns a connection whose deadline is the context's. When the
// context is cancelled before that, what it is used for fails at once. Close resets it.
func dial(ctx context.Context, c health.Check) (net.Conn, error) {
	file, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	_ = file.Close() // conn has its own descriptor
	if err != nil {
		return nil, err
	}
	if at, limited := ctx.Deadline(); limited {
		err = conn.SetDeadline(at)
	}
	step(ctx, "connected to %s from %s", conn.RemoteAddr(), conn.LocalAddr())
	return conn, err
}
