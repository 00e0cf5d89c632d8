package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrUnavailable means that the kernel offers no IPVS in this network namespace: the module ip_vs is not loaded and could
// not be loaded on demand. It can go away at any time: ask again.
var ErrUnavailable = errors.New("this kernel has no IPVS: load the module with modprobe ip_vs, or, in a container, on the host")

// Errno is an error number of Linux, in the words that it means to IPVS rather than libc's ("no such process").
type Errno uint16

// The numbers that IPVS answers with (net/netfilter/ipvs/ip_vs_ctl.c).
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2 // no such destination; or no such scheduler or persistence engine
	ESRCH        Errno = 3 // no such service
	ENOMEM       Errno = 12
	EEXIST       Errno = 17
	ENODEV       Errno = 19 // no such interface
	EINVAL       Errno = 22
	ERANGE       Errno = 34 // weight below 0, or lower threshold above the upper one
	EOPNOTSUPP   Errno = 95 // no such command: an old kernel
	EAFNOSUPPORT Errno = 97
	EADDRINUSE   Errno = 98  // a sync daemon's port
	ENETUNREACH  Errno = 101 // a sync daemon's interface is down
)

func (e Errno) Error() string {
	switch e {
	case EPERM:
		return "not permitted: CAP_NET_ADMIN in this network namespace is needed (EPERM)"
	case ENOENT:
		return "no such server (ENOENT)"
	case ESRCH:
		return "no such service (ESRCH)"
	case ENOMEM:
		return "the kernel is out of memory (ENOMEM)"
	case EEXIST:
		return "exists already (EEXIST)"
	case ENODEV:
		return "no such interface (ENODEV)"
	case EINVAL:
		return "the kernel holds this combination of settings to be invalid (EINVAL)"
	case ERANGE:
		return "a weight or threshold is out of range (ERANGE)"
	case EOPNOTSUPP:
		return "this kernel does not know the command (EOPNOTSUPP)"
	case EAFNOSUPPORT:
		return "the kernel does not support this address family (EAFNOSUPPORT)"
	case EADDRINUSE:
		return "the port is in use (EADDRINUSE)"
	case ENETUNREACH:
		return "the network is unreachable (ENETUNREACH)"
	}
	return fmt.Sprintf("errno %d", uint16(e))
}

// Is maps the numbers to the errors of io/fs, so that callers need not know which number stands for which object.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT || e == ESRCH
	case fs.ErrExist:
		return e == EEXIST
	case fs.ErrPermission:
		return e == EPERM
	}
	return false
}

// Error is the kernel's refusal of one command.
type Error struct {
	Command Command
	Index   int // of the command among those that were applied together
	Errno   Errno
	Detail  string // the kernel's own words, where it has any
}

func (e *Error) Error() string {
	c := &e.Command
	s := c.String() + ": "
	switch {
	case e.Errno == ENOENT && !c.Op.OnDestination():
		// The kernel loads these modules by itself; where it can't, it says no more than "no such entry".
		s += fmt.Sprintf("the kernel has no scheduler %q", c.Service.Scheduler)
		if pe := c.Service.Engine; pe != "" {
			s += fmt.Sprintf(" or no persistence engine %q", pe)
		}
		s += ": load its module (modprobe ip_vs_" + c.Service.Scheduler + ") (ENOENT)"
	case e.Errno == EINVAL && c.Op.OnDestination() && FamilyOf(c.Destination.Addr.Addr()) != c.Service.Family:
		s += "a server may be of another IP family than its service only under TUN, and only while no sync daemon runs, " +
			"be it somebody else's (ipvsadm -L --daemon) (EINVAL)"
	default:
		s += e.Errno.Error()
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the error number.
func (e *Error) Unwrap() error { return e.Errno }
