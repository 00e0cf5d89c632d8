package status

import "time"

// Upgrade is what an upgrade in place came to: another process is the daemon now.
type Upgrade struct {
	From   string        `json:"from"` // version
	To     string        `json:"to"`
	PID    int           `json:"pid"`     // of the new process
	OldPID int           `json:"old_pid"` // of the one that ends now
	Took   time.Duration `json:"took"`    // in nanoseconds, from the start of the new process until it was in charge
	Still  time.Duration `json:"still"`   // for how much of that, in nanoseconds, no process sent adverts
}
