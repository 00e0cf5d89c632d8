// Package alert decides who is told of what happens, and in which words: lines of the FIFOs, e-mails and webhooks. It sends
// nothing: see packages teller (which has the goroutine), smtp, webhook and fifo.
//
// Lines and e-mails are keepalived's, as 2.2.7 was seen to write them; e-mails can be ldirectord's. What is otherwise is in the
// decision record about alerts.
package alert

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// About is what a piece of news is about.
type About uint8

// What there is news about.
const (
	AnInstance About = iota
	AGroup           // a sync group
	AService         // the quorum of a virtual server
	AServer
	ASorry    // a sorry server
	AFallback // that the sorry servers of a virtual server have its clients, or no longer
	ACheck    // one check of a server
	AWish     // what the operator wants of servers
)

// Kinds of news about virtual servers. Those about virtual routers are in package failover.
const (
	Up           = "UP"
	Down         = "DOWN"
	Inaccessible = "INACCESSIBLE" // still DOWN
	Stopped      = "STOP"         // the daemon ends while it is up
)

// Kinds of news about wishes. What is no longer wanted is a WishOver, a drain at its deadline a WishDue.
const (
	WishDrain   = "DRAIN"
	WishDisable = "DISABLE"
	WishWeight  = "WEIGHT"
	WishOver    = "WISH_OVER"
	WishDue     = "DRAIN_DEADLINE"
)

// News is something that has happened.
type News struct {
	At       time.Time
	About    About
	Name     string // of an instance or a group; else Label's of the virtual server
	Service  *config.VirtualServer
	Server   *config.RealServer // nil: it is about the virtual server
	Wish     *Wish              // Service and Server are one that a wish is about, whose mails say it, too; both nil: there is none
	Kind     string
	From     string // of a transition
	Priority uint8
	Reason   string

	Line    bool         // for the FIFOs
	Event   bool         // for the webhooks
	Again   bool         // the same was told within a minute
	Mail    bool         // for e-mail, if that is wanted
	Phase   config.Phase // of the daemon
	Check   string       // type of the check that it is about, or that is the reason; empty: none
	Passed  bool         // that check did
	Checked bool         // news of a check tells the same
	Gone    bool         // it is in no configuration any more
	Quorum  Quorum
}

// Wish is what an operator wanted of servers.
type Wish struct {
	Server  string // an address with or without port
	Service string // name of the virtual server; empty: all
	Text    string // "drain", "weight 3"
	By      string // who wanted it or ended it; empty: it ended by itself
}

// Quorum is what a virtual server needs and has.
type Quorum struct {
	Needed, Hysteresis, Live int64
	First                    bool // nothing was told of it before
}

// event is what webhooks are told.
func (n *News) event() status.Event {
	e := status.Event{At: n.At, Kind: n.Kind, From: n.From, Priority: n.Priority, Reason: n.Reason}
	switch n.About {
	case AnInstance:
		e.Instance = n.Name
	case AGroup:
		e.Group = n.Name
	case AWish:
		e.Service, e.Server, e.Reason = n.Wish.Service, n.Wish.Server, n.Wish.line(n.Reason)
	default:
		e.Service = n.Service.Name
		if n.Server != nil {
			e.Server = n.Server.Destination.Addr.String()
		}
	}
	return e
}

// ofRouter says whether it is about a virtual router.
func (n *News) ofRouter() bool { return n.About == AnInstance || n.About == AGroup }
