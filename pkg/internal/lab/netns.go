package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Host is a machine of the lab: a network namespace, and what runs in it. The file system and the process table are the
// same for all.
type Host struct {
	Name      string // for messages
	Namespace string // for ip netns: unique on this machine

	tb     TB
	handle netns.NsHandle
	source netip.Addr // of connections; the kernel's choice if there is none
}

var hosts atomic.Uint32 // so many were made by this process

// NewHost makes a host that has nothing but its loopback interface. At the end of the test all processes in its
// namespace are killed.
func NewHost(tb TB, name string) *Host {
	tb.Helper()
	h := &Host{
		Name:      name,
		Namespace: fmt.Sprintf("%s-%d-%d", name, os.Getpid(), hosts.Add(1)),
		tb:        tb,
	}
	if err := onOwnThread(h.create); err != nil {
		tb.Fatalf("host %s: %v", name, err)
	}
	tb.Cleanup(h.remove)
	return h
}

// Here is the host that the test itself runs on, to be connected to the others. Nothing of it goes away after the test but
// the interfaces.
func Here(tb TB) *Host {
	tb.Helper()
	handle, err := netns.Get()
	if err != nil {
		tb.Fatalf("our network namespace: %v", err)
	}
	tb.Cleanup(func() { _ = handle.Close() })
	return &Host{Name: "here", tb: tb, handle: handle}
}

func (h *Host) create() (err error) {
	if h.handle, err = netns.NewNamed(h.Namespace); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	return linkUp("lo")
}

func (h *Host) remove() {
	h.tb.Helper()
	inside, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", h.handle))
	if err == nil {
		err = Poll(10*time.Second, func() error { return killAll(inside) })
	}
	if err := errors.Join(err, h.handle.Close(), netns.DeleteNamed(h.Namespace)); err != nil {
		h.tb.Logf("host %s: %v", h.Name, err)
	}
}

// killAll kills the processes in a network namespace, and returns an error as long as there are any.
func killAll(namespace string) error {
	pids, err := inNamespace("net", namespace)
	if err != nil {
		return err
	}
	var alive error
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			alive = errors.Join(fmt.Errorf("process %d is not gone", pid), err)
		}
	}
	return alive
}

// inNamespace returns the processes in a namespace, which is what the link of its kind in /proc says.
func inNamespace(kind, namespace string) (pids []int, err error) {
	entries, err := filepath.Glob("/proc/[0-9]*/ns/" + kind)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		// A process that ends meanwhile has no link to read any more.
		if at, err := os.Readlink(entry); err != nil || at != namespace {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(entry, "/")[2])
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Do runs f inside the host's network namespace: sockets that f opens and processes that it starts belong there, also
// after f has returned. It must not leave that to another goroutine.
func (h *Host) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(h.handle); err != nil {
			return fmt.Errorf("enter host %s: %w", h.Name, err)
		}
		return f()
	})
}

// The first thread of a process can't end. It is the main goroutine's, lest another one enters a namespace with it, which
// would then live as long as the process.
func init() { runtime.LockOSThread() }

// onOwnThread runs f on a thread that ends with it, so that no other goroutine ever meets the namespace that f leaves.
func onOwnThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends such a thread
		result <- f()
	}()
	return <-result
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("link %s up: %w", name, err)
	}
	return nil
}
