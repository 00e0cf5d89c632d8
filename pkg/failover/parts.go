package failover

import (
	"context"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
	"github.com/ipvsd/ipvsd/pkg/vrrp/vrrpio"
)

// parts are what works for a Failover. All methods but Run, Switchover and Status return at once, and what they say last counts.
type parts struct {
	runner  runner
	keeper  keeper
	tracker tracker
	// interfaces reports those of the host, whenever they are others, until the context is done.
	interfaces func(ctx context.Context, report func([]vip.Interface, error))
	remains    *vrrpio.Remains // of a process that was killed a moment ago, for a runner that is held; nil: there are none
}

// runner speaks the protocol: vrrpio.Runner.
type runner interface {
	// Run ends with the context, when the others know that no instance is active here any more.
	Run(ctx context.Context) error
	Change(instances []vrrp.Instance, groups []vrrp.Group)
	Interfaces(list []vip.Interface)
	Observe(o vrrp.Object, r vrrp.Reading)
	PutBack(instance string)
	Switchover(ctx context.Context, name string) error
	// Abandon ends Run without a word to the others.
	Abandon()
	Status(ctx context.Context) ([]vrrp.Status, []vrrp.GroupStatus, error)
	Thread() (t vrrpio.Thread, runs bool)
	// Ready, Freeze and Resume are for an upgrade: see vrrpio.
	Ready() <-chan struct{}
	Freeze(ctx context.Context) (s vrrp.Standing, thaw func(), err error)
	Resume(s vrrp.Standing)
	// Recover is for a start after a crash: see vrrpio.
	Recover(ctx context.Context, remains *vrrpio.Remains, fit map[string]bool) error
}

// tracker watches what instances depend on: track.Tracker.
type tracker interface {
	Run(ctx context.Context) error
	Change(cfg *config.VRRP)
	Interfaces(list []vip.Interface)
}

// keeper has on the host what the instances wish for: vipnl.Keeper.
type keeper interface {
	// Run ends with the context, when nothing of ours is left but what is to stay.
	Run(ctx context.Context) error
	Change(s vipnl.Setup)
	Wish(w vip.Wish)
	// Together has what is wished in the meantime done at once.
	Together(say func())
	// Freeze has it do nothing until thaw is called.
	Freeze() (thaw func())
}
