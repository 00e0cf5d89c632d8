package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// POP3 hears the server's greeting (RFC 1939), encrypts by STLS (RFC 2595) if it is told to, and logs in if it can.
func POP3(ctx context.Context, c health.Check, s health.POP3) (f health.Finding, err error) {
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	d, err := open(ctx, c, s.TLS, &f)
	if err != nil {
		return f, err
	}
	defer d.Close()
	if err := d.ok(); err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	if s.TLS.Mode == health.StartTLS {
		if err := d.pop("STLS", "STLS"); err != nil {
			return f, fmt.Errorf("STLS: %w", err)
		}
		if err := d.encrypt(); err != nil {
			return f, err
		}
	}
	if s.Login != "" {
		err := d.pop("USER "+s.Login, "USER "+s.Login)
		if err == nil {
			err = d.pop("PASS ***", "PASS "+password)
		}
		if err != nil {
			return f, notLoggedIn(err)
		}
	}
	d.goodbye("QUIT")
	return f, nil
}

// pop sends a command and reads its answer.
func (d *dialogue) pop(shown, command string) error {
	if err := d.whisper(shown, command); err != nil {
		return err
	}
	return d.ok()
}

// ok reads an answer of POP3, which has to be a good one.
func (d *dialogue) ok() error {
	line, err := d.hear()
	switch word, _, _ := strings.Cut(line, " "); {
	case err != nil:
		return err
	case word == "+OK":
		return nil
	case word == "-ERR":
		return errors.New(line)
	}
	return fmt.Errorf("no answer of POP3: %.80q", line)
}
