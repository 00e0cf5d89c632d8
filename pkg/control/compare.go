package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	comparePath = "/v1/compare"
	peerName    = "peer" // query parameter
)

// Neighbor is another director, and what it tells of itself.
type Neighbor struct {
	Name   string // in the configuration
	Status *status.Snapshot
	Err    error // why it did not
}

// Neighbors is the part of a Backend that asks other directors.
type Neighbors interface {
	// Neighbors asks the director of that name, or all of the configuration if it is empty. A *ConflictError says that there is none.
	Neighbors(ctx context.Context, name string) ([]Neighbor, error)
}

// Compare returns how other directors differ from the daemon's: the one of that name, or all of its configuration.
func (c *Client) Compare(ctx context.Context, name string) (*counterpart.Comparisons, error) {
	path := comparePath
	if name != "" {
		path += "?" + url.Values{peerName: {name}}.Encode()
	}
	return ask[counterpart.Comparisons](ctx, c, http.MethodGet, path, nil)
}

// Neighbors is nothing that a client can ask for.
func (c *Client) Neighbors(context.Context, string) ([]Neighbor, error) {
	return nil, errors.ErrUnsupported
}

func compareHandler(b Backend, routers Routers) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		others, err := b.Neighbors(r.Context(), r.URL.Query().Get(peerName))
		if conflicts(w, err) {
			return
		}
		var here *status.Snapshot
		if err == nil {
			here, err = b.Status(r.Context())
		}
		if err != nil {
			reply(w, http.StatusOK, struct{}{}, err)
			return
		}
		reply(w, http.StatusOK, comparisons(withRouters(r.Context(), here, routers), others), nil)
	}
}

// comparisons are those of other directors with this one.
func comparisons(here *status.Snapshot, others []Neighbor) *counterpart.Comparisons {
	all := &counterpart.Comparisons{Peers: []counterpart.Comparison{}}
	for _, n := range others {
		if n.Err != nil {
			all.Peers = append(all.Peers, counterpart.Unknown(n.Name, here.RouterID, n.Err))
		} else {
			all.Peers = append(all.Peers, counterpart.Compare(n.Name, here, n.Status))
		}
	}
	return all
}

func compareRoute(b Backend, r Routers) []Route {
	return []Route{{
		Name: "compare", Method: http.MethodGet, Path: comparePath, Role: Read, Answer: counterpart.Comparisons{}, serve: compareHandler(b, r),
		Summary: "What other directors have otherwise than this one, and what of that would leave clients worse off there",
		Query:   []Parameter{{Name: peerName, Summary: "name in [global_defs.peers] of the one director that is meant"}},
	}}
}

// NoNeighbor is the reason where no director of that name is configured.
func NoNeighbor(name string, known []string) error {
	switch {
	case len(known) == 0:
		return &ConflictError{Text: "no other director is configured: [global_defs.peers.NAME] says where one is"}
	case name != "":
		return &ConflictError{Text: fmt.Sprintf("there is no director %q in [global_defs.peers]: there is %q", name, known)}
	}
	return nil
}
