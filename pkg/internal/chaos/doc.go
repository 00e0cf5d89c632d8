// Package chaos decides what a cluster suffers and whether it stood it: from a seed to a schedule of faults, and from what observers
// saw, while that happened, to a verdict. The same seed gives the same schedule for ever on, so that a run that went wrong can be
// repeated.
//
// A Judge is told of faults, requests, and samples of the directors' addresses, tables and processes. It works out from the intervals
// in the configuration (Bounds) how long each fault may be felt, and of what; whatever is not right and no fault explains is a Breach.
// Times are durations since the start of the run.
//
// It does nothing itself and starts no goroutines: its child arena kills, cuts and looks.
package chaos
