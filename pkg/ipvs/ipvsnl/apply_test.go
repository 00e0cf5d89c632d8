package ipvsnl

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func TestApplyNothing(t *testing.T) {
	c, s := newScripted(nil)
	s.missing = true
	if refused, err := c.Apply(t.Context(), nil); err != nil || refused != nil {
		t.Errorf("apply of nothing: %v, %v", refused, err)
	}
}

func TestApplyBatches(t *testing.T) {
	c, s := newScripted(done)
	c.batch = 4
	if refused, err := c.Apply(t.Context(), services(10)); err != nil || len(refused) > 0 {
		t.Fatalf("apply: %v, refused %v", err, refused)
	}
	var sizes []int
	for _, requests := range s.sent {
		sizes = append(sizes, len(requests))
		for i, m := range requests {
			if acked, last := m.flags&netlink.Acknowledge != 0, i == len(requests)-1; acked != last {
				t.Errorf("message %d of %d wants an acknowledgement: %t", i, len(requests), acked)
			}
		}
	}
	if want := []int{4, 4, 2}; !slices.Equal(sizes, want) {
		t.Errorf("sends of %v commands, want %v", sizes, want)
	}
}

// A batch has to fit into the send buffer, and the refusals of all its commands into the receive buffer.
func TestApplyBatchesFitTheBuffers(t *testing.T) {
	for _, c := range []struct {
		name                string
		sendLen, receiveLen int
		want                int
	}{
		{"large buffers", sendBuffer, receiveBuffer, maxBatch},
		{"unprivileged", 212992, 212992, 212992 / replyLen},
		{"small send buffer", 4608, receiveBuffer, 54}, // 76 bytes each, and maxCommandLen
		{"no room", 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{answer: done}
			client := newClient(s, c.sendLen, c.receiveLen)
			if _, err := client.Apply(t.Context(), services(1000)); err != nil {
				t.Fatal(err)
			}
			if got := len(s.sent[0]); got != c.want {
				t.Errorf("%d commands in the first send, want %d", got, c.want)
			}
		})
	}
}

func TestApplyMapsRefusals(t *testing.T) {
	// Refused are every third command and the last, with a datagram of another call, the answers to two commands in one
	// datagram, and messages of other types in between.
	c, _ := newScripted(func(requests []message) []event {
		stale := requests[0]
		stale.seq--
		events := []event{datagram(stale.reply(ipvs.EPERM)), datagram(doneMessage(requests[0].seq, 0))}
		for i, m := range requests {
			switch {
			case i == 3:
				events = append(events, datagram(m.reply(ipvs.EEXIST), requests[i+3].reply(ipvs.ESRCH)))
			case i == len(requests)-1, i%3 == 0 && i != 6:
				events = append(events, datagram(m.reply(ipvs.EINVAL)))
			}
		}
		return events
	})
	c.batch = 11
	c.seq = 1<<32 - 8 // the numbers wrap in the first batch
	commands := services(22)
	refused, err := c.Apply(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	var got []refusal
	for _, e := range refused {
		got = append(got, refusal{e.Index, e.Errno})
		if e.Command != commands[e.Index] {
			t.Errorf("refusal %d carries the command %v", e.Index, e.Command)
		}
	}
	var want []refusal
	for _, first := range []int{0, 11} {
		want = append(want, refusal{first, ipvs.EINVAL}, refusal{first + 3, ipvs.EEXIST}, refusal{first + 6, ipvs.ESRCH},
			refusal{first + 9, ipvs.EINVAL}, refusal{first + 10, ipvs.EINVAL})
	}
	if !slices.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
}

type refusal struct {
	index int
	errno ipvs.Errno
}

func TestApplyTellsTheKernelsWords(t *testing.T) {
	c, _ := newScripted(func(requests []message) []event {
		b := requests[0].reply(ipvs.EINVAL)
		var w builder
		w.text(unix.NLMSGERR_ATTR_MSG, "attribute failed policy validation")
		b = append(b, w.b...)
		native.PutUint32(b, uint32(len(b)))
		native.PutUint16(b[6:], uint16(netlink.Capped|netlink.AcknowledgeTLVs))
		return []event{datagram(b)}
	})
	refused, err := c.Apply(t.Context(), services(1))
	if err != nil || len(refused) != 1 {
		t.Fatalf("apply: %v, refused %v", err, refused)
	}
	if got, want := refused[0].Detail, "attribute failed policy validation"; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
}

// What is known of a call that is cut short, and that the next call works whatever the cut one left behind.
func TestApplyUnknownOutcome(t *testing.T) {
	refuseFirst := func(r []message) []byte { return r[0].reply(ipvs.EEXIST) }
	for _, c := range []struct {
		name    string
		answer  func([]message) []event
		refused int
		want    string
		wrapped error
	}{
		{
			"no answer", func([]message) []event { return nil }, 0,
			"change table: the outcome from command 4 on is unknown: no answer from the kernel: context deadline exceeded",
			context.DeadlineExceeded,
		}, {
			"only a refusal", func(r []message) []event { return []event{datagram(refuseFirst(r))} }, 1,
			"change table: the outcome from command 5 on is unknown: no answer from the kernel: context deadline exceeded",
			context.DeadlineExceeded,
		}, {
			"answers dropped", func(r []message) []event {
				return []event{{err: unix.ENOBUFS}, datagram(refuseFirst(r)), datagram(r[3].reply(0))}
			}, 0,
			"change table: the outcome from command 4 on is unknown: the kernel had no room for its answers", errLost,
		}, {
			"truncated answer", func(r []message) []event { return []event{datagram(r[3].reply(0)[:headerLen+4])} }, 0,
			"change table: the outcome from command 4 on is unknown: malformed netlink message", errMalformed,
		}, {
			"short answer", func([]message) []event { return []event{datagram(make([]byte, 7))} }, 0,
			"change table: the outcome from command 4 on is unknown: malformed netlink message", errMalformed,
		}, {
			"broken socket", func([]message) []event { return []event{{err: io.ErrUnexpectedEOF}} }, 0,
			"change table: the outcome from command 4 on is unknown: unexpected EOF", io.ErrUnexpectedEOF,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, s := newScripted(nil)
			client.batch = 4
			s.answer = func(r []message) []event {
				if len(s.sent) == 2 {
					return c.answer(r)
				}
				return done(r)
			}
			refused, err := client.Apply(t.Context(), services(12))
			wantErr(t, err, c.want, c.wrapped)
			if len(refused) != c.refused {
				t.Errorf("refused %v, want %d", refused, c.refused)
			}
			if len(s.sent) != 2 {
				t.Errorf("%d sends, want none after the failed one", len(s.sent))
			}

			// The answers come late, after an overrun.
			s.queue = append(s.queue, event{err: unix.ENOBUFS})
			for _, m := range s.sent[1] {
				s.queue = append(s.queue, datagram(m.reply(ipvs.EPERM)))
			}
			s.answer = done
			if refused, err := client.Apply(t.Context(), services(4)); err != nil || len(refused) > 0 {
				t.Errorf("the next apply: %v, refused %v", err, refused)
			}
		})
	}
}

func TestApplySendFails(t *testing.T) {
	c, s := newScripted(done)
	s.sendErr = unix.EMSGSIZE
	_, err := c.Apply(t.Context(), services(1))
	wantErr(t, err, "change table: send commands from 0 on: message too long", unix.EMSGSIZE)
}

func TestApplyStopsBetweenSends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, s := newScripted(func(r []message) []event {
		cancel()
		return done(r)
	})
	c.batch = 4
	_, err := c.Apply(ctx, services(12))
	wantErr(t, err, "change table: stopped before command 4: context canceled", context.Canceled)
	if len(s.sent) != 1 {
		t.Errorf("%d sends, want 1", len(s.sent))
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, s := newScripted(func([]message) []event {
		cancel()
		return nil
	})
	_, err := c.Apply(ctx, services(1))
	wantErr(t, err, "change table: the outcome from command 0 on is unknown: no answer from the kernel: context canceled",
		context.Canceled)
	if !s.overdue.Load() {
		t.Error("the socket goes on waiting after the context was canceled")
	}
}

// A call waits for ten seconds, or for as long as the context allows if that is less.
func TestDeadline(t *testing.T) {
	for allowed, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: patience} {
		c, s := newScripted(nil)
		before := time.Now()
		ctx, cancel := context.WithDeadline(t.Context(), before.Add(allowed))
		if _, err := c.Apply(ctx, services(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("apply without an answer: %v", err)
		}
		cancel()
		if s.deadline.Before(before.Add(want)) || s.deadline.After(time.Now().Add(want)) {
			t.Errorf("of %v it would wait %v, want %v", allowed, s.deadline.Sub(before), want)
		}
	}
}

// Answers that are there are read even if the time is over.
func TestAnswersCountAfterTheDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newScripted(func(r []message) []event {
		cancel()
		return []event{datagram(r[0].reply(ipvs.EEXIST)), datagram(r[3].reply(0))}
	})
	if refused, err := c.Apply(ctx, services(4)); err != nil || len(refused) != 1 {
		t.Errorf("apply: %v, refused %v; want one refusal", err, refused)
	}
}

func TestClosed(t *testing.T) {
	c, _ := newScripted(done)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Apply(t.Context(), services(1)); err == nil || errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("apply after close: %v", err)
	}
}
