package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// IMAP hears the server's greeting (RFC 9051, 7.1), encrypts by STARTTLS if it is told to, and logs in if it can.
func IMAP(ctx context.Context, c health.Check, s health.IMAP) (f health.Finding, err error) {
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	d, err := open(ctx, c, s.TLS, &f)
	if err != nil {
		return f, err
	}
	defer d.Close()
	greeting, err := d.hear()
	if err == nil && !begins(greeting, "* OK ") && !begins(greeting, "* PREAUTH ") {
		err = fmt.Errorf("%.80q", greeting)
	}
	if err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	if s.TLS.Mode == health.StartTLS {
		if err := d.tagged("a STARTTLS", "a STARTTLS"); err != nil {
			return f, fmt.Errorf("STARTTLS: %w", err)
		}
		if err := d.encrypt(); err != nil {
			return f, err
		}
	}
	if s.Login != "" {
		login := "b LOGIN " + quoteIMAP(s.Login) + " "
		if err := d.tagged(login+"***", login+quoteIMAP(password)); err != nil {
			return f, notLoggedIn(err)
		}
	}
	d.goodbye("c LOGOUT")
	return f, nil
}

// tagged sends a command with a tag, and reads up to its answer, which has to be OK.
func (d *dialogue) tagged(shown, command string) error {
	if err := d.whisper(shown, command); err != nil {
		return err
	}
	tag, _, _ := strings.Cut(command, " ")
	for {
		line, err := d.hear()
		if err != nil {
			return err
		}
		switch answer, last := strings.CutPrefix(line, tag+" "); {
		case last && begins(answer+" ", "OK "):
			return nil
		case last:
			return errors.New(answer)
		case begins(line, "* BYE "):
			return errors.New(line)
		}
	}
}

// begins says whether a line begins with some words, in whatever case.
func begins(line, words string) bool {
	return len(line) >= len(words) && strings.EqualFold(line[:len(words)], words)
}

// quoteIMAP is a quoted string of RFC 9051, 4.3.
func quoteIMAP(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
