// Package probe is the types of health checks, a file each: functions that look at a server once and say what is wrong with it.
//
// It is not a judge: what a result means is decided by health.Checker, and when a probe runs by package engine. To add a type of
// check, give it a Spec in package health, write one file with a function of the form of Func here, and name it in Probe.
//
// A probe may have goroutines of its own; they end with it.
package probe

import (
	"context"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/fault"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// Func probes once. The error is nil if the server passed and otherwise says why not in a few words, without the server's
// address. It must return soon after its context is done, whose deadline is the check's, and must not take more memory for what
// a server sends than a good answer needs.
type Func func(context.Context, health.Check) (health.Finding, error)

// Probe probes once in the way that the check's Spec says.
func Probe(ctx context.Context, c health.Check) (health.Finding, error) {
	f, err := dispatch(ctx, c)
	return f, inWords(ctx, c, err)
}

// Try probes once. A probe that panics counts as failed: one server with a reply that nobody thought of must not end the
// director's work for all the others.
func Try(ctx context.Context, run Func, c health.Check) (f health.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Of(p)
		}
	}()
	return run(ctx, c)
}

func dispatch(ctx context.Context, c health.Check) (f health.Finding, err error) {
	switch s := c.Spec.(type) {
	case health.HTTP:
		return HTTP(ctx, c, s)
	case health.SMTP:
		return SMTP(ctx, c, s)
	case health.DNS:
		return DNS(ctx, c, s)
	case health.UDP:
		return UDP(ctx, c, s)
	case health.Ping:
		return Ping(ctx, c)
	case health.File:
		return File(ctx, s)
	case health.TCP:
		return f, TCP(ctx, c)
	case health.Misc:
		return Misc(ctx, c, s)
	case health.Agent:
		return Agent(ctx, c, s)
	case health.FTP:
		return FTP(ctx, c, s)
	case health.GRPC:
		return GRPC(ctx, c, s)
	case health.IMAP:
		return IMAP(ctx, c, s)
	case health.LDAP:
		return LDAP(ctx, c, s)
	case health.MySQL:
		return MySQL(ctx, c, s)
	case health.NNTP:
		return NNTP(ctx, c, s)
	case health.PgSQL:
		return PgSQL(ctx, c, s)
	case health.POP3:
		return POP3(ctx, c, s)
	case health.RADIUS:
		return RADIUS(ctx, c, s)
	case health.Redis:
		return Redis(ctx, c, s)
	case health.SimpleTCP:
		return SimpleTCP(ctx, c, s)
	case health.SIP:
		return SIP(ctx, c, s)
	}
	return f, fmt.Errorf("nothing is known of the check %q", c.Type)
}
