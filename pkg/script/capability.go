package script

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// KeepCapabilities makes the capabilities that a service manager has given to a process that is not root's (ambient ones) its own:
// the commands that it runs get none of them. It is for the beginning of main, and for builds without cgo, where all threads are
// Go's own; there are no others of ipvsd but by mistake.
func KeepCapabilities() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if errno != 0 && !errors.Is(errno, syscall.EINVAL) { // a kernel before 4.3 has none
		return fmt.Errorf("commands get the capabilities of this process: prctl PR_CAP_AMBIENT: %w", errno)
	}
	return nil
}
