package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// detachedBy says, in the environment, that the process was started by detach.
const detachedBy = "IPVSD_DETACHED"

// background says, in the environment, that the process takes the place of one in the background.
const background = "IPVSD_BACKGROUND"

// detach runs a command line in the background, in a session of its own, and returns when it is ready: whoever started us finds its
// pid file then, as systemd's Type=forking wants it. What it says before is on our stderr.
func detach(p *process, args []string) error {
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = readyRead.Close() }()
	saysRead, saysWrite, err := os.Pipe()
	if err != nil {
		return errors.Join(err, readyWrite.Close())
	}
	cmd := exec.Command(self(args[0]), args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Env = append(os.Environ(), detachedBy+"=1")
	cmd.Stderr = saysWrite
	cmd.ExtraFiles = []*os.File{readyWrite} // its file 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	err = errors.Join(err, readyWrite.Close(), saysWrite.Close())
	if err != nil {
		return err
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.Copy(p.stderr, saysRead)
	}()
	if n, _ := readyRead.Read(make([]byte, 1)); n == 1 {
		return cmd.Process.Release()
	}
	err = cmd.Wait()
	<-said
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit(max(e.ExitCode(), 1))
	}
	return err
}

// self is the file that this program was started as: processes are called after it.
func self(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return "/proc/self/exe"
}

// program is the path by which this program was started, or else its file. Where that is a symbolic link, a new version may be behind it
// later.
func program() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	file, fails := os.Executable()
	if err != nil || fails != nil {
		return file, fails
	}
	started, err1 := os.Stat(path)
	runs, err2 := os.Stat("/proc/self/exe")
	if err1 == nil && err2 == nil && os.SameFile(started, runs) {
		return path, nil
	}
	return file, nil
}

// waiting is the descriptor by which who has started this process in the background hears of it.
const waiting = 3

// whoWaits returns how to tell who has started this process in the background that it is ready; nil if nobody waits.
func whoWaits() (ready func(), detached bool) {
	if os.Getenv(detachedBy) == "" {
		return nil, false
	}
	_ = os.Unsetenv(detachedBy) // scripts have no use for it
	unix.CloseOnExec(waiting)
	return func() {
		_, _ = unix.Write(waiting, []byte{1}) // if nobody waits any more, nobody misses it
		_ = unix.Close(waiting)
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			_ = unix.Dup2(int(null.Fd()), 2) // the pipe ends with who waited
			_ = null.Close()
		}
	}, true
}

// move starts this program again in the network namespace that its configuration names. Who waits for it goes on to wait.
func (p *process) move(namespace string) error {
	if p.detached {
		_, _ = unix.FcntlInt(waiting, unix.F_SETFD, 0)
		_ = os.Setenv(detachedBy, "1")
	}
	return enter(namespace)
}

// restartIn starts this program again in a network namespace that ip netns has made, in place of this one.
func restartIn(namespace string, environ []string) error {
	runtime.LockOSThread() // the thread that calls exec is the one that goes on
	f, err := os.Open(filepath.Join("/run/netns", filepath.Base(namespace)))
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", namespace, err)
	}
	switch err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); {
	case errors.Is(err, unix.EPERM): // in our unit
		return fmt.Errorf("network namespace %s: %w; let systemd enter it: NetworkNamespacePath=%s and Environment=%s=%s in the unit (systemctl edit ipvsd)",
			namespace, err, f.Name(), entered, namespace)
	case err != nil:
		return fmt.Errorf("network namespace %s: %w", namespace, err)
	}
	return fmt.Errorf("network namespace %s: %w", namespace, syscall.Exec(self(os.Args[0]), os.Args, environ))
}
