package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// redisLimit is how long an answer of Redis may be, in bytes. ROLE of a master lists its replicas.
const redisLimit = 64 << 10

// Redis asks a Redis or Valkey server for a PONG, and which role it has if that matters.
func Redis(ctx context.Context, c health.Check, s health.Redis) (f health.Finding, err error) {
	conn, err := dialTLS(ctx, c, redisLimit, s.TLS, &f, nil)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	r := redis{ctx, conn, bufio.NewReader(conn)}
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	switch {
	case s.Login != "":
		err = r.ask("OK", "AUTH", s.Login, password)
	case password != "":
		err = r.ask("OK", "AUTH", password)
	}
	if err != nil {
		return f, notLoggedIn(err)
	}
	if err := r.ask("PONG", "PING"); err != nil {
		return f, fmt.Errorf("PING: %w", err)
	}
	if s.Role != "" {
		if err := r.ask(s.Role, "ROLE"); err != nil {
			return f, fmt.Errorf("ROLE: %w", err)
		}
	}
	return f, nil
}

type redis struct {
	ctx   context.Context
	conn  net.Conn
	lines *bufio.Reader
}

// ask sends a command, and wants an answer that is, or begins with, a certain string.
func (r redis) ask(want, command string, args ...string) error {
	step(r.ctx, "> %s%s", command, strings.Repeat(" ***", len(args)))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n$%d\r\n%s\r\n", 1+len(args), len(command), command)
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(r.conn, b.String()); err != nil {
		return err
	}
	got, err := readRESP(r.lines)
	if err != nil {
		return err
	}
	step(r.ctx, "< %.200q", got)
	if got != want {
		return fmt.Errorf("the server says %.80q; want %q", got, want)
	}
	return nil
}

// readRESP reads an answer as far as its first string. What is an error to the server is one here.
func readRESP(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		line, ended := strings.CutSuffix(line, "\r\n")
		if !ended || line == "" {
			return "", fmt.Errorf("no answer of Redis: %.80q", line)
		}
		text := line[1:]
		switch line[0] {
		case '+':
			return text, nil
		case '-':
			return "", errors.New(text)
		case '*': // its first string is what matters
			if n, err := strconv.Atoi(text); err != nil || n < 1 {
				return "", fmt.Errorf("no answer of Redis: %.80q", line)
			}
		case '$':
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > redisLimit {
				return "", fmt.Errorf("no answer of Redis: %.80q", line)
			}
			b := make([]byte, n)
			_, err = io.ReadFull(r, b)
			return string(b), err
		default:
			return "", fmt.Errorf("no answer of Redis: %.80q", line)
		}
	}
}
