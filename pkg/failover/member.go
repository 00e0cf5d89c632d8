package failover

import (
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// member is what is known of an instance of the configuration.
type member struct {
	config   *config.Instance
	secrets  *secrets   // from files; nil: there are none, or they can't be read
	unfit    error      // why it takes no part
	role     *role      // as the thread has it
	state    vrrp.State // as it was told of
	priority uint8      // effective
	told     vrrp.State // what scripts heard last
	warned   time.Time  // of another active router
}

// group is what is known of a sync group.
type group struct {
	config *config.Group
	told   vrrp.State
}

// belongings is what has become of what an owner wishes.
type belongings struct {
	putBack   []string          // lines of what somebody else removed, the latest first
	failed    map[string]string // reasons, by line
	contested map[string]string // who else claims it, by line
	warned    time.Time         // of those
}

// most is how many lines are kept of what was put back.
const most = 16

// setupOf returns what the keeper has to know of a configuration.
func setupOf(cfg *config.VRRP) vipnl.Setup {
	s := vipnl.Setup{Universe: []vip.Wish{cfg.Static}, Pacing: cfg.Pacing, NoReports: cfg.NoReports}
	for _, c := range cfg.Instances {
		if c.Link != nil {
			s.Links = append(s.Links, *c.Link)
		}
		s.Links = append(s.Links, c.MoreLinks...)
		s.Universe = append(s.Universe, c.Active, c.Idle)
		if c.PromoteSecondaries && !slices.Contains(s.PromoteSecondaries, c.Interface) {
			s.PromoteSecondaries = append(s.PromoteSecondaries, c.Interface)
		}
	}
	return s
}
