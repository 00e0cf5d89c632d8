package ipvs

import "fmt"

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
		return fmt.Sprintf("no interface %q in this network namespace that multicast can use (ENODEV)", e.Daemon.Interface)
	case EINVAL:
		return "the kernel runs no sync daemon while a server is of another IP family than its service; " +
			"or the multicast group is none (EINVAL)"
	case ESRCH:
		return "it does not run (ESRCH)"
	}
	return e.Errno.Error()
}

// Unwrap returns the error number.
func (e *SyncError) Unwrap() error { return e.Errno }
