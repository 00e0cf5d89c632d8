// Package smtp hands e-mail to a mail server. Each mail has a goroutine while it is under way, and nothing is remembered.
package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/alert/outbox"
	"github.com/ipvsd/ipvsd/pkg/config"
)

// Send hands over a mail. An error that the next attempt would end with too is a permanent one of package outbox; none of them
// shows the password. It returns at once when the context is done: the library, which asks the context only while it connects, gives
// up behind it when the mail server has been silent for the mail's ConnectTimeout.
func Send(ctx context.Context, m alert.Mail) error {
	sent := make(chan error, 1)
	go func() { sent <- send(ctx, m) }()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func send(ctx context.Context, m alert.Mail) error {
	ctx, cancel := context.WithTimeout(ctx, m.Via.ConnectTimeout)
	defer cancel()
	client, err := dial(&m.Via)
	if err != nil {
		return err
	}
	// As it is, for whoever looks for words in it; or so that all mail servers take it.
	for _, encoding := range []mail.Encoding{mail.NoEncoding, mail.EncodingQP} {
		msg, wrong := compose(&m, encoding)
		if wrong != nil {
			return outbox.Permanent(wrong)
		}
		err = client.DialAndSendWithContext(ctx, msg)
		if sent, ok := errors.AsType[*mail.SendError](err); !ok || sent.Reason != mail.ErrNoUnencoded {
			break
		}
	}
	if err != nil {
		if sent, ok := errors.AsType[*mail.SendError](err); ok && !sent.IsTemp() && sent.ErrorCode() >= 500 {
			return outbox.Permanent(err)
		}
		return err
	}
	return nil
}

// compose returns a message.
func compose(m *alert.Mail, encoding mail.Encoding) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(encoding))
	if err := msg.From(m.Via.From); err != nil {
		return nil, fmt.Errorf("notification_email_from: %w", err)
	}
	if err := msg.To(m.To...); err != nil {
		return nil, fmt.Errorf("notification_email: %w", err)
	}
	if plain(m.Subject) {
		msg.SetGenHeaderPreformatted(mail.HeaderSubject, m.Subject) // on one line, for those who look for it there
	} else {
		msg.Subject(m.Subject)
	}
	msg.SetDate()
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody shall answer it
	if m.Mailer != "" {
		msg.SetGenHeader(mail.HeaderXMailer, m.Mailer)
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	return msg, nil
}

// plain says whether a text can stand in a header as it is (RFC 5322, section 2.1.1).
func plain(s string) bool {
	return len(s) < 900 && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}

// dial returns a client, not connected yet.
func dial(via *config.Mail) (*mail.Client, error) {
	host, service, err := net.SplitHostPort(via.Server)
	if err != nil {
		return nil, outbox.Permanent(err)
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, outbox.Permanent(err)
	}
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if via.CA != "" {
		pem, err := outbox.ReadFile(via.CA)
		if err != nil {
			return nil, fmt.Errorf("smtp_tls_ca: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("smtp_tls_ca: %s has no certificate", via.CA)
		}
	}
	options := []mail.Option{mail.WithPort(port), mail.WithHELO(via.Helo), mail.WithTimeout(via.ConnectTimeout)}
	limit := mail.WithDialContextFunc(dialBounded)
	switch via.TLS {
	case config.MailTLSNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case config.MailTLSStart:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case config.MailTLSImplicit:
		options = append(options, mail.WithSSL())
		limit = nil // the server has shown who it is
	default: // whoever listens on the way gets nothing, whoever sits on it could do without TLS anyway
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
		secure.InsecureSkipVerify = via.CA == ""
	}
	options = append(options, mail.WithTLSConfig(secure))
	if limit != nil {
		options = append(options, limit)
	}
	if via.User != "" {
		secret, err := outbox.ReadFile(via.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("smtp_password_file: %w", err)
		}
		first, _, _ := bytes.Cut(secret, []byte("\n"))
		options = append(options, mail.WithUsername(via.User), mail.WithPassword(string(bytes.TrimSuffix(first, []byte("\r")))),
			mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, outbox.Permanent(err)
	}
	return client, nil
}

// most is how many bytes a server may say while it takes a mail.
const most = 1 << 20

var errTalkative = fmt.Errorf("the mail server says more than %d kB", most>>10)

// bounded is a connection on which the other side may say so much: the library would keep a line of any length.
type bounded struct {
	net.Conn
	left int
}

func dialBounded(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bounded{c, most}, nil
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTalkative
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
