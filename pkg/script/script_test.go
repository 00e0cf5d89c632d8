package script_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// patience is how long a machine under load may take for what takes no time.
const patience = time.Minute

// write writes an executable file that everybody can reach, and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "script-") //nolint:usetesting // others can't enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// sh writes a shell script and returns the command that runs it as the user of the test.
func sh(t *testing.T, text string, args ...string) script.Command {
	t.Helper()
	path := write(t, "script", "#!/bin/sh\n"+text)
	return script.Command{Argv: append([]string{path}, args...), User: strconv.Itoa(os.Getuid())}
}

func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		output string
		code   int // -1: a signal
	}{
		"success":   {`echo "$1" and "$2"; echo problem >&2`, "a  b and $HOME\nproblem\n", 0},
		"failure":   {"echo no; exit 3", "no\n", 3},
		"signal":    {"kill -9 $$", "", -1},
		"no stdin":  {"cat; echo end", "end\n", 0},
		"directory": {"pwd", "/\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := script.Run(t.Context(), sh(t, tt.text, "a  b", "$HOME"))
			if output != tt.output {
				t.Errorf("output %q, want %q", output, tt.output)
			}
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Error(err)
			}
			if code != tt.code {
				t.Errorf("%v, want status %d", err, tt.code)
			}
		})
	}
	if children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err != nil || len(children) > 0 {
		t.Errorf("%v: left %q", err, children)
	}
}

// A command can't get at the terminal of whoever started us.
func TestSession(t *testing.T) {
	output, err := script.Run(t.Context(), sh(t, "cut -d' ' -f1,5,6,7 /proc/$$/stat"))
	var pid, group, session, terminal int
	if _, e := fmt.Sscan(output, &pid, &group, &session, &terminal); err != nil || e != nil || group != pid || session != pid || terminal != 0 {
		t.Errorf("%v %v: pid, group, session and terminal are %q", err, e, output)
	}
}

// Nothing of our environment gets to a command, whose secrets it may hold.
func TestEnvironment(t *testing.T) {
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("SECRET", "x")
	output, err := script.Run(t.Context(), script.Command{Argv: []string{"/usr/bin/env"}, User: strconv.Itoa(os.Getuid())})
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], "PATH=/") || !strings.HasPrefix(lines[1], "HOME=/") {
		t.Errorf("%v: %q", err, output)
	}
}

// What can't be run is refused, and the reason says what to do.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		command script.Command
		want    string
	}{
		"nothing":        {script.Command{}, "no program"},
		"relative":       {script.Command{Argv: []string{"bin/true"}}, "bin/true is no absolute path"},
		"missing":        {script.Command{Argv: []string{dir + "/none"}}, dir + "/none: file does not exist"},
		"directory":      {script.Command{Argv: []string{dir}}, dir + " is no file"},
		"not executable": {script.Command{Argv: []string{plain}}, plain + " is not executable: chmod +x it"},
		"user":           {script.Command{Argv: []string{"/bin/true"}, User: "no-such-user"}, "there is no user no-such-user"},
		"group":          {script.Command{Argv: []string{"/bin/true"}, Group: "no-such-group"}, "there is no group no-such-group"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := script.Run(t.Context(), tt.command)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if again := tt.command.Check(); fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("check says %v", again)
			}
		})
	}
	path := write(t, "script", "echo no interpreter\n")
	_, err := script.Run(t.Context(), script.Command{Argv: []string{path}, User: strconv.Itoa(os.Getuid())})
	if want := path + " is no program; a script begins with a line such as #!/bin/sh"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := script.Run(t.Context(), script.Command{Argv: []string{dir + "/none"}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", err)
	}
}

// The user is the one that the command names, without the groups that the daemon is in.
func TestUser(t *testing.T) {
	as := func(user, group, option string) (string, error) {
		output, err := script.Run(t.Context(), script.Command{Argv: []string{"/usr/bin/id", option}, User: user, Group: group})
		return strings.TrimSpace(output), err
	}
	if os.Geteuid() != 0 {
		if _, err := as("root", "", "-u"); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "can't be run by the user root") {
			t.Errorf("got %v, want that only root can do that", err)
		}
		return
	}
	before, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{0, 4711, 4712}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setgroups(before) })
	for _, tt := range []struct{ user, group, option, want string }{
		{"nobody", "", "-un", "nobody"},
		{"nobody", "", "-G", "65534"},
		{"65534", "", "-u", "65534"},
		{"4711", "", "-u", "4711"},
		{"nobody", "daemon", "-Gn", "daemon"},
		{"nobody", "4711", "-G", "4711"},
		{"root", "", "-G", "0"},
	} {
		if got, err := as(tt.user, tt.group, tt.option); err != nil || got != tt.want {
			t.Errorf("id %s as %s:%s: %v %q, want %q", tt.option, tt.user, tt.group, err, got, tt.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := script.Run(ctx, script.Command{Argv: []string{"/bin/sleep", "1000"}, User: "nobody"}); err == nil || err.Error() != "stopped: context deadline exceeded" {
		t.Errorf("another user's process: %v", err)
	}
	hidden := sh(t, "")
	if err := os.Chmod(filepath.Dir(hidden.Argv[0]), 0o700); err != nil {
		t.Fatal(err)
	}
	hidden.User = "nobody"
	if _, err := script.Run(t.Context(), hidden); err == nil || !strings.Contains(err.Error(), "can't be run by the user nobody: permission denied") {
		t.Errorf("a program that the user can't reach: %v", err)
	}
}

// Root runs no program that somebody else could exchange for another, wherever on the way.
func TestInsecure(t *testing.T) {
	if os.Geteuid() != 0 { // nobody else can make files that are root's: what is insecure is any file of ours
		path := write(t, "script", "#!/bin/sh\n")
		if err := (script.Command{Argv: []string{path}, User: "root"}).Check(); !errors.Is(err, script.ErrInsecure) {
			t.Errorf("got %v", err)
		}
		return
	}
	const someone = 4711
	for name, tt := range map[string]struct {
		change func(dir, program string) error // returns what is run
		want   string
	}{
		"good":                      {func(string, string) error { return nil }, ""},
		"root's group writes":       {func(_, p string) error { return os.Chmod(p, 0o775) }, ""},
		"sticky directory":          {func(d, _ string) error { return os.Chmod(d, 0o777|fs.ModeSticky) }, ""},
		"anybody writes":            {func(_, p string) error { return os.Chmod(p, 0o757) }, "chmod o-w "},
		"a group writes":            {func(_, p string) error { return errors.Join(os.Chown(p, 0, someone), os.Chmod(p, 0o775)) }, "group 4711"},
		"someone in the ACL writes": {func(_, p string) error { return grant(p, someone) }, "setfacl -b "},
		"someone's":                 {func(_, p string) error { return os.Chown(p, someone, 0) }, "user 4711"},
		"someone's directory":       {func(d, _ string) error { return os.Chown(d, someone, 0) }, "user 4711"},
		"open directory":            {func(d, _ string) error { return os.Chmod(d, 0o757) }, "chmod o-w "},
		"through a link": {func(d, p string) error {
			hop := filepath.Join(d, "someones")
			return errors.Join(os.Mkdir(hop, 0o755), os.Chown(hop, someone, 0),
				os.Rename(p, p+".real"), os.Symlink(p+".real", filepath.Join(hop, "hop")), os.Symlink("someones/hop", p))
		}, "someones is not root's"},
		"absolute link": {func(_, p string) error {
			return errors.Join(os.Rename(p, p+".real"), os.Symlink(p+".real", p))
		}, ""},
		"link to a good place": {func(_, p string) error {
			return errors.Join(os.Rename(p, p+".real"), os.Symlink("../"+filepath.Base(filepath.Dir(p))+"/./script.real", p))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := sh(t, "exit 0")
			c.User = "root"
			if err := tt.change(filepath.Dir(c.Argv[0]), c.Argv[0]); err != nil {
				t.Fatal(err)
			}
			_, err := script.Run(t.Context(), c)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!errors.Is(err, script.ErrInsecure) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
			c.User = "nobody"
			if _, err := script.Run(t.Context(), c); err != nil {
				t.Errorf("as nobody: %v", err)
			}
		})
	}
}

// grant lets a user write to a file by its ACL (the form is the kernel's, include/uapi/linux/posix_acl_xattr.h).
func grant(path string, user uint32) error {
	const nobody = math.MaxUint32
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, rights uint16
		id          uint32
	}{{1, 7, nobody}, {2, 7, user}, {4, 5, nobody}, {0x10, 7, nobody}, {0x20, 5, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.rights)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return unix.Setxattr(path, "system.posix_acl_access", list, 0)
}

// within runs a command that is stopped as soon as it has made the file.
func within(t *testing.T, c script.Command, file string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		cancel(lab.Poll(patience, func() error {
			if _, err := os.Stat(file); err != nil {
				return err
			}
			cancel(errors.New("enough"))
			return nil
		}))
	}()
	start := time.Now()
	output, err := script.Run(ctx, c)
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
	return output, err
}

// A command whose time is up is ended with all that it started, also what does not want to.
func TestStopped(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"obeys":                      {`echo begun; echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 1000`, "stopped: enough"},
		"cleans up":                  {`trap 'sleep 0.2; rm "$2"; exit 0' TERM; : > "$2"; echo begun; echo $$ > "$1.new"; mv "$1.new" "$1"; sleep 1000 & wait`, "stopped: enough"},
		"ignores":                    {`trap "" TERM; echo begun; echo $$ > "$1.new"; mv "$1.new" "$1"; while :; do sleep 1; done`, "killed: enough"},
		"grandchild ignores":         {`echo begun; (trap "" TERM; sh -c 'echo $PPID' > "$1.new"; mv "$1.new" "$1"; while :; do sleep 1; done) & wait`, "killed: enough"},
		"silent grandchild ignores":  {`echo begun; (trap "" TERM; sh -c 'echo $PPID' > "$1.new"; mv "$1.new" "$1"; while :; do sleep 1; done) > /dev/null 2>&1 & wait`, "stopped: enough"},
		"leaves a shell that waits":  {`echo begun; sh -c 'trap "" TERM; echo $$ > "$1.new"; mv "$1.new" "$1"; while :; do sleep 1; done' x "$1" & sleep 1000`, "killed: enough"},
		"stopped itself (SIGSTOP)":   {`echo begun; echo $$ > "$1.new"; (until [ "$(cut -d' ' -f3 /proc/$$/stat)" = T ]; do :; done; mv "$1.new" "$1") & kill -STOP $$`, "killed: enough"},
		"closes its output and runs": {`echo begun; exec > /dev/null 2>&1; echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 1000`, "stopped: enough"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file, tidy := filepath.Join(dir, "pid"), filepath.Join(dir, "tidy")
			output, err := within(t, sh(t, tt.text, file, tidy), file)
			if err == nil || err.Error() != tt.want || output != "begun\n" {
				t.Errorf("got %v and output %q, want %s", err, output, tt.want)
			}
			if _, err := os.Stat(tidy); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it had no time to clean up: %v", err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			lab.WaitFor(t, patience, "the process to go", func() error { return alive(pid) })
		})
	}
}

// alive returns an error while there is a process that is no zombie. An orphan's belongs to init.
func alive(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	if strings.HasPrefix(state, "Z") {
		return nil
	}
	return fmt.Errorf("process %d is in state %.1s", pid, state)
}

// Nothing is started for a context that is done.
func TestTooLate(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	file := filepath.Join(t.TempDir(), "file")
	if _, err := script.Run(ctx, sh(t, `: > "$1"`, file)); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was started: %v", err)
	}
}

// A command that leaves something in the background has ended all the same, and what it left may go on writing.
func TestBackground(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := script.Run(t.Context(), sh(t, `(read x < "$1"; echo late; echo "$?" > "$2.new"; mv "$2.new" "$2") & echo early`, fifo, file))
	if err != nil || output != "early\n" {
		t.Errorf("%v: %q", err, output)
	}
	if err := os.WriteFile(fifo, []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.WaitFor(t, patience, "the background process", func() error {
		text, err := os.ReadFile(file)
		if err == nil && string(text) != "0\n" {
			err = fmt.Errorf("writing gave status %q", text)
		}
		return err
	})
}

// A command that writes more than anybody wants to know neither waits nor fills our memory.
func TestMuchOutput(t *testing.T) {
	output, err := script.Run(t.Context(), sh(t, "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"))
	if err != nil || len(output) != 4096 || !strings.HasPrefix(output, "0123456789012345678901234567890123456789\n01") {
		t.Errorf("%v: %d bytes: %.80q", err, len(output), output)
	}
}
