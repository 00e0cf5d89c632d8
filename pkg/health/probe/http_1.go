package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const (
	// headLimit is how long status line and headers may be together, in bytes.
	headLimit = 64 << 10
	// interim is how many answers may come before the answer: 100 Continue, 103 Early Hints.
	interim = 8
)

// exchange is what one request needs of memory.
type exchange struct {
	in      *bufio.Reader
	request []byte
	line    []byte // one that is longer than in has room for
	piece   [8 << 10]byte
}

var exchanges = sync.Pool{New: func() any { return &exchange{in: bufio.NewReaderSize(nil, 4<<10)} }}

// ask1 is ask for HTTP/1.0 and 1.1.
func ask1(ctx context.Context, conn io.ReadWriter, c health.Check, s health.HTTP, u health.URL) (a answer, err error) {
	x := exchanges.Get().(*exchange)
	defer func() {
		x.in.Reset(nil)
		exchanges.Put(x)
	}()
	x.in.Reset(conn)
	x.request = appendRequest(x.request[:0], c, s, u)
	if traced(ctx) {
		line, _, _ := strings.Cut(string(x.request), "\r\n")
		step(ctx, "> %s, Host: %s", line, host(c, u))
	}
	if _, err := conn.Write(x.request); err != nil {
		return a, err
	}
	return x.answer(s, u)
}

// answer reads what the server says.
func (x *exchange) answer(s health.HTTP, u health.URL) (a answer, err error) {
	h, err := x.head(s.Weight)
	if err != nil {
		return a, err
	}
	a = answer{status: h.status, location: h.location, weight: h.weight}
	if !u.Status.Has(a.status) && !(s.Follow && isRedirect(a.status)) {
		return a, nil // whatever the body is
	}
	err = a.read(x.body(h, u), x.piece[:], s, u)
	switch short := errors.Is(err, io.ErrUnexpectedEOF); {
	case short && h.chunked:
		err = fmt.Errorf("the answer ends after %d bytes, before its last chunk", a.size)
	case short && h.length > 0:
		err = fmt.Errorf("the answer ends after %d of %d bytes", a.size, h.length)
	}
	return a, err
}

// appendRequest writes what keepalived would.
func appendRequest(b []byte, c health.Check, s health.HTTP, u health.URL) []byte {
	version := "HTTP/1.0"
	if s.Protocol == "1.1" {
		version = "HTTP/1.1"
	}
	b = append(append(append(append(append(b, u.Method...), ' '), u.Path...), ' '), version...)
	line := func(name, value string) {
		b = append(append(append(append(b, "\r\n"...), name...), ": "...), value...)
	}
	own := func(name, value string) {
		for h := range u.Headers.All() {
			if strings.EqualFold(h.Name, name) {
				return // it comes below
			}
		}
		line(name, value)
	}
	own("User-Agent", userAgent)
	if s.Protocol == "1.1" || s.Protocol == "1.0C" {
		own("Connection", "close")
	}
	own("Host", host(c, u))
	for h := range u.Headers.All() {
		line(h.Name, h.Value)
	}
	if u.Body != "" || u.Method == "POST" {
		own("Content-Length", strconv.Itoa(len(u.Body)))
	}
	return append(append(b, "\r\n\r\n"...), u.Body...)
}

// userAgent is keepalived's name: servers know it, and leave it out of their logs and statistics.
const userAgent = "KeepAliveClient"

// head is what is of interest of status line and headers.
type head struct {
	status   int
	length   int64 // -1: not told
	chunked  bool
	location string
	weight   string // the header that has it; empty: it is not there
}

// head reads the head of the answer. Like keepalived it minds no line that isn't what a header should be, unless it matters.
func (x *exchange) head(weight string) (h head, err error) {
	room := headLimit
	for range interim {
		h, err = x.oneHead(weight, &room)
		if err != nil || h.status >= 200 || h.status == 101 {
			return h, err
		}
	}
	return h, fmt.Errorf("more than %d answers before the answer", interim)
}

func (x *exchange) oneHead(weight string, room *int) (h head, err error) {
	h.length = -1
	line, err := x.readLine(room)
	if h.status = statusOf(line); h.status < 0 {
		if err != nil && strings.HasPrefix("HTTP/", string(line[:min(len(line), len("HTTP/"))])) {
			return h, err // the line may have become one
		}
		return h, fmt.Errorf("%q is not the beginning of an answer in HTTP", excerpt(string(line), 60))
	}
	chunks := string(line[5:8]) >= "1.1" // as the version says
	for {
		if err == nil {
			line, err = x.readLine(room)
		}
		if err != nil || len(line) == 0 {
			return h, err
		}
		name, value, isHeader := bytes.Cut(line, []byte(":"))
		if !isHeader {
			continue
		}
		value = bytes.TrimSpace(value)
		switch {
		case equalFold(name, "Content-Length"):
			n, err := strconv.ParseUint(string(value), 10, 63)
			if err != nil {
				return h, fmt.Errorf("Content-Length: %q is not a length", excerpt(string(value), 60))
			}
			if h.length >= 0 && h.length != int64(n) {
				return h, fmt.Errorf("Content-Length: both %d and %d", h.length, n)
			}
			h.length = int64(n)
		case equalFold(name, "Transfer-Encoding"):
			h.chunked = chunks && strings.HasSuffix(strings.ToLower(string(value)), "chunked")
		case equalFold(name, "Location"):
			h.location = string(value)
		}
		if weight != "" && equalFold(name, weight) {
			h.weight = string(value)
		}
	}
}

func equalFold(b []byte, s string) bool { return len(b) == len(s) && strings.EqualFold(string(b), s) }

// readLine returns the next line without its end. It is valid until the next read.
func (x *exchange) readLine(room *int) ([]byte, error) {
	line, err := x.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		x.line = x.line[:0]
		for errors.Is(err, bufio.ErrBufferFull) && len(x.line) <= *room {
			x.line = append(x.line, line...)
			line, err = x.in.ReadSlice('\n')
		}
		x.line = append(x.line, line...)
		line = x.line
	}
	if *room -= len(line); *room < 0 {
		return line, fmt.Errorf("headers of more than %d bytes", headLimit)
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// statusOf returns the code of a status line, "HTTP/1.1 200 OK", -1 if it is none.
func statusOf(line []byte) int {
	digit := func(i int) bool { return line[i] >= '0' && line[i] <= '9' }
	if len(line) < len("HTTP/1.1 200") || string(line[:5]) != "HTTP/" || !digit(5) || line[6] != '.' || !digit(7) || line[8] != ' ' ||
		!digit(9) || !digit(10) || !digit(11) || len(line) > 12 && line[12] != ' ' || line[9] == '0' {
		return -1
	}
	return int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
}

// body returns what reads the body, and then io.EOF.
func (x *exchange) body(h head, u health.URL) io.Reader {
	switch {
	case u.Method == "HEAD", h.status < 200, h.status == 204, h.status == 304:
		return eof{}
	case h.chunked:
		return httputil.NewChunkedReader(x.in)
	case h.length >= 0:
		return &exactly{x.in, h.length}
	}
	return toTheEnd{x.in}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// exactly reads so many bytes.
type exactly struct {
	from io.Reader
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.from.Read(b[:min(int64(len(b)), e.left)])
	if e.left -= int64(n); err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// toTheEnd reads until the connection ends, for TLS in whatever way.
type toTheEnd struct{ from io.Reader }

func (t toTheEnd) Read(b []byte) (int, error) {
	n, err := t.from.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
