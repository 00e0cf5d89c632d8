package control_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// routers answer from their fields.
type routers struct {
	status status.VRRP
	err    error
	asked  string // name of the last switchover
}

func (r *routers) Status(context.Context) (status.VRRP, error) { return r.status, r.err }

func (r *routers) Switchover(_ context.Context, name string) error {
	r.asked = name
	return r.err
}

// withRouters returns a client of a server that has these routers.
func withRouters(t *testing.T, r control.Routers) (*control.Client, string) {
	t.Helper()
	return clientOf(t, &backend{status: &status.Snapshot{Version: "v1"}}, r)
}

func clientOf(t *testing.T, b control.Backend, r control.Routers) (*control.Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ipvsd.sock")
	s, err := control.Listen(path, b, r, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return control.NewClient(path), path
}

func TestVRRP(t *testing.T) {
	r := &routers{status: status.VRRP{Instances: []status.VirtualRouter{{Name: "VI_1"}}}}
	c, _ := withRouters(t, r)
	if v, err := c.VRRP(t.Context()); err != nil || len(v.Instances) != 1 || v.Instances[0].Name != "VI_1" {
		t.Errorf("%+v, %v", v, err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.Version != "v1" || s.VRRP == nil || len(s.VRRP.Instances) != 1 {
		t.Errorf("in the status: %+v, %v", s, err)
	}
	r.status = status.VRRP{Sessions: []status.BFDSession{{Name: "ROUTER"}}}
	if s, err := c.Status(t.Context()); err != nil || s.VRRP == nil || len(s.VRRP.Sessions) != 1 {
		t.Errorf("in the status, a session and no instance: %+v, %v", s, err)
	}
	r.err = errors.New("the thread hangs")
	if _, err := c.VRRP(t.Context()); err == nil || err.Error() != "the thread hangs" {
		t.Errorf("%v", err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.VRRP == nil || s.VRRP.Error != "the thread hangs" {
		t.Errorf("in the status, with an error: %+v, %v", s, err)
	}
}

func TestNoVRRP(t *testing.T) {
	for name, r := range map[string]control.Routers{"nil": nil, "no instance": &routers{}} {
		c, _ := withRouters(t, r)
		if v, err := c.VRRP(t.Context()); err != nil || v.Instances == nil || len(v.Instances) != 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		if s, err := c.Status(t.Context()); err != nil || s.VRRP != nil {
			t.Errorf("%s: in the status: %+v, %v", name, s, err)
		}
	}
	c, _ := withRouters(t, nil)
	if _, err := c.Switchover(t.Context(), "VI_1", false); err == nil || err.Error() != "there are no virtual routers here" {
		t.Errorf("%v", err)
	}
}
