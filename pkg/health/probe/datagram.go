package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// The first pause before a datagram is sent again, and the longest: T1 and T2 of RFC 3261, 17.1.2.1.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 4 * time.Second
)

// datagramRoom is room for the largest datagram, which most of the time is 100 times as large as an answer.
var datagramRoom = sync.Pool{New: func() any {
	b := make([]byte, 64<<10)
	return &b
}}

// datagrams sends a request, and again after growing pauses since either way may lose it, until there is an answer. What is none,
// as settle says by an error, changes nothing: it may be of another time or from somebody else. Settle says also what a datagram
// that is an answer means for the probe.
func datagrams(ctx context.Context, conn net.Conn, request []byte, settle func(datagram []byte) (verdict, err error)) error {
	var other error
	room := datagramRoom.Get().(*[]byte)
	defer datagramRoom.Put(room)
	b := *room
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		step(ctx, "sent %d bytes", len(request))
		if err := conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
			return err
		}
		for {
			n, err := conn.Read(b)
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				break
			}
			if err != nil && other != nil {
				return fmt.Errorf("%w; something that came is no answer: %w", err, other)
			}
			if err != nil {
				return err
			}
			verdict, err := settle(b[:n])
			if err == nil {
				return verdict
			}
			step(ctx, "got %d bytes, which are no answer: %v", n, err)
			other = err
		}
	}
}
