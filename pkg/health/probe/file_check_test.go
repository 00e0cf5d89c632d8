package probe_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// fileNumbers is what keepalived 2.2.7 reads from contents, as TestKernelFileCheckIsKeepalived asks it.
var fileNumbers = []struct {
	content string
	number  int32
	warning string // what we say, after the path
}{
	{"0", 0, ""},
	{"1", 1, ""},
	{"-1", -1, ""},
	{"  3  ", 3, ""},
	{"\t-2\n", -2, ""},
	{"4\n", 4, ""},
	{"+5", 5, ""},
	{"6\r\n", 6, ""},
	{"7\n8\n", 7, ""},
	{"0x10", 16, ""},
	{"-0X1f", -31, ""},
	{"017", 15, ""},
	{"08", 0, ""},
	{"0x", 0, ""},
	{"0xg", 0, ""},
	{"1.5", 1, ""},
	{"5abc", 5, ""},
	{"254", 254, ""},
	{"-300", -300, ""},
	{"2147483646", 2147483646, ""},
	{"-2147483646", -2147483646, ""},
	{"", 0, ""},
	{"\n", 0, ""},
	{"abc", 0, `"abc" is no number`},
	{"-", 0, `"-" is no number`},
	{"- 1", 0, `"- 1" is no number`},
	{"99999999999", 0, "99999999999 is too large"},
	{"-99999999999999999999999999", 0, "-99999999999999999999999999 is too large"},
}

func fileCheck(spec health.File) health.Check {
	return health.Check{Type: "FILE_CHECK", Timeout: patience, Spec: spec}
}

func TestFileCheckReadsNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	for _, test := range fileNumbers {
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := probe.Probe(t.Context(), fileCheck(health.File{Path: path, Weight: 1, Weighed: true}))
		want := health.Finding{}
		if test.number != 0 {
			want.Advice = health.Advice{Kind: health.Add, Value: test.number}
		}
		if test.warning != "" {
			want.Warning = path + " counts as 0: " + test.warning
		}
		if err != nil || f != want {
			t.Errorf("%q: %+v, %v; want %+v", test.content, f, err, want)
		}
	}
}

func TestFileCheckWeighs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	for _, test := range []struct {
		content string
		spec    health.File
		add     int32
		fails   string // after the path
	}{
		{"0", health.File{}, 0, ""},
		{"1", health.File{}, 0, " has 1"},
		{"-1", health.File{}, 0, " has -1"},
		{"0", health.File{Reverse: true}, 0, " has 0"},
		{"x", health.File{Reverse: true}, 0, ` counts as 0: "x" is no number`},
		{"1", health.File{Reverse: true}, 0, ""},
		{"0", health.File{Weighed: true, Weight: 3, Reverse: true}, 0, ""},
		{"2", health.File{Weighed: true, Weight: 3}, 6, ""},
		{"2", health.File{Weighed: true, Weight: 3, Reverse: true}, -6, ""},
		{"-2", health.File{Weighed: true, Weight: -3}, 6, ""},
		{"2147483647", health.File{Weighed: true, Weight: 3}, 2147483647, ""},
		{"2147483647", health.File{Weighed: true, Weight: -2}, 0, " has 2147483647, which takes away all weight"},
		{"2147483647", health.File{Weighed: true, Weight: 1, Reverse: true}, 0, " has 2147483647, which takes away all weight"},
		{"2147483646", health.File{Weighed: true, Weight: 1, Reverse: true}, -2147483646, ""},
		{"-2147483648", health.File{Weighed: true, Weight: -2147483647}, 2147483647, ""},
	} {
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		test.spec.Path = path
		f, err := probe.Probe(t.Context(), fileCheck(test.spec))
		if f.Advice.Value != test.add || (f.Advice.Kind == health.Add) != (test.add != 0) ||
			err == nil && test.fails != "" || err != nil && err.Error() != path+test.fails {
			t.Errorf("%q, %+v: %+v, %v; want %d, %q", test.content, test.spec, f, err, test.add, test.fails)
		}
	}
}

func TestFileCheckOfNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	if _, err := probe.Probe(t.Context(), fileCheck(health.File{Path: path, Reverse: true})); err == nil || err.Error() != path+" is not there, which counts as 0" {
		t.Errorf("%v", err)
	}
}

// Nothing that isn't a regular file is read, which may take forever.
func TestFileCheckOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo, loop, long := filepath.Join(dir, "fifo"), filepath.Join(dir, "loop"), filepath.Join(dir, "long")
	err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Symlink(loop, loop), os.WriteFile(long, []byte(strings.Repeat(" ", 1<<20)+"7"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for path, warning := range map[string]string{
		filepath.Join(dir, "missing"):    "",
		filepath.Join(dir, "no", "such"): "",
		long:                             "", // a number comes at the beginning
		dir:                              "not a regular file",
		fifo:                             "not a regular file",
		"/dev/zero":                      "not a regular file",
		filepath.Join(long, "x"):         "open " + filepath.Join(long, "x") + ": not a directory",
		loop:                             "open " + loop + ": too many levels of symbolic links",
	} {
		if warning != "" {
			warning = path + " counts as 0: " + warning
		}
		if f, err := probe.Probe(t.Context(), fileCheck(health.File{Path: path})); err != nil || f.Warning != warning {
			t.Errorf("%s: %q, %v; want %q", path, f.Warning, err, warning)
		}
	}
}

func FuzzFileNumber(f *testing.F) {
	for _, test := range fileNumbers {
		f.Add(test.content)
	}
	path := filepath.Join(f.TempDir(), "n")
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := probe.Probe(t.Context(), fileCheck(health.File{Path: path, Weight: 1, Weighed: true}))
		if found.Warning != "" && (found.Advice != health.Advice{} || err != nil) {
			t.Errorf("%q: %+v, %v", content, found, err)
		}
	})
}

func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	written := func(path, content string) { t.Helper(); must(os.WriteFile(path, []byte(content), 0o600)) }
	written(in("a"), "1")
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan string), make(chan error)
	go func() {
		ended <- probe.WatchFiles(ctx, []string{in("a"), in("b"), in("later", "c"), in("later", "..", "a")}, func(path string) { told <- path })
	}()
	expect := func(why string, paths ...string) {
		t.Helper()
		for len(paths) > 0 {
			select {
			case path := <-told:
				i := 0
				for ; i < len(paths) && paths[i] != path; i++ {
				}
				if i == len(paths) {
					t.Fatalf("%s: told of %s; want %v", why, path, paths)
				}
				paths = append(paths[:i:i], paths[i+1:]...)
			case <-time.After(grace):
				t.Fatalf("%s: not told of %v", why, paths)
			}
		}
	}
	twice := []string{in("a"), in("later", "..", "a")}
	expect("at first", in("a"), in("b"), in("later", "..", "a"))
	written(in("a"), "2")
	expect("written", twice...)
	written(in("other"), "2")
	must(os.Rename(in("other"), in("b")))
	expect("exchanged", in("b"))
	must(os.Rename(in("b"), in("other")))
	expect("moved away", in("b"))
	must(os.Remove(in("a")))
	expect("removed", twice...)
	must(os.Symlink(in("other"), in("b")))
	expect("linked", in("b"))
	// What is being written is not told of before it is whole.
	file, err := os.Create(in("a"))
	must(err)
	expect("created", twice...)
	_, err = file.WriteString("3")
	must(err)
	must(os.Remove(in("b")))
	expect("in between", in("b"))
	must(file.Close())
	expect("closed", twice...)
	// Directories come and go.
	must(os.Mkdir(in("later"), 0o700))
	expect("a new directory", in("later", "c"))
	written(in("later", "c"), "4")
	expect("in it", in("later", "c"), in("later", "c"))
	must(os.Rename(in("later"), in("gone")))
	expect("moved", in("later", "c"))
	must(os.Mkdir(in("later"), 0o700))
	expect("another in its place", in("later", "c"))
	must(os.Remove(in("later")))
	expect("removed", in("later", "c"))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
