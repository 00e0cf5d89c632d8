//go:build kernel

package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A configuration that nobody confirms leaves the kernel's table again, although the daemon is killed meanwhile: by itself when it is back in
// time, and at the start when it comes too late. One that was confirmed stays.
func TestKernelApply(t *testing.T) {
	h := lab.NewHost(t, "director")
	one := "[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nlb_algo = \"rr\"\nTCP_CHECK = false\nreal_servers = [\"198.51.100.1:80\"]\n"
	two := strings.Replace(one, `.1:80"]`, `.2:80"]`, 1)
	d := startIPVSD(t, h, one)
	former := "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1"
	next := strings.Replace(former, "100.1:80", "100.2:80", 1)
	waitSaved(t, h, former)
	file := filepath.Join(t.TempDir(), "next.toml")
	if err := os.WriteFile(file, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(d.path("ipvsd.toml")); err != nil || string(text) != want {
			t.Errorf("%v: the file is\n%s", err, text)
		}
	}
	if code, out, errs := ctl(t, h, "--socket", d.path("socket"), "plan", file); code != 2 || !strings.Contains(out, "add real_server 198.51.100.2:80") {
		t.Errorf("plan: exit code %d\n%s%s", code, out, errs)
	}

	if out := d.run("apply", file, "--confirm", "10s", "--reason", "a test"); !strings.Contains(out, "configuration 2 of root") {
		t.Errorf("apply: %s", out)
	}
	waitSaved(t, h, next)
	wantFile(two)
	if code, _, errs := ctl(t, h, "--socket", d.path("socket"), "reload"); code != 1 || !strings.Contains(errs, "ipvsctl rollback goes back now") {
		t.Errorf("reload: exit code %d: %s", code, errs)
	}
	d.kill()
	d.start()
	waitSaved(t, h, former)
	wantFile(one)

	d.run("apply", file, "--confirm", "1s")
	d.kill()
	begin := time.Now()
	lab.WaitFor(t, patience, "the time for the confirmation to be over", func() error {
		if time.Since(begin) < 2*time.Second {
			return errors.New("not yet")
		}
		return nil
	})
	d.start()
	wantFile(one)
	waitSaved(t, h, former)

	d.run("apply", file, "--confirm", "1h")
	d.run("confirm")
	d.kill()
	d.start()
	waitSaved(t, h, next)
	wantFile(two)
	out := d.run("history")
	for _, want := range []string{"unconfirmed of 1", "apply", "a test", file} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the history\n%s", want, out)
		}
	}
	d.run("rollback", "1")
	waitSaved(t, h, former)
	wantFile(one)
}
