package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// routers are the virtual routers of this host: *failover.Failover. They have goroutines of their own, and wait for nobody here: the
// owner tells them what the configuration is and which virtual servers have their quorum, and hears which roles they have.
type routers interface {
	Balanced(at []netip.AddrPort)
	Change(cfg *config.VRRP)
	Services(quorums map[string]health.State)
	// Observe tells of a BFD session.
	Observe(o vrrp.Object, r vrrp.Reading)
	Checked()
}

// hearRoles takes the roles from the one goroutine that tells them.
func (o *owner) hearRoles(roles map[string]vrrp.State) {
	select {
	case <-o.roles: // they are old
	default:
	}
	o.roles <- roles
}

// takeRoles has the rest follow the roles: the sync daemons and backup_only with the next round, and the checks of ha_suspend.
func (o *owner) takeRoles(roles map[string]vrrp.State) {
	o.settings.roles = roles
	o.engage(nil, nil)
	notify(o.summary())
}

// awaitRouters waits until the virtual routers have ended. Before that nothing may leave the table: clients still come. The sync
// daemons follow, so that the connections of whoever takes over are known here when the daemon is started again.
func (o *owner) awaitRouters(watchdog <-chan time.Time) {
	for over := false; !over; {
		select {
		case roles := <-o.roles:
			o.follow(roles)
		case <-o.settings.handover.changed:
			o.follow(o.settings.roles)
		case <-o.ended:
			over = true
		case <-watchdog:
			notify(alive)
		}
	}
	roles := o.settings.roles
	select {
	case roles = <-o.roles: // the last word
	default:
	}
	o.settings.handover.close()
	o.follow(roles)
}

// follow has the settings follow the roles at once, at the stop.
func (o *owner) follow(roles map[string]vrrp.State) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.settings.roles = roles
	o.tune(ctx, time.Now(), false)
}

// virtualAddresses returns the addresses of the virtual routers, and whether they serve here.
func (o *owner) virtualAddresses() map[netip.Addr]bool {
	serve := make(map[netip.Addr]bool)
	for _, c := range o.cfg.VRRP.Instances {
		for _, a := range c.Active.Addresses {
			serve[a.Prefix.Addr()] = serve[a.Prefix.Addr()] || o.settings.roles[c.Name] == vrrp.Active
		}
	}
	return serve
}

// rolesSummary says how many instances have which role.
func (o *owner) rolesSummary() (text string) {
	count := make(map[vrrp.State]int)
	for _, c := range o.cfg.VRRP.Instances {
		count[o.settings.roles[c.Name]]++
	}
	for _, s := range []vrrp.State{vrrp.Active, vrrp.Backup, vrrp.Fault, vrrp.Initialize} {
		if n := count[s]; n > 0 {
			text += fmt.Sprintf(", %s: %d", s, n)
		}
	}
	return text
}
