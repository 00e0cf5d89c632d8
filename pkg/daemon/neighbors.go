package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// neighborPatience is how long another director may take to tell of itself.
const neighborPatience = 15 * time.Second

// snapshooter is another director as far as it tells of itself.
type snapshooter interface {
	Status(ctx context.Context) (*status.Snapshot, error)
}

// Neighbors asks other directors how they are, all at once.
func (o *owner) Neighbors(ctx context.Context, name string) ([]control.Neighbor, error) {
	peers, err := ask(ctx, o, func(context.Context) []config.Peer { return o.cfg.GlobalDefs.Peers })
	if err != nil {
		return nil, err
	}
	var known []string
	var list []control.Neighbor
	var asked []config.Peer
	for _, p := range peers {
		known = append(known, p.Name)
		if name == "" || p.Name == name {
			list, asked = append(list, control.Neighbor{Name: p.Name}), append(asked, p)
		}
	}
	if len(list) == 0 {
		return nil, control.NoNeighbor(name, known)
	}
	ctx, cancel := context.WithTimeout(ctx, neighborPatience)
	defer cancel()
	var waiting sync.WaitGroup
	for i := range list {
		waiting.Go(func() { list[i].Status, list[i].Err = o.neighbor(asked[i]).Status(ctx) })
	}
	waiting.Wait()
	return list, nil
}

// remote is how another director is asked.
func remote(p config.Peer) snapshooter {
	return control.NewRemoteClient(control.Remote{
		Address: p.Address, ServerName: p.ServerName, CA: p.CA, Certificate: p.Certificate, Key: p.Key, TokenFile: p.TokenFile,
	})
}
