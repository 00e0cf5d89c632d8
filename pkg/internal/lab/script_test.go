package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script is a run of scripts/lab. Its temporary directory is the test's own, so that what it leaves there is seen.
type script struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	temp           string
}

func newScript(t *testing.T, args ...string) *script {
	t.Helper()
	lab, err := filepath.Abs("../../../scripts/lab")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{Cmd: exec.CommandContext(t.Context(), lab, args...), temp: t.TempDir()}
	s.Stdout, s.Stderr = &s.stdout, &s.stderr
	s.Env = append(os.Environ(), "TMPDIR="+s.temp)
	// So that a test that is given up stops the guest as well.
	s.Cancel = func() error { return s.Process.Signal(syscall.SIGTERM) }
	return s
}

// status waits for the end and returns the exit status. Nothing may be left then, neither files nor processes.
func (s *script) status(t *testing.T) int {
	t.Helper()
	err := s.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	files, err := os.ReadDir(s.temp)
	if err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	// The kernel's command line has the directory in it, and so have our helpers'.
	WaitFor(t, time.Minute, "all processes to be gone", func() error {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return err
		}
		for _, path := range lines {
			if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(s.temp)) {
				return fmt.Errorf("%s: %q", path, line)
			}
		}
		return nil
	})
	return s.ProcessState.ExitCode()
}

func (s *script) run(t *testing.T) int {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s.status(t)
}

// Arguments, environment, directory, both outputs and the status pass unchanged; what is written stays only where asked.
func TestScriptPassesEverything(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "with spaces, and 'quotes'")
	kept := t.TempDir()
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	const program = `
		printf '<%s>' "$@" "$VARIABLE" "$PWD"
		echo on stderr >&2
		cat # standard input is empty
		echo "$IPVSD_LAB" >"$0"/kernel
		id -u >"$0"/user
		test -e /proc/net/ip_vs || exit 9
		echo x >gone
		rm -f /etc/hostname
		exit 7`
	words := []string{"a b", "", "it's \"quoted\"", "two\nlines", "$HOME *", `back\slash`, "-v", "ü"}
	s := newScript(t, append([]string{"-o", kept, "sh", "-c", program, kept}, words...)...)
	s.Dir = directory
	s.Env = append(s.Env, "VARIABLE=1\n'2'", "PWD="+directory)
	s.Stdin = strings.NewReader("input")

	if status := s.run(t); status != 7 {
		t.Errorf("status %d, want 7", status)
	}
	want := "<" + strings.Join(append(words, "1\n'2'", directory), "><") + ">"
	if got := s.stdout.String(); got != want {
		t.Errorf("standard output\n%q, want\n%q", got, want)
	}
	if got, want := s.stderr.String(), "on stderr\n"; got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
	if kernel, err := os.ReadFile(kept + "/kernel"); string(kernel) != which(t) {
		t.Errorf("IPVSD_LAB=%q, %v; scripts/lab --which says %q", kernel, err, which(t))
	}
	if user, err := os.ReadFile(kept + "/user"); string(user) != "0\n" {
		t.Errorf("user %q, %v, want 0", user, err)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) > 0 {
		t.Errorf("what was written stays: %v, %v", files, err)
	}
	if _, err := os.Stat("/etc/hostname"); err != nil {
		t.Error(err)
	}
}

// which returns what scripts/lab --which prints.
func which(t *testing.T) string {
	t.Helper()
	s := newScript(t, "--which")
	if status := s.run(t); status != 0 {
		t.Fatalf("--which: status %d, %s", status, &s.stderr)
	}
	return s.stdout.String()
}

// Many bytes of any value come through, although the reader is slow at first.
func TestScriptOutputIsExact(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var want bytes.Buffer
	for i := range 1 << 19 {
		want.WriteByte(byte(i*i>>8 ^ i))
	}
	if err := os.WriteFile(data, want.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newScript(t, "cat", data)
	if status := s.run(t); status != 0 || s.stderr.Len() > 0 {
		t.Errorf("status %d, standard error %q", status, &s.stderr)
	}
	if !bytes.Equal(s.stdout.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes came, other ones than the %d sent", s.stdout.Len(), want.Len())
	}
}

// Two labs run side by side, what they print is seen while they run, and signals end them.
func TestScriptTwoAtOnceAndSignals(t *testing.T) {
	signals := map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143}
	running := map[syscall.Signal]*script{}
	for signal := range signals {
		s := newScript(t, "sh", "-c", "sleep 1000 & echo ready; wait")
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		s.Stdout = writer
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		running[signal] = s
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		line, err := bufio.NewReader(reader).ReadString('\n')
		if line != "ready\n" {
			t.Fatalf("read %q, %v, want ready", line, err)
		}
	}
	for signal, want := range signals {
		if err := running[signal].Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if status := running[signal].status(t); status != want {
			t.Errorf("%v: status %d, want %d", signal, status, want)
		}
	}
}

// The guest ends when the command does, here by a signal, although something else still runs.
func TestScriptEndsWithTheCommand(t *testing.T) {
	s := newScript(t, "sh", "-c", "setsid sleep 1000 & echo bye; kill -SEGV $$")
	if status := s.run(t); status != 139 || s.stdout.String() != "bye\n" || s.stderr.Len() > 0 {
		t.Errorf("status %d, standard output %q, standard error %q; want 139, bye and nothing", status, &s.stdout, &s.stderr)
	}
}

func TestScriptTimeLimit(t *testing.T) {
	s := newScript(t, "-t", "1", "sleep", "1000")
	if status := s.run(t); status != 124 {
		t.Errorf("status %d, want 124", status)
	}
	if got, want := s.stderr.String(), "lab: the time is up (1 s), the guest is killed\n"; got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
}

func TestScriptGuestCrashes(t *testing.T) {
	// Never where the kernel is somebody's real one.
	s := newScript(t, "--uml", "sh", "-c", "grep -q 'User Mode Linux' /proc/cpuinfo && echo c >/proc/sysrq-trigger")
	if status := s.run(t); status != 125 {
		t.Errorf("status %d, want 125", status)
	}
	for _, want := range []string{"Kernel panic", "lab: the guest ended without a word"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("standard error has no %q:\n%s", want, &s.stderr)
		}
	}
}

func TestScriptRefusals(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		stderr string
	}{
		{"", 2, "usage:"},
		{"--what", 2, "no such option: --what"},
		{"-t", 2, "-t wants a value"},
		{"-t soon true", 2, "-t soon: not a number of seconds"},
		{"-m lots true", 2, "-m lots: not a size"},
		{"-o /nowhere true", 2, "/nowhere: no such directory"},
		{"/no/such/program", 127, "No such file"},
	} {
		s := newScript(t, strings.Fields(c.args)...)
		if status := s.run(t); status != c.status || !strings.Contains(s.stderr.String(), c.stderr) {
			t.Errorf("%q: status %d, %q; want %d, %q", c.args, status, &s.stderr, c.status, c.stderr)
		}
	}
}

// A kernel without IPVS is never taken for one that has it.
func TestScriptHostWithoutIPVS(t *testing.T) {
	s := newScript(t, "--host", "true")
	want := 0
	if which(t) == "uml\n" {
		want = 125
	}
	if status := s.run(t); status != want || strings.Contains(s.stderr.String(), "has no IPVS") != (want != 0) {
		t.Errorf("status %d, %q; want %d", status, &s.stderr, want)
	}
}
