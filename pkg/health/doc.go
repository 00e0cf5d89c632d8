// Package health judges servers: when a check is to run next, and what its results make of the server.
//
// It is pure. It neither probes nor keeps time: package engine has the checks run by package probe, tells a Checker when a probe
// started and how it ended, and starts the next one at the Checker's Deadline. What a verdict does to the table of the kernel is
// decided in package desired. Checks, Checkers and Verdicts are comparable values; nothing here starts a goroutine.
//
// Words: a check is keepalived's checker, a probe is one run of it. A check is one of the reasons why a server is up or down: a
// Checker says what its results come to, Judge what all checks of a server do. Rise is keepalived's one success unless
// Policy.Rise says otherwise, fall is Policy.Retry failures and one more. A turn is one of the URLs of keepalived's HTTP_GET.
package health
