package health

import (
	"net/netip"
	"time"
	"unique"
)

// Check says what is probed, how often, and how the results are judged. Checks are compared with ==, or by their ID, which is
// smaller: all servers that ask for an equal check share one probe and its verdict, and a check that a reload leaves unchanged
// keeps both. One of which it changes no more than the timing keeps the verdict.
type Check struct {
	Type      string         // the configuration's name: TCP_CHECK
	Target    netip.AddrPort // connect_ip, connect_port
	Source    netip.AddrPort // bindto, bind_port; zero: the kernel chooses
	Interface string         // bind_if; empty: the kernel chooses
	FWMark    uint32         // SO_MARK on the probe's packets; 0: none
	Timeout   time.Duration  // connect_timeout: the whole probe's, not a single read's
	Spec      Spec           // what this type of check needs to know besides

	LogAllFailures bool // log failures that don't change the verdict, too
	Policy
}

// Policy is when a check runs and what its results come to.
type Policy struct {
	DelayLoop        time.Duration // from the start of a probe to the start of the next
	Retry            int           // so many failures in a row are forgiven; the next one is final
	DelayBeforeRetry time.Duration // from the end of a forgiven one to the next probe
	Warmup           time.Duration // the first probe runs at a random moment within it
	Alpha            bool          // down until a first success; otherwise up until a first failure

	// What keepalived does not have. Zero values are how it behaves.

	Rise         int           // a server that is down needs so many successes in a row, in all Turns; 0 is 1
	FastInterval time.Duration // from start to start as long as the results point away from the state; 0: as keepalived
	HoldDown     time.Duration // a server that comes back must pass for so long, and twice as long each time it fails again soon
	HoldDownMax  time.Duration // but no longer than this; less than HoldDown: it never gets longer
	Turns        int           // keepalived's HTTP_GET has so many URLs and checks one each time; 0: all at once
}

// Subject returns what of the check is probed and how, without when it is and how the results are judged. Checks of one
// subject tell the same of a server.
func (c Check) Subject() Check {
	c.Timeout, c.LogAllFailures, c.Policy = 0, false, Policy{}
	return c
}

// ID stands for a check wherever it is remembered: it is as small as a pointer, and equal checks have equal ones.
type ID struct{ handle unique.Handle[Check] }

// ID returns what stands for the check.
func (c Check) ID() ID { return ID{unique.Make(c)} }

// Check returns the check that it stands for.
func (id ID) Check() Check { return id.handle.Value() }
