package daemon

import (
	"context"
	"iter"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
	statuspage "github.com/ipvsd/ipvsd/pkg/web"
)

// shown is what the status page is about.
type shown struct {
	owner   *owner
	routers control.Routers

	mu      sync.Mutex
	clients map[config.Peer]*control.Client // of the directors that were asked last
}

// Status returns what GET /v1/status does.
func (s *shown) Status(ctx context.Context) (*status.Snapshot, error) {
	return control.StatusOf(ctx, s.owner, s.routers)
}

// Events returns what has happened.
func (s *shown) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return s.owner.Events(ctx, q)
}

// Peers returns the other directors that the configuration has now.
func (s *shown) Peers(ctx context.Context) ([]statuspage.Peer, error) {
	peers, err := ask(ctx, s.owner, func(context.Context) []config.Peer { return s.owner.cfg.GlobalDefs.Peers })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list, clients := make([]statuspage.Peer, len(peers)), make(map[config.Peer]*control.Client, len(peers))
	for i, p := range peers {
		c := s.clients[p]
		if c == nil {
			c = clientOf(p)
		}
		clients[p] = c
		list[i] = statuspage.Peer{Name: p.Name, Status: c.Status}
	}
	s.clients = clients
	return list, nil
}

// clientOf returns one for another director's API.
func clientOf(p config.Peer) *control.Client {
	return control.NewRemoteClient(control.Remote{
		Address: p.Address, ServerName: p.ServerName, CA: p.CA, Certificate: p.Certificate, Key: p.Key, TokenFile: p.TokenFile,
	})
}
