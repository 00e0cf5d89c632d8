package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// simpleLimit is how long an answer may be before it matches, in bytes.
const simpleLimit = 16 << 10

// SimpleTCP is ldirectord's simpletcp: it sends a text, says that there is no more, and waits until what comes has the other text.
func SimpleTCP(ctx context.Context, c health.Check, s health.SimpleTCP) (f health.Finding, err error) {
	connect := dialUDP
	if !s.UDP {
		connect = func(ctx context.Context, c health.Check) (net.Conn, error) {
			return dialTLS(ctx, c, answerLimit, s.TLS, &f, nil)
		}
	}
	link, err := connect(ctx, c)
	if err != nil {
		return f, err
	}
	defer link.Close()
	if s.Send != "" || s.UDP {
		if _, err := io.WriteString(link, s.Send); err != nil {
			return f, err
		}
		step(ctx, "> %s", excerpt(s.Send, 200))
	}
	if plain, is := link.(*conn); is && !s.UDP && s.Send != "" {
		_ = plain.CloseWrite() // if the server has left, reading tells
	}
	return f, awaitText(ctx, link, s.Expect, s.UDP)
}

// awaitText reads until the text has come that is expected, which is seen after each piece, or until the end if it must not come.
func awaitText(ctx context.Context, conn net.Conn, r health.Regex, datagrams bool) error {
	b := make([]byte, 0, simpleLimit)
	for {
		n, end := conn.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if n > 0 {
			step(ctx, "< %s", excerpt(string(b), 200))
		}
		ended := errors.Is(end, io.EOF)
		switch {
		case end != nil && (!ended || len(b) == 0):
			if len(b) > 0 {
				return fmt.Errorf("%q does not match the regex %q; %w", excerpt(string(b), 80), r.Pattern, end)
			}
			return end
		case r == (health.Regex{}) && len(b) > 0:
			return nil
		}
		if ended || datagrams || !r.NoMatch {
			if wrong := expect(r, b); wrong == nil || ended || r.NoMatch {
				return wrong
			}
		}
		switch {
		case len(b) == cap(b) && r.NoMatch:
			return fmt.Errorf("the answer is longer than %d bytes", len(b))
		case len(b) == cap(b):
			return fmt.Errorf("%q and %d bytes more do not match the regex %q", excerpt(string(b[:40]), 40), len(b)-40, r.Pattern)
		}
	}
}
