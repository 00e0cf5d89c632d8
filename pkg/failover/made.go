package failover

import (
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// making is how long the keeper may take for what an instance needs before it begins: milliseconds, a second for the carrier of a link,
// and seconds on a host that is very busy.
const making = 10 * time.Second

// grace returns how long an instance waits at its start for what it needs, because that is ours to make. Without, scripts and people
// would hear of a fault at each start of the daemon.
func grace(cfg *config.VRRP, c *config.Instance) time.Duration {
	tracks := slices.Clone(c.Tracks)
	for _, g := range cfg.Groups {
		if g.Name == c.Group {
			tracks = append(tracks, g.Tracks...)
		}
	}
	if c.Link != nil || slices.ContainsFunc(tracks, func(t vrrp.Track) bool { return makes(cfg, t.Object) }) {
		return making
	}
	return 0
}

// makes tells whether an object may be there only because of the keeper.
func makes(cfg *config.VRRP, o vrrp.Object) bool {
	switch o.Kind {
	case vrrp.TrackRoute:
		return len(cfg.Static.Routes)+len(cfg.Static.Addresses) > 0
	case vrrp.TrackAddress:
		return slices.ContainsFunc(cfg.Static.Addresses, func(a vip.Address) bool { return a.Prefix.Addr().String() == o.Name })
	case vrrp.TrackInterface:
		return slices.ContainsFunc(setupOf(cfg).Links, func(l vip.Link) bool { return l.Name == o.Name })
	default:
		return false
	}
}
