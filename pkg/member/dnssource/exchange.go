package dnssource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// turn is how long one server has for one answer.
const turn = 3 * time.Second

// exchange sends a question over UDP, passes over what is no answer to it, and asks over TCP where the answer doesn't fit.
func exchange(ctx context.Context, server netip.AddrPort, question []byte, fits func([]byte) bool) ([]byte, error) {
	b, err := over(ctx, "udp", server, func(conn net.Conn) ([]byte, error) {
		if _, err := conn.Write(question); err != nil {
			return nil, err
		}
		b := make([]byte, 1<<16)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return nil, err
			}
			if fits(b[:n]) {
				return b[:n], nil
			}
		}
	})
	if err != nil || !truncated(b) {
		return b, err
	}
	return over(ctx, "tcp", server, func(conn net.Conn) ([]byte, error) { // RFC 1035, 4.2.2
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
			return nil, err
		}
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return nil, err
		}
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil, err
		}
		if !fits(b) {
			return nil, errors.New("an answer to another question")
		}
		return b, nil
	})
}

func truncated(b []byte) bool {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	return err == nil && h.Truncated
}

// over talks to a server until its turn is over.
func over(ctx context.Context, network string, server netip.AddrPort, talk func(net.Conn) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, plainly(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	b, err := talk(conn)
	return b, plainly(err)
}

// plainly says what went wrong without the addresses of sockets, of which one is another each time.
func plainly(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("no answer within %v", turn)
	case errors.As(err, &op):
		return op.Err
	}
	return err
}
