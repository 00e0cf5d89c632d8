// Package script runs the commands that a configuration names: notifications, and whatever else is a program of the user's.
// It knows nothing of what they are about.
//
// A command is run without a shell, in a session and with an environment of its own, as the user that it says. When its
// time is up, all of its process group is ended. Programs that somebody else could exchange behind root's back are refused.
//
// Run blocks its caller until the command has ended; Queues, which keeps commands in order, does not. Every command has two
// goroutines of Run's, which end with it. A process that a command leaves behind in the background keeps one of them, as
// long as it holds the command's output.
package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is a program and how to run it.
type Command struct {
	Argv []string // the program's absolute path, then its arguments
	// User and Group are names or numbers. Without a user it is keepalived_script if there is such a user and we are root,
	// otherwise our own. Without a group it is the user's. Nobody has supplementary groups.
	User, Group string
}

// How a command is ended.
const (
	grace  = 2 * time.Second        // from SIGTERM to SIGKILL, as in keepalived
	linger = 100 * time.Millisecond // for the rest of the output, once it has ended
)

// Run runs a command and returns the beginning of what it wrote to standard output and error, at most 4 KiB. It waits until
// the program has ended; processes that it leaves behind are left alone. The error is nil for exit status 0, and wraps an
// *exec.ExitError for another one and for a signal.
//
// When the context is done before that, the process group gets SIGTERM, two seconds later SIGKILL, and the error wraps the
// context's cause. Run returns at most four seconds after the context is done.
func Run(ctx context.Context, c Command) (string, error) {
	cmd, err := c.prepare()
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	_ = w.Close() // the program has its own
	if err != nil {
		_ = r.Close()
		return "", c.unstarted(err)
	}
	confine(cmd)
	out := drain(r)
	p := watch(cmd)
	select {
	case <-p.ended:
		err = p.reap()
	case <-ctx.Done():
		err = fmt.Errorf("%s: %w", p.end(out.ended), context.Cause(ctx))
	}
	select {
	case <-out.ended:
	case <-time.After(linger):
	}
	return out.text(), err
}

// prepare returns the command to start, or why it must not be.
func (c Command) prepare() (*exec.Cmd, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("no program")
	}
	as, err := accountOf(c.User, c.Group)
	if err != nil {
		return nil, err
	}
	if err := inspect(c.Argv[0], as); err != nil {
		return nil, err
	}
	// A session of its own is a process group of its own, and keeps it off the terminal that we may have been started from: who
	// can open that types what root's shell reads next.
	return &exec.Cmd{
		Path: c.Argv[0], Args: c.Argv, Dir: "/",
		Env:         []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + as.home},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Credential: as.credential()},
	}, nil
}

// confine keeps what a command does wrong from us: it leaves no core file, and when memory runs short the kernel ends it first.
// Where that can't be had the command is still to run.
func confine(cmd *exec.Cmd) {
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("500"), 0)
}

// Check returns why a command could not be run, as far as that is known without running it.
func (c Command) Check() error {
	_, err := c.prepare()
	return err
}

// unstarted says why the kernel did not start a program.
func (c Command) unstarted(err error) error {
	if fault := (*fs.PathError)(nil); errors.As(err, &fault) {
		err = fault.Err // it would say the path again
	}
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%s is no program; a script begins with a line such as #!/bin/sh", c.Argv[0])
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s can't be run by the user %s: %w", c.Argv[0], nameOf(c), err)
	}
	return fmt.Errorf("%s can't be run: %w", c.Argv[0], err)
}

// process is a program that runs. Until it is reaped, no other process can have its number, nor its group's.
type process struct {
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has
	release chan struct{} // closed when it may be reaped
	reaped  chan error    // with what it ended
}

func watch(cmd *exec.Cmd) process {
	p := process{cmd, make(chan struct{}), make(chan struct{}), make(chan error, 1)}
	go func() {
		for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		close(p.ended)
		<-p.release
		p.reaped <- cmd.Wait()
	}()
	return p
}

// reap returns how a program ended that has.
func (p process) reap() error {
	close(p.release)
	return <-p.reaped
}

// end ends the process group and says how it did. A program has ended in good order once nobody holds its output any more.
func (p process) end(output <-chan struct{}) string {
	defer close(p.release)
	_ = p.signal(unix.SIGTERM)
	limit := time.After(grace)
	for _, over := range []<-chan struct{}{p.ended, output} {
		select {
		case <-over:
		case <-limit:
			err := p.signal(unix.SIGKILL)
			select {
			case <-p.ended:
				return "killed"
			case <-time.After(grace / 2):
				return fmt.Sprintf("can't be killed (%v)", err) // no right to, or the kernel holds it
			}
		}
	}
	_ = p.signal(unix.SIGKILL) // whoever closed the output and did not go
	return "stopped"
}

func (p process) signal(s unix.Signal) error { return unix.Kill(-p.cmd.Process.Pid, s) }
