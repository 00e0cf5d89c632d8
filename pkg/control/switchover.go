package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/counterpart"
)

const (
	switchoverPath = "/v1/switchover"
	maxName        = 4096 // bytes of a request for a switchover
	// comparing is how long it may take to look at the other directors before a switchover: a dead one keeps nobody from handing over.
	comparing = 10 * time.Second
)

// switchover is the body of a request.
type switchover struct {
	Name  string `json:"name"`            // of an instance or a sync group
	Force bool   `json:"force,omitempty"` // also if clients would be worse off with another director
}

// Switchover has an instance or a sync group hand over to another router, and returns when that has begun: VRRP tells what comes of it. Before,
// the daemon looks at the other directors: if clients would be worse off with one of them, nothing is handed over without force, and the answer
// says why, with a nil error.
func (c *Client) Switchover(ctx context.Context, name string, force bool) (*counterpart.Handover, error) {
	body, err := json.Marshal(switchover{name, force})
	if err != nil {
		return nil, err
	}
	return ask[counterpart.Handover](ctx, c, http.MethodPost, switchoverPath, body)
}

func switchoverHandler(b Backend, routers Routers) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body switchover
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxName))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil || body.Name == "" {
			http.Error(w, fmt.Sprintf("the body must be {\"name\": \"INSTANCE or GROUP\"}, with \"force\": true if it has to be: %v", err), http.StatusBadRequest)
			return
		}
		found := handover(r.Context(), b, routers, body.Force)
		Describe(r.Context(), detailOf(&body, &found), "")
		if found.Refused != "" {
			reply(w, http.StatusUnprocessableEntity, found, nil)
			return
		}
		if err := r.Context().Err(); err != nil { // and so nobody has read what was found, or it was not even looked to the end
			http.Error(w, "nothing was handed over: who asked has gone: "+err.Error(), http.StatusConflict)
			return
		}
		if err := routers.Switchover(r.Context(), body.Name); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		reply(w, http.StatusOK, found, nil)
	}
}

// handover looks at the other directors, for as long as that may take. Nothing that goes wrong there is in the way of a switchover.
func handover(ctx context.Context, b Backend, routers Routers, force bool) (found counterpart.Handover) {
	begin := time.Now()
	defer func() { found.Took = time.Since(begin) }()
	ctx, cancel := context.WithTimeout(ctx, comparing)
	defer cancel()
	here, err := StatusOf(ctx, b, routers)
	if err == nil {
		var others []Neighbor
		if others, err = b.Neighbors(ctx, ""); err == nil {
			return comparisons(here, others).Handover(force)
		}
	}
	found.Peers = []counterpart.Comparison{}
	if alone := new(ConflictError); !errors.As(err, &alone) { // no other director is configured
		found.Unknown = err.Error()
	}
	return found
}

// detailOf is what the audit log has of a switchover.
func detailOf(asked *switchover, found *counterpart.Handover) string {
	if found.Refused != "" {
		return asked.Name + ": " + found.Refused
	}
	var worse []string
	for i := range found.Peers {
		if len(found.Peers[i].Differences) > 0 {
			worse = append(worse, found.Peers[i].Peer)
		}
	}
	if len(worse) > 0 {
		return asked.Name + ", forced: clients are worse off with " + strings.Join(worse, " and ")
	}
	return asked.Name
}

func switchoverRoute(b Backend, r Routers) Route {
	return Route{
		Name: "switchover", Method: http.MethodPost, Path: switchoverPath, Role: Operate, Body: switchover{}, MaxBody: maxName,
		Answer: counterpart.Handover{}, Refusal: counterpart.Handover{}, serve: switchoverHandler(b, r),
		Summary: "An instance or a sync group hands over to another director, unless clients would be worse off with one of them, " +
			"which only force overrides; answered when that has begun: the virtual routers tell what comes of it",
	}
}
