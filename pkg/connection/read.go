package connection

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// block is how much is asked of the kernel at once. It writes a page, 4 to 64 KiB, and starts over for each: ask for more.
const block = 256 << 10

// A LineError says which line is not as the kernel writes them.
type LineError struct {
	Line int    // from 1 on, the head of the columns
	Text string // of the line, or its beginning
	Err  error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d of the connection table: %v in %q", e.Line, e.Err, e.Text)
}

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// Read returns the entries in a text of the form of /proc/net/ip_vs_conn, as they come. A line that can't be understood is a
// *LineError in its place, after which the reading may go on; another error is r's, and the last that comes.
func Read(r io.Reader) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		in := bufio.NewReaderSize(r, block)
		for n := 1; ; n++ {
			line, err := in.ReadSlice('\n')
			if err == io.EOF && len(line) == 0 && n > 1 {
				return
			}
			text, ended := bytes.CutSuffix(line, []byte{'\n'})
			var c Connection
			var wrong error
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				wrong = errors.New("no end")
				text = bytes.Clone(text) // from what the next read overwrites
				for errors.Is(err, bufio.ErrBufferFull) {
					_, err = in.ReadSlice('\n')
				}
			case err != nil && err != io.EOF:
			case !ended:
				wrong = io.ErrUnexpectedEOF
			case n > 1:
				c, wrong = parse(text)
			case !bytes.HasPrefix(text, []byte("Pro ")):
				wrong = errors.New("no head of the columns")
			default:
				continue
			}
			if wrong != nil {
				wrong = &LineError{Line: n, Text: string(text[:min(len(text), 200)]), Err: wrong}
			}
			if err != nil && err != io.EOF {
				wrong = errors.Join(wrong, err)
			}
			if !yield(c, wrong) || err != nil {
				return
			}
		}
	}
}

// parse reads a line such as
//
//	TCP C6336402 C174 C0000207 0063 0A000002 0063 ESTABLISHED     899
//	UDP C6336402 0000 C0000201 13C4 0A000002 13C4 NONE            299 sip abc@host
//
// where an IPv6 address is its eight groups, in full.
func parse(line []byte) (c Connection, err error) {
	word := func() (w []byte) {
		line = bytes.TrimLeft(line, " ")
		w, line, _ = bytes.Cut(line, []byte{' '})
		return w
	}
	c.Protocol = lower(word())
	for _, end := range []struct {
		name string
		to   *netip.AddrPort
	}{{"client", &c.Client}, {"virtual", &c.Virtual}, {"server", &c.Server}} {
		addr, ok := parseAddr(word())
		port, ok2 := parseHex(word(), 4)
		if !ok || !ok2 {
			return Connection{}, errors.New("no " + end.name + " address and port")
		}
		*end.to = netip.AddrPortFrom(addr, uint16(port))
	}
	c.State = intern(word())
	seconds, err := strconv.ParseUint(string(word()), 10, 64)
	if c.State == "" || err != nil {
		return Connection{}, errors.New("no state and time")
	}
	if seconds <= math.MaxInt32 { // older kernels say something below 2^64 of a timer that has run out
		c.Expires = time.Duration(seconds) * time.Second
	}
	c.Engine = intern(word())
	c.EngineData = string(line)
	return c, nil
}

func parseAddr(w []byte) (netip.Addr, bool) {
	if len(w) == 8 {
		n, ok := parseHex(w, 8)
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), ok
	}
	const groups, digits = 8, 4
	if len(w) != groups*(digits+1)-1 {
		return netip.Addr{}, false
	}
	var a [16]byte
	for i := range groups {
		at := i * (digits + 1)
		n, ok := parseHex(w[at:at+digits], digits)
		if !ok || i > 0 && w[at-1] != ':' {
			return netip.Addr{}, false
		}
		a[2*i], a[2*i+1] = byte(n>>8), byte(n)
	}
	return netip.AddrFrom16(a), true
}

// parseHex reads so many digits.
func parseHex(w []byte, digits int) (n uint32, ok bool) {
	if len(w) != digits {
		return 0, false
	}
	for _, b := range w {
		switch {
		case '0' <= b && b <= '9':
			n = n<<4 | uint32(b-'0')
		case 'A' <= b && b <= 'F':
			n = n<<4 | uint32(b-'A'+10)
		case 'a' <= b && b <= 'f':
			n = n<<4 | uint32(b-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// States are the kernel's words for the states of connections (net/netfilter/ipvs/ip_vs_proto_*.c) and templates.
var States = []string{
	"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK",
	"UDP", "ASSURED", "INIT1", "INIT", "COOKIE_SENT", "COOKIE_REPLIED", "COOKIE_WAIT", "COOKIE", "COOKIE_ECHOED", "SHUTDOWN_SENT",
	"SHUTDOWN_RECEIVED", "SHUTDOWN_ACK_SENT", "REJECTED", "CLOSED",
}

// The words that keep coming cost no memory each time.
var (
	interned = func() map[string]string {
		m := map[string]string{"sip": "sip"}
		for _, s := range States {
			m[s] = s
		}
		return m
	}()
	lowered = map[string]string{"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "IP": markProtocol}
)

func intern(w []byte) string {
	if s, ok := interned[string(w)]; ok {
		return s
	}
	return string(w)
}

func lower(w []byte) string {
	if s, ok := lowered[string(w)]; ok {
		return s
	}
	return strings.ToLower(string(w))
}
