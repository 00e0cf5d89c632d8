package ipvsnl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Client reads and changes the IPVS table of one network namespace. It is safe for concurrent use; calls wait for each
// other.
//
// All calls honour the context, and end when nothing was heard of the kernel for 10 seconds. While the kernel has no
// IPVS they return an error that wraps ipvs.ErrUnavailable; they work as soon as it has.
type Client struct {
	// mu makes a call have the socket for itself: netlink allows one dump at a time on a socket, and answers are told
	// apart by nothing but sequence numbers. It guards everything below.
	mu     sync.Mutex
	socket socket
	closed bool
	// stale says that an earlier call gave up while answers to it may still be on their way.
	stale bool
	seq   uint32
	buf   builder // reused for requests
	// batch and batchLen are how many commands, and how many bytes, go into one send.
	batch, batchLen int
}

// patience is how long to wait for an answer. As the kernel answers within the system call that asks, what isn't there
// at once hardly ever comes.
const patience = 10 * time.Second

const (
	// maxBatch bounds the commands in one send. For so long, about half a millisecond, a kernel without preemption does
	// nothing else on that CPU, such as wake the thread that sends adverts. Larger batches are no faster: measured, 64
	// commands take as long each as 4096 do.
	maxBatch = 256
	// replyLen is what a refusal takes up in the receive buffer at most: a socket buffer for some 100 bytes.
	replyLen = 1536
)

// Open returns a client for the calling thread's network namespace. It succeeds without the module ip_vs too, and
// without privileges: the kernel will refuse each call then.
func Open() (*Client, error) {
	// Otherwise the goroutine may go on in another thread, and another namespace, halfway.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, sendLen, receiveLen, err := openSocket()
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return newClient(s, sendLen, receiveLen), nil
}

func newClient(s socket, sendLen, receiveLen int) *Client {
	return &Client{
		socket: s,
		batch:  max(1, min(maxBatch, receiveLen/replyLen)),
		// The kernel keeps 32 bytes of the send buffer for itself (netlink_sendmsg).
		batchLen: sendLen - 32,
	}
}

// Close gives the socket back, after a call that is running.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.socket.close()
}

// Info returns what the kernel says of itself.
func (c *Client) Info(ctx context.Context) (i ipvs.Info, err error) {
	err = c.get(ctx, "read IPVS version", cmdGetInfo, func(b []byte) (err error) {
		i, err = decodeInfo(b)
		return err
	})
	return i, err
}

// Timeouts returns the connection timeouts of the namespace.
func (c *Client) Timeouts(ctx context.Context) (t ipvs.Timeouts, err error) {
	err = c.get(ctx, "read timeouts", cmdGetConfig, func(b []byte) (err error) {
		t, err = decodeTimeouts(b)
		return err
	})
	return t, err
}

func (c *Client) get(ctx context.Context, what string, cmd uint8, decode func([]byte) error) error {
	return c.call(ctx, what, func(family uint16) error {
		c.buf.get(family, cmd, c.newRequest())
		return c.exchange(ctx, family, decode)
	})
}

// SetTimeouts changes those connection timeouts of the namespace that are not zero. They apply to connections from the
// next packet on. The kernel has its own limit (2^31 jiffies); out of range is an error that wraps ipvs.EINVAL.
func (c *Client) SetTimeouts(ctx context.Context, t ipvs.Timeouts) error {
	return c.call(ctx, "set timeouts", func(family uint16) error {
		for _, d := range []time.Duration{t.TCP, t.TCPFin, t.UDP} {
			if d != 0 && (d < time.Second || d >= 1<<31*time.Second) {
				return fmt.Errorf("%v: %w", d, ipvs.EINVAL)
			}
		}
		c.buf.setTimeouts(family, c.newRequest(), t)
		return c.exchange(ctx, family, func([]byte) error { return nil })
	})
}

// call runs f with the socket for itself and with the family's number, which is asked for each time: it changes when
// the module is loaded anew. It says in errors what the call was for.
func (c *Client) call(ctx context.Context, what string, f func(family uint16) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	family, err := c.begin(ctx)
	if err == nil {
		err = f(family)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// begin makes the socket ready for a new call.
func (c *Client) begin(ctx context.Context) (family uint16, err error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if c.stale {
		if err := c.drain(ctx); err != nil {
			return 0, fmt.Errorf("discard late answers: %w", err)
		}
		c.stale = false
	}
	if err := c.socket.setDeadline(limit(ctx)); err != nil {
		return 0, err
	}
	if family, err = c.socket.family(); err != nil {
		c.stale = !errors.Is(err, ipvs.ErrUnavailable)
		return 0, noAnswer(ctx, err)
	}
	return family, nil
}

// limit returns until when to wait for an answer.
func limit(ctx context.Context) time.Time {
	t := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(t) {
		return d
	}
	return t
}

// newRequest empties the buffer and returns the sequence number for the request that comes into it.
func (c *Client) newRequest() (seq uint32) {
	c.buf.b = c.buf.b[:0]
	c.seq++
	return c.seq
}

// exchange sends the request in the buffer and reads the answer: a dump, a single message, or an acknowledgement. A
// refusal is returned as a *kernelError. An answer that was interrupted by a change is read to its end and then given up
// with errInterrupted.
func (c *Client) exchange(ctx context.Context, family uint16, each func(payload []byte) error) error {
	if err := c.send(ctx); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	a := answer{family: family, seq: c.seq, each: each}
	for !a.complete {
		datagrams, err := c.receive(ctx)
		if err == nil {
			err = a.read(datagrams)
		}
		if err != nil {
			c.stale = true
			return err
		}
	}
	return a.result()
}

// send sends what is in the buffer. The kernel works on it meanwhile, which may take as long as an answer.
func (c *Client) send(ctx context.Context) error {
	if err := c.socket.setDeadline(limit(ctx)); err != nil {
		return err
	}
	return c.socket.send(c.buf.b)
}

// receive returns the answers that are there, whatever the time, or else waits for one.
func (c *Client) receive(ctx context.Context) ([][]byte, error) {
	if datagrams, err := c.socket.receive(false); err != nil || len(datagrams) > 0 {
		return datagrams, err
	}
	if err := c.socket.setDeadline(limit(ctx)); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		_ = c.socket.setDeadline(time.Unix(1, 0)) // long past: ends the wait
	})
	datagrams, err := c.socket.receive(true)
	if !stop() {
		<-over // lest it ends another wait
	}
	return datagrams, noAnswer(ctx, err)
}

// noAnswer says it if err is that the socket's deadline is over. The socket may notice a little before the context.
func noAnswer(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("no answer from the kernel: %w", cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	return err
}

// answer is what has been read so far of the answer to one request.
type answer struct {
	family      uint16
	seq         uint32
	each        func(payload []byte) error
	complete    bool
	interrupted bool
	errno       ipvs.Errno
	detail      string
}

// kernelError is the kernel's refusal of a request.
type kernelError struct {
	errno  ipvs.Errno
	detail string // the kernel's own words, where it has any
}

func (e *kernelError) Error() string {
	if e.detail == "" {
		return e.errno.Error()
	}
	return e.errno.Error() + ": " + e.detail
}

func (e *kernelError) Unwrap() error { return e.errno }

// errInterrupted says that the table changed while it was read.
var errInterrupted = errors.New("the table changed meanwhile")

func (a *answer) result() error {
	switch {
	case a.errno != 0:
		return &kernelError{a.errno, a.detail}
	case a.interrupted:
		return errInterrupted
	}
	return nil
}

func (a *answer) read(datagrams [][]byte) error {
	for _, b := range datagrams {
		for len(b) > 0 {
			m, rest, err := cut(b)
			if err != nil {
				return err
			}
			b = rest
			if m.seq != a.seq {
				continue // of a call that gave up
			}
			if err := a.message(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *answer) message(m message) (err error) {
	if m.flags&netlink.DumpInterrupted != 0 {
		a.interrupted = true
	}
	switch m.typ {
	case netlink.Error:
		a.complete = true
		a.errno, a.detail, err = m.errno()
		return err
	case netlink.Done:
		a.complete = true
		a.errno, err = m.done()
		return err
	case netlink.HeaderType(a.family):
		a.complete = m.flags&netlink.Multi == 0
		payload, err := m.payload()
		if err != nil {
			return err
		}
		return a.each(payload)
	}
	return nil
}

// drain reads all that the kernel still has for this socket, the rest of a dump too, so that the next call meets none
// of it and the kernel takes the socket for uncongested again (netlink_rcv_wake).
func (c *Client) drain(ctx context.Context) error {
	for {
		datagrams, err := c.socket.receive(false)
		switch {
		case err != nil && !errors.Is(err, unix.ENOBUFS):
			return err
		case err == nil && len(datagrams) == 0:
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
