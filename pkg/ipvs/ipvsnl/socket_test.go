package ipvsnl

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// testSocket returns a real socket. Every kernel has the family nlctrl, whatever else it lacks.
func testSocket(t *testing.T) *rawSocket {
	t.Helper()
	s, sendLen, receiveLen, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if sendLen < 4096 || receiveLen < 4096 {
		t.Errorf("buffers of %d and %d bytes", sendLen, receiveLen)
	}
	return s
}

func (s *rawSocket) dumpFamilies(t *testing.T, seq uint32) {
	t.Helper()
	var w builder
	w.end(w.begin(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, netlink.Dump, seq))
	if err := s.send(w.b); err != nil {
		t.Fatal(err)
	}
}

func TestSocketDump(t *testing.T) {
	s := testSocket(t)
	for seq := range uint32(3) {
		s.dumpFamilies(t, seq)
		n := 0
		a := answer{family: unix.GENL_ID_CTRL, seq: seq, each: func([]byte) error { n++; return nil }}
		for !a.complete {
			datagrams, err := s.receive(true)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.read(datagrams); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.result(); err != nil || n == 0 {
			t.Errorf("dump %d: %d families, %v", seq, n, err)
		}
	}
	if d, err := s.receive(false); err != nil || len(d) > 0 {
		t.Errorf("after the dumps: %d datagrams, %v", len(d), err)
	}
}

// A dump that nobody finished reading doesn't keep the next call from its own.
func TestSocketDrain(t *testing.T) {
	s := testSocket(t)
	c := newClient(s, sendBuffer, receiveBuffer)
	s.dumpFamilies(t, 1)
	if err := c.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.dumpFamilies(t, 2) // EBUSY if the first weren't over
	d, err := s.receive(true)
	if err != nil {
		t.Fatal(err)
	}
	if m, _, err := cut(d[0]); err != nil || m.typ != unix.GENL_ID_CTRL || m.seq != 2 {
		t.Errorf("answer of type %d to request %d, %v", m.typ, m.seq, err)
	}
}

func TestSocketDeadline(t *testing.T) {
	s := testSocket(t)
	waiting := make(chan error)
	go func() {
		_, err := s.receive(true)
		waiting <- err
	}()
	if err := s.setDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("receive ends with %v", err)
	}
}

// Whatever this kernel has: a call works, is not permitted, or says that there is no IPVS.
func TestOpen(t *testing.T) {
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Info(t.Context())
	if err != nil && !errors.Is(err, ipvs.ErrUnavailable) && !errors.Is(err, ipvs.EPERM) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
