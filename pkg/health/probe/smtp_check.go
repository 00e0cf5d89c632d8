package probe

import (
	"context"
	"fmt"
	"net/textproto"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// SMTP is keepalived's SMTP_CHECK: the server greets with 220, answers HELO with 250, and is sent QUIT. It goes further than
// keepalived in two ways. An answer may have several lines (RFC 5321, 4.2.1), which keepalived takes for a failure. And it can be
// encrypted, from the start or, after EHLO, by STARTTLS (RFC 3207); then the HELO is said inside.
func SMTP(ctx context.Context, c health.Check, spec health.SMTP) (f health.Finding, err error) {
	conn, err := dial(ctx, c)
	if err != nil {
		return f, err
	}
	defer func() { conn.Close() }()
	s := smtp{ctx, textproto.NewConn(conn)}
	if err := s.answer("greeting", 220); err != nil {
		return f, err
	}
	if err := s.command(250, "HELO %s", spec.HeloName); err != nil {
		return f, err
	}
	// The server has shown what it should. What it says to QUIT changes nothing, but one that has heard of it does not log that
	// a client left without a word.
	_ = s.command(221, "QUIT")
	return f, nil
}

type smtp struct {
	ctx context.Context
	*textproto.Conn
}

// command sends a line, and wants an answer of this code.
func (s smtp) command(code int, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	step(s.ctx, "> %s", line)
	if err := s.PrintfLine("%s", line); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return s.answer(line, code)
}

func (s smtp) answer(to string, code int) error {
	got, text, err := s.ReadResponse(code)
	if got != 0 {
		step(s.ctx, "< %d %s", got, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return nil
}
