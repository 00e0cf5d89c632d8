package dialecthost

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The patterns of the shell, tried on files.
func TestGlob(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.conf", "b.conf", "c.txt", ".hidden.conf", "d/e.conf", ".f/g.conf"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ pattern, want string }{
		{"*.conf", "a.conf b.conf"},
		{"[!a].conf", "b.conf"},
		{"{b,a}.conf", "a.conf b.conf"},
		{"{a,{b,c}}.{conf,txt}", "a.conf b.conf c.txt"},
		{"{a}.conf", "a.conf"},
		{"*/*.conf", "d/e.conf"},
		{".f/*", ".f/g.conf"},
		{".*.conf", ".hidden.conf"},
		{"z*", ""},
		{"a.conf", "a.conf"},
		{"a}{.conf", ""},
	} {
		got, err := New().Glob(filepath.Join(dir, tt.pattern))
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], dir+"/")
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, want %q", tt.pattern, got, tt.want)
		}
	}
	if _, err := New().Glob(dir + "/[a"); err == nil || !strings.Contains(err.Error(), "[a: ") {
		t.Errorf("got %v", err)
	}
}

// What is no file with an end is not read, and what is too long altogether neither.
func TestReadFile(t *testing.T) {
	h, dir := New(), t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, dir, "/dev/zero", filepath.Join(dir, "none")} {
		if _, err := h.ReadFile(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := h.ReadFile(file); err != nil || string(text) != "text" {
		t.Errorf("got %q, %v", text, err)
	}
	h.bytes = MaxBytes - 4
	if _, err := h.ReadFile(file); err != nil {
		t.Error(err)
	}
	if _, err := h.ReadFile(file); err == nil || !strings.Contains(err.Error(), "larger than 64 MB") {
		t.Errorf("got %v", err)
	}
}

// resolver answers from a table; a name that isn't in it is never answered.
type resolver map[string][]string

func (r resolver) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if _, known := r[host]; !known {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var all []netip.Addr
	for _, a := range r[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

// A name server that is silent holds nobody up for long, however many names there are.
func TestLookupHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Host{resolver: resolver{"a": {"2001:db8::1", "::ffff:192.0.2.1"}}}
		begin := time.Now()
		for range 100 {
			if _, err := h.LookupHost("silent"); err == nil || !strings.Contains(err.Error(), "silent") || !strings.Contains(err.Error(), "write") {
				t.Fatalf("got %v", err)
			}
		}
		if took := time.Since(begin); took != patienceInAll {
			t.Errorf("it took %s", took)
		}
		h.names = 0
		if got, err := h.LookupHost("a"); err != nil || !slices.Equal(got, []string{"192.0.2.1", "2001:db8::1"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// What every machine has.
func TestThisMachine(t *testing.T) {
	h := New()
	t.Setenv("DIALECT", "x")
	if got := h.Getenv("DIALECT"); got != "x" {
		t.Errorf("got %q", got)
	}
	if name, _ := os.Hostname(); h.Hostname() != name {
		t.Errorf("got %q", h.Hostname())
	}
	if got := h.LookupPort("http", "tcp"); got != 80 {
		t.Errorf("http is %d", got)
	}
	if got := h.LookupPort("frob", "tcp"); got != 0 {
		t.Errorf("frob is %d", got)
	}
	if got, err := h.LookPath("/bin/true"); err != nil || got != "/bin/true" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := h.LookPath("/no/such"); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "/no/such") {
		t.Errorf("got %v", err)
	}
	for _, tt := range []struct {
		name, group string
		want        bool
	}{{"root", "", true}, {"root", "root", true}, {"4000", "", true}, {"no-such-user", "", false}, {"root", "no-such-group", false}, {"root", "7", true}} {
		if got := h.HasAccount(tt.name, tt.group); got != tt.want {
			t.Errorf("%s %s: %v", tt.name, tt.group, got)
		}
	}
}
