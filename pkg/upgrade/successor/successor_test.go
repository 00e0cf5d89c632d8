package successor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/upgrade/successor"
)

// TestMain is the successor, too: tests start their own program.
func TestMain(m *testing.M) {
	talk, files, err := successor.Inherited()
	if talk == nil && err == nil {
		os.Exit(m.Run())
	}
	os.Exit(succeed(talk, files, err))
}

// succeed does what argv[0] says.
func succeed(talk *successor.Conversation, files []*os.File, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 9
	}
	switch os.Args[0] {
	case "dies":
		return 7
	case "refuses":
		_ = talk.Refuse(errors.New("not today"))
		return 3
	case "parent":
		_ = talk.Say("parent", os.Getppid())
		return 0
	case "hangs":
		_, _ = talk.Hear(context.Background(), "nothing") // until it is killed
	}
	body, err := talk.Hear(context.Background(), "question")
	if err != nil {
		return 8
	}
	text, err := io.ReadAll(files[1])
	if err != nil || talk.Say("answer", fmt.Sprintf("%s %s of %d files, %s", body, text, len(files), os.Getenv("IPVSD_SUCCEEDS"))) != nil {
		return 8
	}
	return 0
}

func start(t *testing.T, name string) *successor.Process {
	t.Helper()
	return startAs(t, name, false)
}

func startAs(t *testing.T, name string, supervised bool) *successor.Process {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString("content"); err != nil || write.Close() != nil {
		t.Fatal(err)
	}
	p, err := successor.Start(os.Args[0], []string{name}, os.Environ(), []*os.File{os.Stdin, read}, supervised)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestConversation(t *testing.T) {
	p := start(t, "answers")
	if err := p.Say("question", []int{42}); err != nil {
		t.Fatal(err)
	}
	body, err := p.Hear(t.Context(), "answer")
	var text string
	if err := errors.Join(err, json.Unmarshal(body, &text)); err != nil || text != "[42] content of 2 files, " {
		t.Errorf("%q, %v", text, err)
	}
	<-p.Ended()
}

func TestFailures(t *testing.T) {
	for name, want := range map[string]string{"dies": "exit status 7", "refuses": "not today", "answers": "it said"} {
		p := start(t, name)
		if name == "answers" {
			_ = p.Say("question", 1)
		}
		if _, err := p.Hear(t.Context(), "something"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for name, want := range map[string]string{"dies": "exit status 7", "refuses": "not today"} {
		p := start(t, name)
		<-p.Ended()
		if err := p.Say("something", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s, and is spoken to: %v, want %q", name, err, want)
		}
	}
	p := start(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Hear(ctx, "something"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that hangs: %v", err)
	}
	p.Kill()
	if _, err := successor.Start("/nonexistent", []string{"x"}, nil, nil, false); err == nil {
		t.Error("what is not there is started")
	}
}

// A process that is to be supervised is a child of this one's parent. That it ends is seen all the same, and it can be ended.
func TestSupervised(t *testing.T) {
	p := startAs(t, "parent", true)
	body, err := p.Hear(t.Context(), "parent")
	if err != nil || string(body) != fmt.Sprint(os.Getppid()) {
		t.Errorf("its parent is %s, want %d: %v", body, os.Getppid(), err)
	}
	<-p.Ended()
	p = startAs(t, "dies", true)
	if _, err := p.Hear(t.Context(), "something"); err == nil || !strings.Contains(err.Error(), "it ended") {
		t.Errorf("one that dies: %v", err)
	}
	p = startAs(t, "hangs", true)
	p.Kill()
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if _, rest, _ := strings.Cut(string(state), ") "); err == nil && !strings.HasPrefix(rest, "Z") {
		t.Errorf("after it was killed: %s", state)
	}
	if _, err := successor.Start("/nonexistent", []string{"x"}, nil, nil, true); err == nil {
		t.Error("what is not there is started")
	}
}
