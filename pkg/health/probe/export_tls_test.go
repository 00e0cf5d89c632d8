package probe

import (
	"context"
	"crypto/tls"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Secure is dial and secure, and reads something: a session comes with it.
func Secure(ctx context.Context, c health.Check, t health.TLS) (state tls.ConnectionState, warning string, err error) {
	conn, err := dial(ctx, c)
	if err != nil {
		return state, "", err
	}
	defer conn.Close()
	secured, warning, err := secure(ctx, conn, t, c.Target)
	if err != nil {
		return state, "", err
	}
	_, _ = secured.Read(make([]byte, 100))
	return secured.ConnectionState(), warning, nil
}
