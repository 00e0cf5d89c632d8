package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"
	"regexp"
	"strconv"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// FTP logs in, after AUTH TLS (RFC 4217) if it is told to, and fetches a file if there is one to fetch, by EPSV (RFC 2428) or, where
// the server doesn't know that, PASV. The data come from the address that the control connection has gone to: what PASV's answer
// says of addresses could lead the check anywhere, and behind a NAT it is wrong.
func FTP(ctx context.Context, c health.Check, s health.FTP) (f health.Finding, err error) {
	login, password := "anonymous", "ipvsd@"
	if s.Login != "" {
		login = s.Login
	}
	if s.Password != (health.Secret{}) {
		if password, err = reveal(s.Password); err != nil {
			return f, err
		}
	}
	d, err := open(ctx, c, s.TLS, &f)
	if err != nil {
		return f, err
	}
	defer d.Close()
	if _, err := d.code(220); err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	if s.TLS.Mode == health.StartTLS {
		if _, err := d.command(234, "AUTH TLS"); err != nil {
			return f, fmt.Errorf("AUTH TLS: %w", err)
		}
		if err := d.encrypt(); err != nil {
			return f, err
		}
	}
	_, err = d.command(2, "USER %s", login)
	if refusal := (*textproto.Error)(nil); errors.As(err, &refusal) && refusal.Code == 331 {
		if err = d.whisper("PASS ***", "PASS "+password); err == nil {
			_, err = d.code(2)
		}
	}
	if err != nil {
		return f, notLoggedIn(err)
	}
	if s.File != "" {
		content, err := d.fetch(s.File)
		if err == nil {
			err = expect(s.Expect, content)
		}
		if err != nil {
			return f, fmt.Errorf("file %s: %w", s.File, err)
		}
	}
	d.goodbye("QUIT")
	return f, nil
}

// fetch returns a file's content.
func (d *dialogue) fetch(file string) ([]byte, error) {
	prepare := []string{"TYPE I"}
	if d.tls.Mode != health.Plain { // the data are encrypted, too
		prepare = []string{"PBSZ 0", "PROT P", "TYPE I"}
	}
	for _, line := range prepare {
		if _, err := d.command(2, "%s", line); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	port, err := d.passive()
	if err != nil {
		return nil, err
	}
	from := d.check
	from.Target = netip.AddrPortFrom(from.Target.Addr(), port)
	data, err := dial(d.ctx, from)
	if err != nil {
		return nil, fmt.Errorf("data connection to port %d: %w", port, err)
	}
	defer func() { data.Close() }()
	if _, err := d.command(1, "RETR %s", file); err != nil {
		return nil, err
	}
	if d.config != nil {
		secured, _, err := handshake(d.ctx, data, d.tls, d.config)
		if err != nil {
			return nil, fmt.Errorf("data connection to port %d: %w", port, err)
		}
		data = secured
	}
	content, err := io.ReadAll(data)
	if secured, is := data.(*tls.Conn); is {
		_ = secured.CloseWrite() // vsftpd says nothing before it has seen our end, too
	}
	// Not all servers end TLS as they should. That the file was whole they say on the other connection.
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("data connection: %w", err)
	}
	step(d.ctx, "got %d bytes", len(content))
	_, err = d.code(2)
	return content, err
}

// passive returns a port of the server's that waits for a data connection.
func (d *dialogue) passive() (uint16, error) {
	text, err := d.command(229, "EPSV")
	if refusal := (*textproto.Error)(nil); errors.As(err, &refusal) && refusal.Code >= 500 && d.check.Target.Addr().Is4() {
		text, err = d.command(227, "PASV")
	}
	if err != nil {
		return 0, err
	}
	return parsePassive(text)
}

// passiveAnswer matches the answers to EPSV, "... (|||6446|)", and to PASV, "... (192,0,2,1,25,46)", where brackets may be missing.
var passiveAnswer = regexp.MustCompile(`\(\|\|\|(\d{1,5})\|\)|(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})`)

// parsePassive returns the port of such an answer.
func parsePassive(text string) (uint16, error) {
	if part := passiveAnswer.FindStringSubmatch(text); part != nil {
		port, err := strconv.ParseUint(part[1], 10, 16)
		if part[1] == "" {
			high, tooHigh := strconv.ParseUint(part[2], 10, 8)
			low, tooLow := strconv.ParseUint(part[3], 10, 8)
			port, err = high<<8|low, errors.Join(tooHigh, tooLow)
		}
		if err == nil && port != 0 {
			return uint16(port), nil
		}
	}
	return 0, fmt.Errorf("no port in the answer %.80q", text)
}
