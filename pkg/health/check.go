package health

import (
	"net/netip"
	"time"
)

// Check says what is probed, how often, and how the results are judged. Checks are compared with ==: all servers that ask
// for an equal check share one probe and its verdict, and a check that a reload leaves unchanged keeps both. One of which it
// changes no more than the timing keeps the verdict.
type Check struct {
	Type      string         // keepalived's name: TCP_CHECK
	Target    netip.AddrPort // connect_ip, connect_port
	Source    netip.AddrPort // bindto, bind_port; zero: the kernel chooses
	Interface string         // bind_if; empty: the kernel chooses
	FWMark    uint32         // SO_MARK on the probe's packets; 0: none
	Timeout   time.Duration  // connect_timeout: the whole probe's, not a single read's

	LogAllFailures bool // log failures that don't change the verdict, too
	Policy
}

// Policy is when a check runs and how many failures it takes.
type Policy struct {
	DelayLoop        time.Duration // from the start of a probe to the start of the next
	Retry            int           // so many failures in a row are forgiven; the next one is final
	DelayBeforeRetry time.Duration // between the forgiven ones
	Warmup           time.Duration // the first probe runs at a random moment within it
	Alpha            bool          // down until a first success; otherwise up until a first failure
}

// Subject returns what of the check is probed and how, without when it is and how the results are judged. Checks of one
// subject tell the same of a server.
func (c Check) Subject() Check {
	c.Timeout, c.LogAllFailures, c.Policy = 0, false, Policy{}
	return c
}
