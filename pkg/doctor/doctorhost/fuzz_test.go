package doctorhost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the control group of a process is called, what doctor names in a command for the operator is one word, and a service.
func FuzzUnit(f *testing.F) {
	for _, text := range []string{"0::/system.slice/keepalived.service\n", "1:name=systemd:/a.service/b.service\n0::/user.slice/user@1.service/x.service", "0::/docker.service", "0::/a b.service", ".service", ""} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := unit(dir); got != "" && (!strings.HasSuffix(got, ".service") || strings.ContainsAny(got, "/\n")) {
			t.Errorf("%q is the service of %q", got, text)
		}
	})
}
