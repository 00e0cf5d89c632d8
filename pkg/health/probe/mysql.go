package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const (
	// mysqlPacket is how long a packet may be, in bytes, and mysqlColumns is MySQL's own limit of what a row may have.
	mysqlPacket  = 64 << 10
	mysqlColumns = 4096

	// The first bytes of answers, and of commands.
	mysqlOK, mysqlMore, mysqlEOF, mysqlErr = 0x00, 0x01, 0xfe, 0xff
	mysqlQuit, mysqlQuery, mysqlPing       = 0x01, 0x03, 0x0e
)

// MySQL logs in to a MySQL or MariaDB server, and asks a query, which must have a row, or pings. There is no check without a login:
// servers count connections that end before it, and refuse a host after max_connect_errors of them.
//
// The protocol is spoken here, since github.com/go-sql-driver/mysql believes what a server says of lengths: a few bytes make it take
// all memory, others end in a panic.
func MySQL(ctx context.Context, c health.Check, s health.MySQL) (f health.Finding, err error) {
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	early := s.TLS
	if early.Mode == health.StartTLS {
		early = health.TLS{} // after the greeting
	}
	conn, err := dialTLS(ctx, c, answerLimit, early, &f, nil)
	if err != nil {
		return f, err
	}
	m := &mysql{Conn: conn, in: bufio.NewReader(conn), encrypted: early.Mode != health.Plain}
	defer func() { m.Close() }()
	hello, err := m.greeting()
	if err != nil {
		return f, fmt.Errorf("greeting: %w", err)
	}
	step(ctx, "greeting of %s", excerpt(hello.version, 80))
	if s.TLS.Mode == health.StartTLS {
		if err := m.requestTLS(hello); err != nil {
			return f, err
		}
		secured, warning, err := secure(ctx, conn, s.TLS, c.Target)
		if err != nil {
			return f, err
		}
		m.Conn, f.Warning, m.encrypted = secured, warning, true
		m.in.Reset(secured)
	}
	step(ctx, "login as %q", s.Login)
	if err := m.login(hello, s.Login, password, s.Database); err != nil {
		return f, notLoggedIn(err)
	}
	if s.Query == "" {
		step(ctx, "ping")
		err = m.ping()
	} else {
		step(ctx, "query %s", s.Query)
		err = m.query(s.Query)
	}
	if err == nil {
		_ = m.command(mysqlQuit, "")
	}
	return f, err
}

// mysql is a connection of MySQL's protocol.
type mysql struct {
	net.Conn
	in        *bufio.Reader
	next      byte   // number of the next packet
	flags     uint32 // of ours, beside mysqlCapabilities
	encrypted bool
}

var errNotMySQL = errors.New("no answer of MySQL")

// read returns a packet, which is not empty. The server's error is one here.
func (m *mysql) read() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(m.in, header[:]); err != nil {
		return nil, err
	}
	n := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if n == 0 || n > mysqlPacket {
		return nil, errNotMySQL
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(m.in, b); err != nil {
		return nil, err
	}
	if b[0] == mysqlErr && n >= 3 {
		text := b[3:]
		if len(text) >= 6 && text[0] == '#' { // SQLSTATE
			text = text[6:]
		}
		return nil, fmt.Errorf("%d %s", binary.LittleEndian.Uint16(b[1:]), text)
	}
	if b[0] == mysqlErr || header[3] != m.next {
		return nil, errNotMySQL
	}
	m.next++
	return b, nil
}

// write sends a packet.
func (m *mysql) write(b []byte) error {
	n := len(b)
	_, err := m.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), m.next}, b...))
	m.next++
	return err
}

func (m *mysql) command(code byte, text string) error {
	m.next = 0
	return m.write(append([]byte{code}, text...))
}

func (m *mysql) ping() error {
	err := m.command(mysqlPing, "")
	var b []byte
	if err == nil {
		b, err = m.read()
	}
	if err == nil && b[0] != mysqlOK {
		err = errNotMySQL
	}
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// query wants a row: after the number of columns and their descriptions there is an EOF, and then the first row or another EOF.
func (m *mysql) query(text string) error {
	err := m.command(mysqlQuery, text)
	var b []byte
	if err == nil {
		b, err = m.read()
	}
	if err == nil {
		err = m.columns(b)
	}
	if err == nil {
		b, err = m.read()
	}
	if err == nil && isEOF(b) {
		err = errNoRow
	}
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	return nil
}

// errNoRow is what is wrong with the answer to a query.
var errNoRow = errors.New("there is no row")

// columns reads what comes before the rows. Head is the first packet of the answer.
func (m *mysql) columns(head []byte) error {
	n := int(head[0])
	switch {
	case n == mysqlOK:
		return errNoRow
	case n == 0xfc && len(head) == 3:
		n = int(binary.LittleEndian.Uint16(head[1:]))
	case n > 250:
		return errNotMySQL
	}
	var b []byte
	for range min(n, mysqlColumns) + 1 {
		var err error
		if b, err = m.read(); err != nil {
			return err
		}
	}
	if !isEOF(b) {
		return errNotMySQL
	}
	return nil
}

func isEOF(b []byte) bool { return b[0] == mysqlEOF && len(b) < 9 }
