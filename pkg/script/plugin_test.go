package script_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// echo answers each question with its process number and the question.
const echo = `while read -r id question; do echo "$id $$ $question"; done`

func ask(t *testing.T, p *script.Plugins, c script.Command, question string, limit time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return p.Ask(ctx, c, question)
}

// pidOf asks an echo for its process number.
func pidOf(t *testing.T, p *script.Plugins, c script.Command) (pid int) {
	t.Helper()
	answer, err := ask(t, p, c, "who", patience)
	if _, scan := fmt.Sscanf(answer, "%d who", &pid); err != nil || scan != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	return pid
}

// overdue is a context whose time is up when it is cancelled.
type overdue struct{ context.Context }

func (c overdue) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return context.DeadlineExceeded
}

func TestPluginStays(t *testing.T) {
	var p script.Plugins
	c := sh(t, echo)
	first := pidOf(t, &p, c)
	if second := pidOf(t, &p, c); second != first {
		t.Errorf("process %d, then %d", first, second)
	}
	p.Close()
	if err := alive(first); err != nil {
		t.Errorf("after Close: %v", err)
	}
	if _, err := p.Ask(t.Context(), c, "again"); !errors.Is(err, script.ErrClosed) {
		t.Error(err)
	}
}

func TestPluginsOfDifferentCommands(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	c := sh(t, echo, "a")
	other := c
	other.Argv = []string{c.Argv[0], "b"}
	if a, b := pidOf(t, &p, c), pidOf(t, &p, other); a == b {
		t.Errorf("both are %d", a)
	}
}

// Answers reach who asked, whatever their order.
func TestPluginAnswersInAnyOrder(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	const n = 8
	c := sh(t, fmt.Sprintf(`
		all=
		for i in $(seq %d); do read -r id question; all="$id $question
$all"; done
		echo "$all" | grep .
		cat >/dev/null`, n))
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() {
			question := fmt.Sprint("question ", i)
			if answer, err := ask(t, &p, c, question, patience); answer != question || err != nil {
				t.Errorf("%s: %q, %v", question, answer, err)
			}
		})
	}
	asking.Wait()
}

// One that hangs is ended with all that it started, and the next question starts another.
func TestPluginHangs(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	c := sh(t, `read -r id question
		if mkdir "$1"; then sleep 1000 & echo $! >"$1/pid"; wait; fi
		echo "$id fine"; cat >/dev/null`, t.TempDir()+"/first")
	pid := 0
	asked := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_, err := p.Ask(overdue{ctx}, c, "first")
		asked <- err
	}()
	lab.WaitFor(t, patience, "its child", func() error {
		text, err := os.ReadFile(c.Argv[1] + "/pid")
		_, scan := fmt.Sscan(string(text), &pid)
		return errors.Join(err, scan)
	})
	late := errors.New("too late")
	cancel(late)
	if err := <-asked; !errors.Is(err, script.ErrNoAnswer) || !errors.Is(err, late) {
		t.Error(err)
	}
	lab.WaitFor(t, patience, "the end of its child", func() error { return alive(pid) })
	if answer, err := ask(t, &p, c, "second", patience); answer != "fine" || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}

// One question that is not answered does not end a plug-in that answers others.
func TestPluginIsSlowWithOne(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	c := sh(t, `while read -r id question; do [ "$question" = slow ] || echo "$id $$ $question"; done`)
	first := pidOf(t, &p, c)
	ctx, cancel := context.WithCancel(t.Context())
	slow := make(chan error, 1)
	go func() {
		_, err := p.Ask(overdue{ctx}, c, "slow")
		slow <- err
	}()
	lab.WaitFor(t, patience, "the slow question to be the second", func() error {
		if n := p.Asked(c); n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	pidOf(t, &p, c) // asked later, answered
	cancel()
	if err := <-slow; !errors.Is(err, script.ErrNoAnswer) {
		t.Error(err)
	}
	if second := pidOf(t, &p, c); second != first {
		t.Errorf("process %d, then %d", first, second)
	}
}

// A question that is given up before its time is over does not speak against the plug-in, which others may have asked as well.
func TestPluginQuestionGivenUp(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	c := sh(t, `while read -r id question; do [ "$question" = slow ] || echo "$id $$ $question"; done`)
	first := pidOf(t, &p, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Ask(ctx, c, "slow"); !errors.Is(err, script.ErrNoAnswer) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if second := pidOf(t, &p, c); second != first {
		t.Errorf("process %d, then %d", first, second)
	}
}

func TestPluginEnds(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"with a status":   {`read -r line; echo "no database" >&2; exit 3`, "the plug-in ended: exit status 3: no database"},
		"well":            {`read -r line`, "the plug-in ended: exit status 0"},
		"by a signal":     {`read -r line; kill -9 $$`, "the plug-in ended: signal: killed"},
		"with nonsense":   {`read -r line; echo up; cat >/dev/null`, `the plug-in said "up", which answers no question`},
		"from the future": {`read -r line; echo 99 up; cat >/dev/null`, `the plug-in said "99 up", which answers no question`},
		"with a flood":    {`read -r line; cat /dev/zero`, "the plug-in said more than 1024 bytes in a line"},
		"with its output": {`read -r line; exec >&-; sleep 1000`, "the plug-in ended: signal: terminated"},
		"before":          {`exit 4`, "the plug-in"},
	} {
		t.Run(name, func(t *testing.T) {
			var p script.Plugins
			defer p.Close()
			c := sh(t, tt.text)
			if _, err := ask(t, &p, c, "x", patience); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// One that ends again and again is not started for each question, nor is one that has to be ended.
func TestPluginEndsAgainAndAgain(t *testing.T) {
	for name, tt := range map[string]struct{ text, why string }{
		"by itself":   {`echo start >>"$1"; read -r line; exit 3`, "the plug-in ended: exit status 3; it is started again in "},
		"reluctantly": {`trap "" TERM; echo start >>"$1"; read -r line; echo nonsense; sleep 1000`, `the plug-in said "nonsense", which answers no question; it is started again in `},
	} {
		t.Run(name, func(t *testing.T) {
			var p script.Plugins
			defer p.Close()
			file := t.TempDir() + "/starts"
			c := sh(t, tt.text, file)
			begin, tries, waits := time.Now(), 100, 0
			for range tries {
				if _, err := ask(t, &p, c, "x", patience); err != nil && strings.HasPrefix(err.Error(), tt.why) {
					waits++
				}
			}
			if waits == 0 {
				t.Errorf("nothing was %q", tt.why)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// The second start is at once, the third a second later, the fourth two after that.
			if starts := strings.Count(string(text), "start"); starts < 2 || starts > 3+int(time.Since(begin)/time.Second) {
				t.Errorf("%d starts for %d questions in %v", starts, tries, time.Since(begin))
			}
		})
	}
}

func TestPluginQuestions(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	for _, question := range []string{"two\nlines", strings.Repeat("x", 2000)} {
		if answer, err := p.Ask(t.Context(), sh(t, echo), question); err == nil {
			t.Errorf("%.10q: %q", question, answer)
		}
	}
	if _, err := p.Ask(t.Context(), script.Command{Argv: []string{"/nonexistent"}}, "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A plug-in that reads nothing more does not make anybody wait beyond his time.
func TestPluginReadsNothing(t *testing.T) {
	var p script.Plugins
	defer p.Close()
	c := sh(t, "sleep 1000")
	var asking sync.WaitGroup
	for range 600 {
		asking.Go(func() {
			if _, err := ask(t, &p, c, strings.Repeat("x", 900), 200*time.Millisecond); err == nil {
				t.Error("answered")
			}
		})
	}
	asking.Wait()
}
