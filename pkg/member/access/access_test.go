package access

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// What is wrong with a file is told by its name, never with what is in it.
func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"": "", file("one", "s3cret\nmore\n"): "s3cret", file("bare", "s3cret"): "s3cret", file("windows", "s3cret\r\n"): "s3cret",
		file("empty", "\ns3cret\n"): "error: the first line of", filepath.Join(dir, "none"): "error: no such file", pipe: "error: is no regular file",
		file("long", strings.Repeat("s3cret", limit)): "error: has more than",
	} {
		got, err := Secret(member.Access{Secret: name})
		if part, fails := strings.CutPrefix(want, "error: "); fails {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "s3cret") || got != "" {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		} else if got != want || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	nothing := file("nothing", "no PEM")
	for _, a := range []member.Access{{CA: nothing}, {CA: filepath.Join(dir, "none")}, {Certificate: nothing, Key: nothing}} {
		if _, err := TLS(a); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}
