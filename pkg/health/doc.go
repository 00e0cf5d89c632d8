// Package health judges servers: when a check is to run next, and what its results make of the server.
//
// It is pure. It neither probes nor keeps time: package probe runs the checks, tells a Checker when a probe started and
// how it ended, and starts the next one at the Checker's Deadline. What a verdict does to the table of the kernel is decided in
// package desired. Checks, Checkers and Verdicts are comparable values; nothing here starts a goroutine.
//
// Words: a check is keepalived's checker, a probe is one run of it. Rise is always one success, as in keepalived; fall is
// Policy.Retry failures and one more.
package health
