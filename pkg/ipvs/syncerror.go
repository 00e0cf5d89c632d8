package ipvs

import (
	"cmp"
	"fmt"
)

// SyncError is the kernel's refusal to start or stop a sync daemon.
type SyncError struct {
	Start  bool // or else stop
	Role   SyncRole
	Daemon SyncDaemon // that was to be started
	Errno  Errno
	Detail string // the kernel's own words, where it has any
}

func (e *SyncError) Error() string {
	verb := "stop"
	if e.Start {
		verb = "start"
	}
	s := fmt.Sprintf("%s sync daemon %s: %s", verb, e.Role, e.reason())
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// reason says what the number means here.
func (e *SyncError) reason() string {
	switch e.Errno {
	case EEXIST:
		return "one runs already: stop it first (EEXIST)"
	case ENODEV:
		return fmt.Sprintf("no interface %q in this network namespace (ENODEV)", e.Daemon.Interface)
	case ENETUNREACH:
		return fmt.Sprintf("interface %s is down, or it does not speak the group's IP version (ENETUNREACH)", e.Daemon.Interface)
	case EADDRINUSE:
		return fmt.Sprintf("UDP port %d is in use on this host (EADDRINUSE)", cmp.Or(e.Daemon.Port, SyncPort))
	case EINVAL:
		return e.invalid() + " (EINVAL)"
	case ESRCH:
		return "it does not run (ESRCH)"
	default:
		return e.Errno.Error()
	}
}

// invalid finds out what EINVAL is about.
func (e *SyncError) invalid() string {
	switch {
	case e.Role != SyncMaster && e.Role != SyncBackup:
		return "there is no such role"
	case len(e.Daemon.Interface) > 15:
		return fmt.Sprintf("no interface has a name as long as %q", e.Daemon.Interface)
	case e.Daemon.Group.IsValid() && !e.Daemon.Group.IsMulticast():
		return fmt.Sprintf("%s is no multicast group", e.Daemon.Group)
	case e.Daemon.Group.Is6():
		return fmt.Sprintf("interface %s does not speak IPv6, or a server is of another IP family than its service: "+
			"the sync protocol can't tell backups of those", e.Daemon.Interface)
	}
	return "a server is of another IP family than its service: the sync protocol can't tell backups of those"
}

// Unwrap returns the error number.
func (e *SyncError) Unwrap() error { return e.Errno }
