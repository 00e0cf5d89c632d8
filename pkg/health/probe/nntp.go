package probe

import (
	"context"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// NNTP hears the server's greeting (RFC 3977, 5.1), and encrypts by STARTTLS (RFC 4642) if it is told to.
func NNTP(ctx context.Context, c health.Check, s health.NNTP) (f health.Finding, err error) {
	d, err := open(ctx, c, s.TLS, &f)
	if err != nil {
		return f, err
	}
	defer d.Close()
	if _, err := d.code(2); err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	if s.TLS.Mode == health.StartTLS {
		if _, err := d.command(382, "STARTTLS"); err != nil {
			return f, fmt.Errorf("STARTTLS: %w", err)
		}
		if err := d.encrypt(); err != nil {
			return f, err
		}
	}
	d.goodbye("QUIT")
	return f, nil
}
