// Package successor starts the process that takes the place of this one, and lets the two talk. It decides nothing, and starts one goroutine
// for each process that it starts, which ends with that.
package successor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// variable says, in the environment, that a process is to take the place of its parent, and how many files it gets.
const variable = "IPVSD_SUCCEEDS"

// firstFile is the descriptor of the conversation; the files follow.
const firstFile = 3

// Conversation is between the two processes. What is said has a kind and a body, as JSON.
type Conversation struct {
	conn    *net.UnixConn
	decoder *json.Decoder
}

// letter is what is said.
type letter struct {
	Kind string
	Body json.RawMessage
}

// refusal is the kind of a letter that ends the conversation, whose body is why.
const refusal = "refused"

// Refused is why the other side can't go on.
type Refused string

func (r Refused) Error() string { return string(r) }

// patience is how long it may take until the other side reads: it does nothing else at the time.
const patience = 10 * time.Second

func newConversation(f *os.File) (*Conversation, error) {
	c, err := net.FileConn(f)
	err = errors.Join(err, f.Close())
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("the conversation with the old process is not a socket"), c.Close())
	}
	return &Conversation{conn, json.NewDecoder(conn)}, nil
}

// Say says something.
func (c *Conversation) Say(kind string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return json.NewEncoder(c.conn).Encode(letter{kind, text})
}

// Refuse says why the other side has to go on without this one.
func (c *Conversation) Refuse(why error) error { return c.Say(refusal, why.Error()) }

// Hear waits for what is of a kind. It returns what the other side refused with, if it did.
func (c *Conversation) Hear(ctx context.Context, kind string) (json.RawMessage, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })()
	var l letter
	err := c.decoder.Decode(&l)
	var why string
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case l.Kind == refusal && json.Unmarshal(l.Body, &why) == nil:
		return nil, Refused(why)
	case l.Kind != kind:
		return nil, fmt.Errorf("it said %.40q and not %q", l.Kind, kind)
	}
	return l.Body, nil
}

// Close ends the conversation.
func (c *Conversation) Close() error { return c.conn.Close() }

// Process is one that is to take the place of this one.
type Process struct {
	*Conversation
	cmd  *exec.Cmd
	done chan struct{}
	err  error // after done
}

// Start starts a program with the arguments of this process, argv[0] included, and an environment, and hands files over to it. If it is to be
// supervised, it becomes a child of this process's parent: systemd does not wait for the end of a main process that is none of its own, and
// kills it right after it has told it to stop.
func Start(path string, argv, environ []string, files []*os.File, supervised bool) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "successor")
	talk, err := newConversation(os.NewFile(uintptr(pair[0]), "predecessor"))
	if err != nil {
		return nil, errors.Join(err, theirs.Close())
	}
	cmd := exec.Command(path, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(environ, variable+"="+strconv.Itoa(len(files)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = append([]*os.File{theirs}, files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: capabilities()}
	pidfd := -1
	if supervised = supervised && watchable(); supervised {
		cmd.SysProcAttr.Cloneflags, cmd.SysProcAttr.PidFD = unix.CLONE_PARENT, &pidfd
	}
	err = cmd.Start()
	err = errors.Join(err, theirs.Close())
	if err != nil {
		return nil, errors.Join(err, talk.Close())
	}
	p := &Process{Conversation: talk, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if !supervised {
			p.err = cmd.Wait()
			return
		}
		p.err = errors.New("in what way is not known")                         // its parent is told
		for fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}; ; { //nolint:gosec // it is a descriptor
			if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		_ = unix.Close(pidfd)
	}()
	return p, nil
}

// watchable says whether the kernel tells of the end of processes that are no children: since Linux 5.3.
func watchable() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	return err == nil && unix.Close(fd) == nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Say is the Conversation's. Of a process that has refused or ended before it says why.
func (p *Process) Say(kind string, body any) error {
	err := p.Conversation.Say(kind, body)
	if !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, why := p.Hear(ctx, refusal); why != nil {
		return why
	}
	return err
}

// Hear is the Conversation's. Of a process that ends it says how it ended.
func (p *Process) Hear(ctx context.Context, kind string) (json.RawMessage, error) {
	body, err := p.Conversation.Hear(ctx, kind)
	if err == nil || ctx.Err() != nil {
		return body, err
	}
	select {
	case <-p.done:
	case <-time.After(time.Second): // it said so, or talks nonsense
	}
	select { // after a standstill both are over
	case <-p.done:
		if _, said := errors.AsType[Refused](err); p.err != nil && !said {
			return nil, fmt.Errorf("it ended: %w; the log says why", p.err)
		}
	default:
	}
	return nil, err
}

// Kill ends the process, and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
	_ = p.Close()
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// capabilities are those that the process gets: the ones of this one. Root has them anyway.
func capabilities() (list []uintptr) {
	if os.Geteuid() == 0 {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return nil
	}
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if data[c/32].Permitted&(1<<(c%32)) != 0 {
			list = append(list, c)
		}
	}
	return list
}

// Inherited returns the conversation with the process whose place this one is to take, and the files that it handed over; nil if there is
// none. It is called once, before anything else starts processes.
func Inherited() (*Conversation, []*os.File, error) {
	text := os.Getenv(variable)
	if text == "" {
		return nil, nil, nil
	}
	_ = os.Unsetenv(variable)
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", variable, err)
	}
	files := make([]*os.File, 0, n)
	for fd := firstFile; fd <= firstFile+int(n); fd++ {
		unix.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), "inherited "+strconv.Itoa(fd)))
	}
	talk, err := newConversation(files[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", variable, err)
	}
	return talk, files[1:], nil
}
