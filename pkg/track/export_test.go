package track

import "github.com/ipvsd/ipvsd/pkg/health/probe"

// ProbeBy has a tracker run scripts by another function.
func ProbeBy(t *Tracker, run probe.Func) { t.probe = run }
