package probe

import (
	"context"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// TCP is keepalived's TCP_CHECK: the server passes if it accepts a connection, which is then reset.
func TCP(ctx context.Context, c health.Check) error {
	conn, err := connect(ctx, c)
	if err != nil {
		return err
	}
	step(ctx, "connected to %s", c.Target)
	return conn.Close()
}
