//go:build kernel

package lab

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
)

// Every server starts, is frozen and thawed, is gone when it is stopped, and starts again.
func TestKernelLabServers(t *testing.T) {
	at := netip.MustParseAddr("192.0.2.1")
	for name, start := range map[string]func(*Host, netip.Addr) *Server{
		"site":       func(h *Host, at netip.Addr) *Server { return NewSite(h, at).Server },
		"postfix":    NewPostfix,
		"dovecot":    NewDovecot,
		"vsftpd":     NewVSFTPD,
		"slapd":      NewSLAPD,
		"mariadb":    NewMariaDB,
		"postgresql": NewPostgreSQL,
		"freeradius": NewFreeRADIUS,
		"redis":      NewRedis,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(NewHost(t, name), at)
			for range 2 {
				s.Start()
				s.Freeze()
				s.Thaw()
				if err := s.ready(); err != nil {
					t.Error(err)
				}
				s.Stop()
				if err := s.listens(s.Addr.Port()); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("a connection to the stopped server: %v, want it refused", err)
				}
			}
		})
	}
}
