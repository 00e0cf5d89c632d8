package script

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Plugins are commands that stay, and are asked again and again: one process and one line a question instead of one process a
// question. The zero value is ready.
//
// A plug-in reads lines from standard input and writes lines to standard output, each ended by a newline and flushed:
//
//	asked:    17 10.0.0.2 80 3000
//	answered: 17 up
//
// A line begins with the number of the question, and so does its answer; what follows is the caller's business. Questions come
// before earlier ones are answered. They may be answered in any order, or one after the other. What it writes to standard
// error explains its end, if that comes too early. It should end when its standard input does.
//
// A plug-in is started with its first question, and ends when nobody asked for longer than idle, or by Close. One that says
// nothing at all while a question is overdue is ended, all of its process group, and started anew with the next question.
type Plugins struct {
	mu     sync.Mutex
	all    map[string]*plugin // by command; guarded by mu
	ending sync.WaitGroup     // processes
	closed bool
}

const (
	idle = 10 * time.Minute
	// outstanding is how many questions of one plug-in may be without an answer. Their lines fit into a pipe.
	outstanding = 500
	// longestLine is how many bytes a question or an answer may have.
	longestLine = 1024
	// settled is how long a process must have run for its end to be no reason to wait before the next start.
	settled   = time.Minute
	firstWait = time.Second // after the second early end in a row; it doubles
	longWait  = time.Minute
)

// ErrNoAnswer is wrapped by the error of a question whose time is up.
var ErrNoAnswer = errors.New("no answer from the plug-in")

// plugin is a command and its process, if there is one.
type plugin struct {
	command Command
	mu      sync.Mutex
	process *answering    // nil: none
	wait    time.Duration // before the next start
	next    time.Time     // no start before it
	why     error         // how the last process ended
}

// answering is a process that is asked.
type answering struct {
	process
	stdin, stdout *os.File
	output        *output       // standard error
	gone          chan struct{} // closed when it has ended, and no answer can come any more
	over          sync.Once     // its end
	began         time.Time
	rest          *time.Timer // ends it when nobody asks

	mu    sync.Mutex
	last  uint64                 // number of the last question
	asked map[uint64]chan string // without an answer; nil once the process is to end
	heard time.Time              // when it said something
	why   error                  // why it is to end
}

// Ask asks a plug-in a question of one line and returns its answer. When the context is done before that, the error wraps
// ErrNoAnswer and the context's cause.
func (p *Plugins) Ask(ctx context.Context, c Command, question string) (string, error) {
	if len(question) > longestLine || strings.ContainsRune(question, '\n') {
		return "", fmt.Errorf("a question has one line of at most %d bytes", longestLine)
	}
	a, err := p.of(c)
	if err != nil {
		return "", err
	}
	asked := time.Now()
	number, answer, err := a.ask(question)
	if err != nil {
		return "", err
	}
	select {
	case text, answered := <-answer:
		if !answered {
			return "", a.reason()
		}
		return text, nil
	case <-ctx.Done():
		a.forget(number, asked, errors.Is(ctx.Err(), context.DeadlineExceeded))
		return "", fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
	}
}

// Close ends all plug-ins, and returns when they have ended. Nobody may be asking, or ask later.
func (p *Plugins) Close() {
	p.mu.Lock()
	p.closed = true
	for _, one := range p.all {
		one.mu.Lock()
		if one.process != nil {
			one.process.finish(errors.New("the daemon stops"))
		}
		one.mu.Unlock()
	}
	p.mu.Unlock()
	p.ending.Wait()
}

// of returns the process of a command, started if need be.
func (p *Plugins) of(c Command) (*answering, error) {
	key := strings.Join(append([]string{c.User, c.Group}, c.Argv...), "\x00")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if p.all == nil {
		p.all = make(map[string]*plugin)
	}
	one := p.all[key]
	if one == nil {
		one = &plugin{command: c}
		p.all[key] = one
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	now := time.Now()
	if a := one.process; a != nil {
		if a.open() {
			a.rest.Reset(idle)
			return a, nil
		}
		one.bury(now) // it may take its time to go
	}
	if now.Before(one.next) {
		wait := max(one.next.Sub(now).Round(time.Second), time.Second)
		return nil, fmt.Errorf("%w; it is started again in %v", one.why, wait)
	}
	a, err := start(one.command)
	if err != nil {
		one.later(now, err)
		return nil, err
	}
	one.process = a
	p.ending.Go(func() { p.follow(key, one, a) })
	return a, nil
}

// follow waits for the end of a process, and forgets it.
func (p *Plugins) follow(key string, one *plugin, a *answering) {
	<-a.gone
	p.mu.Lock()
	defer p.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.process != a {
		return // buried already
	}
	if one.bury(time.Now()); one.wait == 0 {
		delete(p.all, key)
	}
}

// bury forgets a process that is to end or has ended. If that is early, the next start has to wait.
func (one *plugin) bury(now time.Time) {
	a := one.process
	one.process = nil
	if now.Sub(a.began) < settled {
		one.later(now, a.reason())
	} else {
		one.wait, one.next = 0, time.Time{}
	}
}

// later puts the next start off, the first time not at all.
func (one *plugin) later(now time.Time, why error) {
	one.why, one.next = why, now.Add(one.wait)
	one.wait = min(max(2*one.wait, firstWait), longWait)
}

// start starts the process of a plug-in.
func start(c Command) (*answering, error) {
	cmd, err := c.prepare()
	if err != nil {
		return nil, err
	}
	var pipes [3][2]*os.File // what the process reads and writes, in the order of its descriptors
	closeAll := func(side int) {
		for i := range pipes {
			if f := pipes[i][side]; f != nil {
				_ = f.Close()
			}
		}
	}
	for i := range pipes {
		if pipes[i][0], pipes[i][1], err = os.Pipe(); err != nil {
			closeAll(0)
			closeAll(1)
			return nil, err
		}
	}
	pipes[0][0], pipes[0][1] = pipes[0][1], pipes[0][0] // now the first ones are ours
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pipes[0][1], pipes[1][1], pipes[2][1]
	err = cmd.Start()
	closeAll(1)
	if err != nil {
		closeAll(0)
		return nil, c.unstarted(err)
	}
	confine(cmd)
	a := &answering{
		process: watch(cmd), stdin: pipes[0][0], stdout: pipes[1][0], output: drain(pipes[2][0]), gone: make(chan struct{}), began: time.Now(),
		asked: make(map[uint64]chan string),
	}
	a.rest = time.AfterFunc(idle, func() { a.finish(errors.New("nobody asked")) })
	go a.listen()
	return a, nil
}

// open says whether the process can be asked.
func (a *answering) open() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked != nil
}

// ask writes a question. The channel gets the answer, and is closed if none can come any more.
func (a *answering) ask(question string) (uint64, <-chan string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.asked == nil:
		return 0, nil, a.why
	case len(a.asked) >= outstanding:
		return 0, nil, fmt.Errorf("%w to %d other questions", ErrNoAnswer, len(a.asked))
	}
	a.last++
	// With so few bytes outstanding the pipe has room, unless the process leaves answered questions unread.
	_ = a.stdin.SetWriteDeadline(time.Now().Add(linger))
	if _, err := fmt.Fprintf(a.stdin, "%d %s\n", a.last, question); err != nil {
		a.stop(fmt.Errorf("the plug-in can't be asked: %w", err))
		return 0, nil, a.why
	}
	answer := make(chan string, 1)
	a.asked[a.last] = answer
	return a.last, answer, nil
}

// forget gives a question up, and if it is overdue the process with it that has said nothing since.
func (a *answering) forget(number uint64, asked time.Time, overdue bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.asked, number)
	if overdue && a.heard.Before(asked) {
		a.stop(errors.New("the plug-in hung"))
	}
}

// finish has the process end.
func (a *answering) finish(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop(why)
}

// stop has the process end, under the lock: it sees the end of its input, and those who ask see that there is none.
func (a *answering) stop(why error) {
	if a.asked == nil {
		return
	}
	a.why = why
	for _, answer := range a.asked {
		close(answer)
	}
	a.asked = nil
	_ = a.stdin.Close()
	a.rest.Stop()
	go a.kill()
}

// kill ends the process, and returns when it has ended.
func (a *answering) kill() {
	a.over.Do(func() {
		a.end(a.output.ended)
		_ = a.stdout.Close() // whoever it left behind may hold the other end
	})
}

// reason returns why the process is to end.
func (a *answering) reason() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

// listen takes the answers until there can be no more.
func (a *answering) listen() {
	defer close(a.gone)
	lines := bufio.NewScanner(a.stdout)
	lines.Buffer(make([]byte, longestLine), longestLine)
	for lines.Scan() {
		if err := a.take(lines.Text()); err != nil {
			a.finish(err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		a.finish(fmt.Errorf("the plug-in said more than %d bytes in a line", longestLine))
	}
	a.kill()
	a.finish(a.epitaph(<-a.reaped))
}

// epitaph says how a process ended that was not to.
func (a *answering) epitaph(err error) error {
	how := "exit status 0"
	if err != nil {
		how = err.Error()
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(a.output.text()), "\n"); line != "" {
		how += ": " + line
	}
	return fmt.Errorf("the plug-in ended: %s", how)
}

// take gives an answer to whoever waits for it. One that comes too late is for nobody.
func (a *answering) take(line string) error {
	digits, text, _ := strings.Cut(line, " ")
	number, err := strconv.ParseUint(digits, 10, 64)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || number == 0 || number > a.last {
		return fmt.Errorf("the plug-in said %.80q, which answers no question", line)
	}
	a.heard = time.Now()
	if answer := a.asked[number]; answer != nil {
		answer <- text
		delete(a.asked, number)
	}
	return nil
}
