package probe

import (
	"context"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// SMTP is keepalived's SMTP_CHECK: the server greets with 220, answers HELO with 250, and is sent QUIT, whose answer changes
// nothing. It goes further than keepalived in two ways. An answer may have several lines (RFC 5321, 4.2.1), which keepalived takes
// for a failure. And the connection can be encrypted, from the start or, after EHLO, by STARTTLS (RFC 3207); HELO then comes inside.
func SMTP(ctx context.Context, c health.Check, spec health.SMTP) (f health.Finding, err error) {
	d, err := open(ctx, c, spec.TLS, &f)
	if err != nil {
		return f, err
	}
	defer d.Close()
	if _, err := d.code(220); err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	if spec.TLS.Mode == health.StartTLS {
		if _, err := d.command(250, "EHLO %s", spec.HeloName); err != nil {
			return f, fmt.Errorf("EHLO: %w", err)
		}
		if _, err := d.command(220, "STARTTLS"); err != nil {
			return f, fmt.Errorf("STARTTLS: %w", err)
		}
		if err := d.encrypt(); err != nil {
			return f, err
		}
	}
	if _, err := d.command(250, "HELO %s", spec.HeloName); err != nil {
		return f, fmt.Errorf("HELO: %w", err)
	}
	d.goodbye("QUIT")
	return f, nil
}
