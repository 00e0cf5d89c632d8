package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// pair returns a connection that takes 10 bytes, and its other end.
func pair(ctx context.Context, t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := health.Check{Target: l.Addr().(*net.TCPAddr).AddrPort(), Timeout: 100 * time.Millisecond}
	ours, err = dialUpTo(ctx, c, 10)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	if ours.LocalAddr().String() != theirs.RemoteAddr().String() || ours.RemoteAddr().String() != theirs.LocalAddr().String() {
		t.Errorf("from %v to %v; the other end says from %v to %v", ours.LocalAddr(), ours.RemoteAddr(), theirs.RemoteAddr(), theirs.LocalAddr())
	}
	return ours, theirs
}

func TestDialReadsUpToItsLimit(t *testing.T) {
	for sent, want := range map[string]string{
		"":            "",
		"0123456789":  "",
		"012345678X+": "the server sent more than 10 bytes",
	} {
		ours, theirs := pair(t.Context(), t)
		if _, err := io.WriteString(theirs, sent); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		got, err := io.ReadAll(ours)
		if string(got) != sent[:min(len(sent), 10)] || err != nil != (want != "") || err != nil && err.Error() != want {
			t.Errorf("of %q: %q, %v; want %q", sent, got, err, want)
		}
	}
}

// Without a deadline of its own, and although a client says that there is none.
func TestDialEndsWithItsContext(t *testing.T) {
	for want, begin := range map[error]func() (context.Context, context.CancelFunc){
		context.Canceled: func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
		context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		},
	} {
		ctx, cancel := begin()
		ours, theirs := pair(ctx, t)
		if err := ours.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if errors.Is(want, context.Canceled) {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		if n, err := ours.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
			t.Errorf("%d, %v; want %v", n, err, want)
		}
		if err := ours.SetReadDeadline(time.Time{}); !errors.Is(err, want) {
			t.Errorf("a deadline after it: %v; want %v", err, want)
		}
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server reads %v; want connection reset by peer", err)
		}
		cancel()
	}
}

func TestDialIsReset(t *testing.T) {
	ours, theirs := pair(t.Context(), t)
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server reads %v; want connection reset by peer", err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v; want %v", err, net.ErrClosed)
	}
}

func TestDialLate(t *testing.T) {
	for sent, want := range map[string]string{"": "no answer within 100ms", "x": "no complete answer within 100ms"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		ours, theirs := pair(ctx, t)
		if _, err := io.WriteString(theirs, sent); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(ours)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || err.Error() != want {
			t.Errorf("after %q: %v; want the timeout %q", sent, err, want)
		}
		cancel()
	}
}

// An earlier deadline ends a Read, not the connection. What others send isn't seen.
func TestDialUDP(t *testing.T) {
	listen := func() *net.UDPConn {
		l, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	server, other := listen(), listen()
	c := health.Check{Target: server.LocalAddr().(*net.UDPAddr).AddrPort(), Source: netip.MustParseAddrPort("127.0.0.9:0")}
	ours, err := dialUDP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	from := ours.LocalAddr().(*net.UDPAddr).AddrPort()
	if from.Addr() != c.Source.Addr() || ours.RemoteAddr().String() != c.Target.String() {
		t.Errorf("from %v to %v; want from %v to %v", from, ours.RemoteAddr(), c.Source, c.Target)
	}
	if err := ours.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at a deadline of its own: %v", err)
	}
	if err := ours.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		from *net.UDPConn
		text string
	}{{other, "no"}, {server, ""}, {other, "no"}, {server, "yes"}, {server, "and more"}} {
		if _, err := d.from.WriteToUDPAddrPort([]byte(d.text), from); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 4)
	for _, want := range []string{"", "yes", "and "} {
		if n, err := ours.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v; want %q", b[:n], err, want)
		}
	}
	server.Close()
	if _, err := ours.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(b); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the server's end: %v; want connection refused", err)
	}
}

func TestInWords(t *testing.T) {
	c := health.Check{Timeout: time.Second}
	for _, test := range []struct {
		err  error
		want string
	}{
		{io.EOF, "the server closed the connection"},
		{errors.Join(io.ErrUnexpectedEOF), "the server closed the connection"},
		{context.DeadlineExceeded, "no answer within 1s"},
		{lateError{time.Second, true}, "no complete answer within 1s"},
		{errors.New("500 \x1b[31mred\x1b[0m\r\nlines\xff\u202e"), "500 ?[31mred?[0m lines??"},
		{errors.New(strings.Repeat("ü", 1000)), strings.Repeat("ü", 150) + "..."},
	} {
		if got := inWords(t.Context(), c, test.err); got.Error() != test.want || !errors.Is(got, test.err) {
			t.Errorf("%q: %q; want %q", test.err, got, test.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got, want := inWords(ctx, c, errors.New(`short "2"`)).Error(), `short "2"; no complete answer within 1s`; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	if err := inWords(ctx, c, nil); err != nil {
		t.Error(err)
	}
}

// Question returns a question as it is sent, and what judges answers to it: for the fuzzer.
func Question(spec health.DNS) (judge func([]byte) (verdict, err error), packed []byte) {
	q, err := newQuestion(spec)
	if err != nil {
		return func([]byte) (error, error) { return nil, err }, nil
	}
	return func(b []byte) (error, error) { return q.judge(context.Background(), b) }, q.packed
}
