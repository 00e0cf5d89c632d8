package failover

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// member is what is known of an instance of the configuration.
type member struct {
	config   *config.Instance
	keys     map[uint8][]byte // of auth_hmac, from files
	unfit    error            // why it takes no part
	state    vrrp.State
	priority uint8      // effective
	repeat   uint64     // see vip.Wish
	told     vrrp.State // what scripts heard last
	warned   time.Time  // of another active router
}

// group is what is known of a sync group.
type group struct {
	config *config.Group
	state  vrrp.State
	told   vrrp.State
}

// wish returns what an instance wants to be on the host in the role that it has.
func (m *member) wish() vip.Wish {
	w := m.config.Idle
	if m.state == vrrp.Active {
		w = m.config.Active
	}
	w.Owner, w.Repeat = m.config.Name, m.repeat
	return w
}

// identity is what makes an instance the same in the next configuration, whatever its name is: the Router's notion.
type identity struct {
	vrid  uint8
	ipv6  bool
	where string
}

func identityOf(c *config.Instance) identity {
	if c.Interface == "" {
		return identity{c.VRID, c.IPv6, c.Source.String()}
	}
	return identity{c.VRID, c.IPv6, c.Interface}
}

// setupOf returns what the keeper has to know of a configuration.
func setupOf(cfg *config.VRRP) setup {
	s := setup{universe: []vip.Wish{cfg.Static}, pacing: cfg.Pacing}
	for _, c := range cfg.Instances {
		if c.Link != nil {
			s.links = append(s.links, *c.Link)
		}
		s.links = append(s.links, c.MoreLinks...)
		s.universe = append(s.universe, c.Active, c.Idle)
	}
	return s
}
