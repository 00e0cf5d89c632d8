package control_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func (b *backend) Upgrade(ctx context.Context) (*status.Upgrade, error) {
	if ctx.Done() != nil {
		return nil, errors.New("it depends on the client")
	}
	return &status.Upgrade{From: "v1", To: "v2", PID: 7}, b.err
}

func TestUpgrade(t *testing.T) {
	b := new(backend)
	c, _ := serve(t, b)
	got, err := c.Upgrade(t.Context())
	if err != nil || *got != (status.Upgrade{From: "v1", To: "v2", PID: 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	b.err = errors.New("it ended: exit status 1")
	if _, err := c.Upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("a refused one: %v", err)
	}
}

// A socket that is given to another process does not become one in which Accept waits in the kernel.
func TestSocketOfUpgrade(t *testing.T) {
	s, err := control.Listen(filepath.Join(t.TempDir(), "socket"), new(backend), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Socket()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0) // as who starts a process asks for it
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("it is for every program that is run: %#x, %v", flags, err)
	}
}
