package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// sipLimit is how long the answers may be that come over TCP, in bytes.
const sipLimit = 64 << 10

// SIP asks the server for its OPTIONS (RFC 3261, 11), over UDP, TCP or TLS.
func SIP(ctx context.Context, c health.Check, s health.SIP) (f health.Finding, err error) {
	transport, connect := "UDP", dialUDP
	if s.TCP {
		transport = "TCP"
		connect = func(ctx context.Context, c health.Check) (net.Conn, error) {
			return dialTLS(ctx, c, sipLimit, s.TLS, &f, nil)
		}
	}
	if s.TCP && s.TLS.Mode != health.Plain {
		transport = "TLS"
	}
	conn, err := connect(ctx, c)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	call := rand.Text()
	request := sipOptions(transport, s.User, call, conn)
	step(ctx, "OPTIONS over %s, Call-ID %s", transport, call)
	settle := func(r *bufio.Reader) (verdict, err error) {
		for {
			status, reason, err := readSIP(r, call)
			if err != nil {
				return nil, err
			}
			step(ctx, "< %d %s", status, reason)
			switch {
			case status == 200:
				return nil, nil
			case status >= 200:
				return fmt.Errorf("the answer to OPTIONS is %d %.200s", status, reason), nil
			}
		}
	}
	if !s.TCP {
		return f, datagrams(ctx, conn, request, func(b []byte) (verdict, err error) {
			return settle(bufio.NewReader(bytes.NewReader(b)))
		})
	}
	if _, err := conn.Write(request); err != nil {
		return f, err
	}
	verdict, err := settle(bufio.NewReader(conn))
	return f, errors.Join(verdict, err)
}

// sipOptions returns a request. The branch, the tag and the Call-ID are new each time: a server takes one that it knows for a
// retransmission, and repeats what it said before.
func sipOptions(transport, user, call string, conn net.Conn) []byte {
	bare := func(address net.Addr) string {
		a, err := netip.ParseAddrPort(address.String())
		if err != nil {
			return address.String()
		}
		return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()).String() // a zone means something only here
	}
	via := bare(conn.LocalAddr())
	own, target := via, bare(conn.RemoteAddr())
	if user != "" {
		own, target = user+"@"+own, user+"@"+target
	}
	var b bytes.Buffer
	for _, line := range []string{
		"OPTIONS sip:" + target + " SIP/2.0",
		"Via: SIP/2.0/" + transport + " " + via + ";rport;branch=z9hG4bK" + rand.Text(),
		"Max-Forwards: 70",
		"From: <sip:" + own + ">;tag=" + rand.Text(),
		"To: <sip:" + target + ">",
		"Call-ID: " + call,
		"CSeq: 1 OPTIONS",
		"Contact: <sip:" + own + ">",
		"Accept: application/sdp",
		"Content-Length: 0",
		"",
	} {
		b.WriteString(line + "\r\n")
	}
	return b.Bytes()
}

// readSIP reads a response, and says what its status is, or why it is none to the call's only request.
func readSIP(r *bufio.Reader, call string) (status int, reason string, err error) {
	lines := textproto.NewReader(r)
	line, err := lines.ReadLine()
	if err != nil {
		return 0, "", err
	}
	version, rest, _ := strings.Cut(line, " ")
	digits, reason, _ := strings.Cut(rest, " ")
	status, err = strconv.Atoi(digits)
	if version != "SIP/2.0" || err != nil || len(digits) != 3 || status < 100 {
		return 0, "", fmt.Errorf("no response of SIP: %.20q", line)
	}
	header, err := lines.ReadMIMEHeader()
	if err != nil {
		return 0, "", err
	}
	value := func(name, short string) string { return header.Get(name) + header.Get(short) }
	if value("Call-Id", "I") != call || strings.Join(strings.Fields(header.Get("Cseq")), " ") != "1 OPTIONS" {
		return 0, "", errors.New("a response to another request")
	}
	length := value("Content-Length", "L")
	if length == "" {
		return status, reason, nil
	}
	n, err := strconv.ParseUint(length, 10, 31)
	if err != nil {
		return 0, "", fmt.Errorf("a response of SIP with the length %.20q", length)
	}
	_, err = io.CopyN(io.Discard, r, int64(n))
	return status, reason, err
}
