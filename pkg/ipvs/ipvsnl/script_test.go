package ipvsnl

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// script is a socket whose answers are written down by the test.
type script struct {
	// answer returns what the kernel answers to the messages of one send. Nothing: it never answers.
	answer  func(requests []message) []event
	queue   []event
	sent    [][]message
	sendErr error
	missing bool // the module
	// overdue is set when the deadline was moved to the past; deadline is the last real one.
	overdue  atomic.Bool
	deadline time.Time
}

// event is what one call of receive returns.
type event struct {
	datagram []byte
	err      error
}

func datagram(messages ...[]byte) event {
	var e event
	for _, m := range messages {
		e.datagram = append(e.datagram, m...)
	}
	return e
}

func (s *script) family() (uint16, error) {
	if s.missing {
		return 0, ipvs.ErrUnavailable
	}
	return testFamily, nil
}

func (s *script) setDeadline(t time.Time) error {
	if t.Before(time.Now()) {
		s.overdue.Store(true)
	} else {
		s.deadline = t
	}
	return nil
}

func (s *script) close() error { return nil }

func (s *script) send(b []byte) error {
	if s.sendErr != nil {
		return s.sendErr
	}
	var requests []message
	for len(b) > 0 {
		m, rest, err := cut(b)
		if err != nil {
			return err
		}
		m.data = append([]byte(nil), m.data...) // the client will reuse its buffer
		requests = append(requests, m)
		b = rest
	}
	s.sent = append(s.sent, requests)
	if s.answer != nil {
		s.queue = append(s.queue, s.answer(requests)...)
	}
	return nil
}

func (s *script) receive(wait bool) ([][]byte, error) {
	if len(s.queue) == 0 {
		if wait {
			return nil, os.ErrDeadlineExceeded
		}
		return nil, nil
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	if e.err != nil {
		return nil, e.err
	}
	return [][]byte{e.datagram}, nil
}

// reply returns the kernel's answer to a request.
func (m message) reply(errno ipvs.Errno) []byte {
	header := make([]byte, headerLen)
	native.PutUint32(header, uint32(headerLen+len(m.data)))
	native.PutUint16(header[4:], uint16(m.typ))
	native.PutUint16(header[6:], uint16(m.flags))
	native.PutUint32(header[8:], m.seq)
	return acknowledgement(header, errno)
}

func newScripted(answer func([]message) []event) (*Client, *script) {
	s := &script{answer: answer}
	return newClient(s, sendBuffer, receiveBuffer), s
}

// done answers as a kernel that does whatever it is told.
func done(requests []message) []event {
	return []event{datagram(requests[len(requests)-1].reply(0))}
}

// services returns n commands, each for another service.
func services(n int) []ipvs.Command {
	c := make([]ipvs.Command, n)
	for i := range c {
		s := ipvstest.Service("fwmark 1", "rr")
		s.FWMark += uint32(i)
		c[i] = ipvs.Command{Op: ipvs.NewService, Service: s}
	}
	return c
}

// wantErr checks an error's text and what it wraps.
func wantErr(t *testing.T, err error, text string, wrapped error) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("error is\n%v, want\n%s", err, text)
	}
	if !errors.Is(err, wrapped) {
		t.Errorf("error %v does not wrap %v", err, wrapped)
	}
}
