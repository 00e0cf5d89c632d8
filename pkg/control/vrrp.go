package control

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const vrrpPath = "/v1/vrrp"

// Routers is what the Server asks about the virtual routers. Its methods may be called concurrently.
type Routers interface {
	Status(ctx context.Context) (status.VRRP, error)
	// Switchover has the instance, or its group with it, hand over to another router, and returns when that has begun.
	Switchover(ctx context.Context, name string) error
}

// none are the routers of who has none.
type none struct{}

func (none) Status(context.Context) (status.VRRP, error) { return status.VRRP{At: time.Now()}, nil }

func (none) Switchover(context.Context, string) error {
	return errors.New("there are no virtual routers here")
}

// VRRP returns what is known of the virtual routers.
func (c *Client) VRRP(ctx context.Context) (*status.VRRP, error) {
	return ask[status.VRRP](ctx, c, http.MethodGet, vrrpPath, nil)
}

func vrrpHandler(r Routers) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		s, err := r.Status(req.Context())
		if s.Instances == nil {
			s.Instances = []status.VirtualRouter{} // [] rather than null
		}
		reply(w, http.StatusOK, s, err)
	}
}

// StatusOf returns what GET /v1/status answers.
func StatusOf(ctx context.Context, b Backend, r Routers) (*status.Snapshot, error) {
	s, err := b.Status(ctx)
	if err != nil {
		return nil, err
	}
	return withRouters(ctx, s, r), nil
}

// withRouters adds the virtual routers and the BFD sessions to a snapshot, if there are any.
func withRouters(ctx context.Context, s *status.Snapshot, r Routers) *status.Snapshot {
	v, err := r.Status(ctx)
	if err != nil {
		v = status.VRRP{At: time.Now(), Error: err.Error()}
	}
	if len(v.Instances)+len(v.Sessions) == 0 && v.Error == "" {
		return s
	}
	whole := *s
	whole.VRRP = &v
	return &whole
}
