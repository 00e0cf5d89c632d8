package daemon

import (
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// label names a check: "TCP_CHECK", "HTTP_GET /health", and where it goes if that isn't told by its server.
func label(c health.Check) string { return strings.TrimSpace(c.Type + " " + what(c.Spec)) }

// what says in a few words what a check asks for. It has nothing of which a part may be secret: no query, no arguments.
func what(spec health.Spec) string {
	switch s := spec.(type) {
	case health.HTTP:
		first, others := "", 0
		for u := range s.URLs.All() {
			if first == "" {
				first, _, _ = strings.Cut(u.VirtualHost+u.Path, "?")
			} else {
				others++
			}
		}
		if others > 0 {
			first += fmt.Sprintf(" and %d more", others)
		}
		return first
	case health.DNS:
		return s.Type + " " + s.Name
	case health.BFD:
		return s.Session
	case health.File:
		return s.Path
	case health.Misc:
		for program := range s.Argv.All() {
			return program
		}
	case health.FTP:
		return s.File
	case health.LDAP:
		return s.BaseDN
	case health.MySQL:
		return s.Database
	case health.PgSQL:
		return s.Database
	case health.GRPC:
		return s.Service
	case health.Redis:
		return s.Role
	}
	return ""
}
