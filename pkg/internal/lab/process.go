package lab

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// commandLimit is for a command that Run or Output waits for. Generous: a loaded machine may be slow, and User Mode
// Linux on it slower.
const commandLimit = time.Minute

// Output runs a command on the host and returns what it wrote to standard output. The error holds what it wrote to
// standard error.
func (h *Host) Output(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second // a child may hold the pipes; longer, and only the machine is slow
	if err := h.Do(cmd.Run); err != nil {
		return stdout.String(), fmt.Errorf("%s: %s: %w: %s", h.Name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// Run is Output that ends the test when the command does not exit with status 0.
func (h *Host) Run(args ...string) string {
	h.tb.Helper()
	out, err := h.Output(args...)
	if err != nil {
		h.tb.Fatalf("%v", err)
	}
	return out
}

// Process is a program that runs on a host until it ends, is stopped, or the test is over.
type Process struct {
	host *Host
	name string
	cmd  *exec.Cmd
	log  string        // a file: a program that writes much never waits for us, and keeps nobody waiting by its children
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// Start starts a program in a process group of its own. It may not be ready when Start returns: wait for what shows that
// it is, such as a line in its log (WaitLog).
func (h *Host) Start(args ...string) *Process {
	h.tb.Helper()
	return h.start(syscall.SysProcAttr{Setpgid: true}, args)
}

// startFamily is Start in a process namespace of its own, where the program is the first process: nothing of what it
// started outlives it.
func (h *Host) startFamily(args ...string) *Process {
	h.tb.Helper()
	return h.start(syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID}, args)
}

func (h *Host) start(attributes syscall.SysProcAttr, args []string) *Process {
	h.tb.Helper()
	p := &Process{host: h, name: filepath.Base(args[0]), done: make(chan struct{})}
	if err := p.start(&attributes, args); err != nil {
		h.tb.Fatalf("start %s on %s: %v", p.name, h.Name, err)
	}
	h.tb.Cleanup(p.cleanup)
	return p
}

func (p *Process) start(attributes *syscall.SysProcAttr, args []string) error {
	log, err := os.CreateTemp("", "lab-"+p.name+"-*.log")
	if err != nil {
		return err
	}
	defer log.Close()
	p.log = log.Name()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = attributes
	if err := p.host.Do(p.cmd.Start); err != nil {
		return errors.Join(err, os.Remove(p.log))
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

func (p *Process) cleanup() {
	p.host.tb.Helper()
	p.Kill()
	if failed(p.host.tb) {
		log, name := p.Log(), "log"
		if v := flag.Lookup("test.v"); v == nil || v.Value.String() == "false" {
			log, name = tail(log), "end of the log"
		}
		p.host.tb.Logf("%s of %s on %s:\n%s", name, p.name, p.host.Name, log)
	}
	if err := os.Remove(p.log); err != nil {
		p.host.tb.Logf("%v", err)
	}
}

// tail returns the last lines: what a test says itself gets lost among the logs of a dozen processes.
func tail(log string) string {
	const most = 20
	lines := strings.SplitAfter(strings.TrimSuffix(log, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits until the process has ended and returns nil for status 0, else an *exec.ExitError.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Log returns what the process wrote until now to standard output and standard error.
func (p *Process) Log() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// WaitLog waits until the process has written the text. It ends the test if the process ends before.
func (p *Process) WaitLog(limit time.Duration, text string) {
	p.host.tb.Helper()
	WaitFor(p.host.tb, limit, fmt.Sprintf("%q in the log of %s on %s", text, p.name, p.host.Name), func() error {
		over := p.ended()
		switch log := p.Log(); {
		case strings.Contains(log, text):
			return nil
		case over:
			p.host.tb.Fatalf("%s on %s ended without writing %q: %v\n%s", p.name, p.host.Name, text, p.err, log)
			return nil
		default:
			return fmt.Errorf("it wrote until now:\n%s", log)
		}
	})
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal to the process and its children: SIGSTOP freezes them all, SIGCONT lets them go on. A process
// that has ended is left alone.
func (p *Process) Signal(s syscall.Signal) {
	p.host.tb.Helper()
	if err := syscall.Kill(-p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.host.tb.Fatalf("send %v to %s on %s: %v", s, p.name, p.host.Name, err)
	}
}

// Kill ends the process and its children at once.
func (p *Process) Kill() {
	p.host.tb.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end, waits for it, and returns how it ended. Children that outlive it are killed.
func (p *Process) Stop() error {
	p.host.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.host.tb.Fatalf("stop %s on %s: %v", p.name, p.host.Name, err)
	}
	select {
	case <-p.done:
	case <-time.After(commandLimit):
		p.host.tb.Fatalf("%s on %s did not stop within %v", p.name, p.host.Name, commandLimit)
	}
	p.Signal(syscall.SIGKILL)
	return p.err
}
