package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	vrrpPath       = "/v1/vrrp"
	switchoverPath = "/v1/switchover"
	maxName        = 4096 // bytes of a request for a switchover
)

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

// switchover is the body of a request.
type switchover struct {
	Name string `json:"name"` // of an instance or a sync group
}

// VRRP returns what is known of the virtual routers.
func (c *Client) VRRP(ctx context.Context) (*status.VRRP, error) {
	return ask[status.VRRP](ctx, c, http.MethodGet, vrrpPath, nil)
}

// Switchover has an instance or a sync group hand over to another router, and returns when that has begun: VRRP tells what comes of it.
func (c *Client) Switchover(ctx context.Context, name string) error {
	body, err := json.Marshal(switchover{name})
	if err != nil {
		return err
	}
	_, err = ask[struct{}](ctx, c, http.MethodPost, switchoverPath, body)
	return err
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

func switchoverHandler(r Routers) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		var body switchover
		d := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxName))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil || body.Name == "" {
			http.Error(w, fmt.Sprintf("the body must be {\"name\": \"INSTANCE or GROUP\"}: %v", err), http.StatusBadRequest)
			return
		}
		Describe(req.Context(), body.Name, "")
		if err := r.Switchover(req.Context(), body.Name); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		reply(w, http.StatusOK, struct{}{}, nil)
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
