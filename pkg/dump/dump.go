// Package dump writes what ipvsd knows as keepalived does when it gets a signal: keepalived.data, keepalived_check.data,
// keepalived.stats and keepalived.json, which exporters and scripts read. What they read is there, word for word as keepalived
// 2.2.7 has it; how keepalived itself is made (its sockets, buffers, timers) is not. Passwords are not shown.
//
// It makes texts of values. Package daemon writes them into files.
package dump

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// State is what is dumped: what is configured, and how it is.
type State struct {
	Config   *config.Config
	Routers  *status.VRRP
	Services []status.Service
}

// hidden stands for a password.
const hidden = "****"

// member is an instance as it is configured and as it is.
type member struct {
	*config.Instance
	is status.VirtualRouter
}

// members returns the instances of which both are known.
func (s State) members() []member {
	var list []member
	for _, i := range s.Config.VRRP.Instances {
		at := slices.IndexFunc(s.Routers.Instances, func(v status.VirtualRouter) bool { return v.Name == i.Name })
		if at >= 0 {
			list = append(list, member{i, s.Routers.Instances[at]})
		}
	}
	return list
}

// state is keepalived's name of a state, and wanted the one that an instance would be in by itself.
func (m member) state() string {
	if m.is.State == vrrp.Initialize.String() {
		return "INIT"
	}
	return m.is.State
}

func (m member) active() bool { return m.is.State == vrrp.Active.String() }

func (m member) wanted() string {
	if m.active() {
		return m.state()
	}
	return vrrp.Backup.String()
}

// addresses returns the lines of the addresses, of those that adverts carry and of the others.
func (m member) addresses() (carried, excluded []string) {
	for _, a := range m.Active.Addresses {
		line := m.line(a)
		if slices.Contains(m.Instance.Addresses, a.Prefix.Addr()) {
			carried = append(carried, line)
		} else {
			excluded = append(excluded, line)
		}
	}
	return carried, excluded
}

func (m member) line(a vip.Address) string {
	dev, scope := cmp.Or(a.Dev, m.Interface), a.Scope
	a.Dev, a.Scope = "", 0
	where, rest, _ := strings.Cut(a.String(), " ")
	words := []string{where, "dev", dev, "scope", scope.String()}
	if rest != "" {
		words = append(words, rest)
	}
	if m.active() {
		words = append(words, "set")
	}
	return strings.Join(words, " ")
}

// announce returns how neighbours are told, with what there is if they are not.
func (m member) announce() vip.Announce {
	if m.Active.Announce == nil {
		return vip.Announce{}
	}
	return *m.Active.Announce
}

// auth is keepalived's number and name of an authentication.
func (m member) auth() (number int, name string) {
	switch m.Auth.Type {
	case vrrp.AuthPASS:
		return 1, "SIMPLE_PASSWORD"
	case vrrp.AuthAH:
		return 2, "IPSEC_AH"
	case vrrp.NoAuth:
	}
	return 0, "NONE"
}

// scripts returns what an instance tracks of a kind.
func (m member) tracked(kind vrrp.ObjectKind) []vrrp.Track {
	var list []vrrp.Track
	for _, t := range m.Tracks {
		if t.Kind == kind {
			list = append(list, t)
		}
	}
	return list
}

// Counters of an instance, for both forms.
func (m member) rejected(why vrrp.Reject) uint64 { return m.is.Counters.Rejected[why.String()] }

func (m member) authFailures() uint64 {
	return m.rejected(vrrp.RejectPassword) + m.rejected(vrrp.RejectICV) + m.rejected(vrrp.RejectReplay) + m.rejected(vrrp.RejectTrailer)
}

// Since returns counters as they were counted since an earlier moment.
func Since(now, then status.RouterCounters) status.RouterCounters {
	now.Sent -= then.Sent
	now.Received -= then.Received
	now.BecameActive -= then.BecameActive
	now.LeftActive -= then.LeftActive
	now.PriorityZeroSent -= then.PriorityZeroSent
	now.PriorityZeroReceived -= then.PriorityZeroReceived
	now.Mismatched -= then.Mismatched
	rejected := make(map[string]uint64, len(now.Rejected))
	for why, n := range now.Rejected {
		rejected[why] = n - then.Rejected[why]
	}
	now.Rejected = rejected
	return now
}

// Stats writes keepalived.stats.
func (s State) Stats() string {
	var b strings.Builder
	for _, m := range s.members() {
		c := m.is.Counters
		fmt.Fprintf(&b, `VRRP Instance: %s
  Advertisements:
    Received: %d
    Sent: %d
  Became master: %d
  Released master: %d
  Packet Errors:
    Length: %d
    TTL: %d
    Invalid Type: %d
    Advertisement Interval: %d
    Address List: %d
  Authentication Errors:
    Invalid Type: %d
    Type Mismatch: %d
    Failure: %d
  Priority Zero:
    Received: %d
    Sent: %d
`, m.Name, c.Received, c.Sent, c.BecameActive, c.LeftActive,
			m.rejected(vrrp.RejectLength), m.rejected(vrrp.RejectTTL), m.rejected(vrrp.RejectType), m.rejected(vrrp.RejectInterval), c.Mismatched,
			m.rejected(vrrp.RejectAuthHeader), m.rejected(vrrp.RejectAuthType), m.authFailures(), c.PriorityZeroReceived, c.PriorityZeroSent)
	}
	return b.String()
}

// command is the command line of a script, in keepalived's quotes.
func (s State) command(name string) string {
	id, known := s.Config.VRRP.Scripts[name]
	if !known {
		return ""
	}
	misc, isCommand := id.Check().Spec.(health.Misc)
	if !isCommand {
		return ""
	}
	return "'" + strings.Join(slices.Collect(misc.Argv.All()), " ") + "'"
}

// stamp is a moment as keepalived writes it: seconds since 1970.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "0.000000"
	}
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func enabled(b bool) string {
	if b {
		return "enabled"
	}
	return "disabled"
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
