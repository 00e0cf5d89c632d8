package ipvsnl

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// errLost is why the outcome of commands can be unknown although the kernel has handled them.
var errLost = errors.New("the kernel had no room for its answers")

// Apply has the kernel run the commands in order and returns an Error for each that it refused, in order; the others
// are done, also those after a refused one.
//
// An err means that the work was not finished: some first commands were done or refused as told, and the outcome of the
// rest is unknown, or they were not sent. It says from which command on. Take a new Snapshot then.
func (c *Client) Apply(ctx context.Context, commands []ipvs.Command) (refused []*ipvs.Error, err error) {
	if len(commands) == 0 {
		return nil, nil
	}
	err = c.call(ctx, "change table", func(family uint16) error {
		for first := 0; first < len(commands); {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stopped before command %d: %w", first, err)
			}
			n, base := c.request(family, commands[first:])
			if err := c.send(ctx); err != nil {
				c.stale = true
				return fmt.Errorf("send commands from %d on: %w", first, err)
			}
			r := replies{commands: commands[first : first+n], first: first, base: base, refused: refused}
			err := c.receiveReplies(ctx, &r)
			refused = r.refused
			if err != nil {
				c.stale = true
				return fmt.Errorf("the outcome from command %d on is unknown: %w", first+r.known, err)
			}
			first += n
		}
		return nil
	})
	return refused, err
}

// request fills the buffer with as many commands as one send may take, at least one, and returns how many and the
// sequence number of the first. Only the last asks for an answer: the kernel answers a refused command in any case.
func (c *Client) request(family uint16, commands []ipvs.Command) (n int, base uint32) {
	base = c.seq + 1
	c.buf.b = c.buf.b[:0]
	start := 0
	for n < len(commands) && n < c.batch && (n == 0 || len(c.buf.b)+maxCommandLen <= c.batchLen) {
		c.seq++
		start = c.buf.command(family, c.seq, commands[n])
		n++
	}
	c.buf.acknowledge(start)
	return n, base
}

func (c *Client) receiveReplies(ctx context.Context, r *replies) error {
	for !r.complete() {
		datagrams, err := c.receive(ctx)
		if errors.Is(err, unix.ENOBUFS) {
			return errLost
		}
		if err != nil {
			return err
		}
		if err := r.read(datagrams); err != nil {
			return err
		}
	}
	return nil
}

// replies maps the kernel's answers to one send back to its commands.
type replies struct {
	commands []ipvs.Command
	first    int    // index of commands[0] among the caller's
	base     uint32 // its sequence number
	known    int    // so many commands have a known outcome
	refused  []*ipvs.Error
}

func (r *replies) complete() bool { return r.known == len(r.commands) }

func (r *replies) read(datagrams [][]byte) error {
	for _, b := range datagrams {
		for len(b) > 0 {
			m, rest, err := cut(b)
			if err != nil {
				return err
			}
			b = rest
			// The kernel answers in order. All else is of a call that gave up.
			i := m.seq - r.base
			if m.typ != netlink.Error || i >= uint32(len(r.commands)) || int(i) < r.known {
				continue
			}
			errno, detail, err := m.errno()
			if err != nil {
				return err
			}
			// An answer to a command says of those before that they were done, or they would have had one.
			r.known = int(i) + 1
			if errno != 0 {
				r.refused = append(r.refused, &ipvs.Error{
					Command: r.commands[i], Index: r.first + int(i), Errno: errno, Detail: detail,
				})
			}
		}
	}
	return nil
}
