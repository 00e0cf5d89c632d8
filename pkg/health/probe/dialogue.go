package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// dialogueLimit is how much a server may say in a dialogue, in bytes.
const dialogueLimit = 64 << 10

// dialogue is a conversation in lines: FTP, IMAP, NNTP, POP3.
type dialogue struct {
	*textproto.Conn
	ctx     context.Context
	check   health.Check
	tls     health.TLS
	config  *tls.Config
	finding *health.Finding
	conn    net.Conn
}

// open connects for a dialogue, encrypted if it is to be so from the first byte. The caller closes it.
func open(ctx context.Context, c health.Check, t health.TLS, f *health.Finding) (*dialogue, error) {
	d := &dialogue{ctx: ctx, check: c, tls: t, finding: f}
	if t.Mode != health.Plain {
		config, err := tlsConfig(tlsKey{TLS: t, target: c.Target})
		if err != nil {
			return nil, err
		}
		// A session of its own, as servers of FTP want to see the one of the control connection again with the data.
		d.config = config.Clone()
		d.config.ClientSessionCache = &session{}
	}
	conn, err := dialUpTo(ctx, c, dialogueLimit)
	if err != nil {
		return nil, err
	}
	d.Conn, d.conn = textproto.NewConn(conn), conn
	if t.Mode == health.Implicit {
		if err := d.encrypt(); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return d, nil
}

// encrypt puts what follows into TLS. What the server has said beyond what it was asked could be from somebody in between
// (CVE-2011-0411).
func (d *dialogue) encrypt() error {
	if d.R.Buffered() > 0 {
		return errors.New("the server said more than it was asked before TLS began")
	}
	secured, warning, err := handshake(d.ctx, d.conn, d.tls, d.config)
	if err != nil {
		return err
	}
	d.finding.Warning = warning
	d.Conn = textproto.NewConn(secured)
	return nil
}

// say sends a line.
func (d *dialogue) say(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	return d.whisper(line, line)
}

// whisper sends a line of which a trace shows only a part.
func (d *dialogue) whisper(shown, line string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("%s: a line break can't be sent", shown)
	}
	step(d.ctx, "> %s", shown)
	return d.PrintfLine("%s", line)
}

// hear reads a line.
func (d *dialogue) hear() (string, error) {
	line, err := d.ReadLine()
	if err == nil {
		step(d.ctx, "< %s", excerpt(line, 200))
	}
	return line, err
}

// code reads an answer as FTP and NNTP have them, and returns its text. It is an error if the code doesn't begin as the wanted one.
func (d *dialogue) code(want int) (string, error) {
	code, text, err := d.ReadResponse(want)
	if code != 0 {
		step(d.ctx, "< %d %s", code, excerpt(text, 200))
	}
	if refusal := (*textproto.Error)(nil); errors.As(err, &refusal) {
		err = worded{fmt.Sprintf("%d %s", refusal.Code, refusal.Msg), err} // without quotes
	}
	return text, err
}

// command sends a line and reads such an answer.
func (d *dialogue) command(want int, format string, args ...any) (string, error) {
	if err := d.say(format, args...); err != nil {
		return "", err
	}
	return d.code(want)
}

// goodbye sends the last line. The server has shown what it should, and whatever it says to that changes nothing; but one that has
// heard of it doesn't log that a client left without a word.
func (d *dialogue) goodbye(line string) {
	if d.say("%s", line) == nil {
		_, _ = d.hear()
	}
}
