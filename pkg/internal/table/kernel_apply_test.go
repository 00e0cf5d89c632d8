//go:build kernel

package table

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A configuration that nobody confirms leaves the kernel's table again, although the daemon is killed meanwhile: by itself when it is back in
// time, and at the start when it comes too late. One that was confirmed stays.
func TestKernelApply(t *testing.T) {
	h := lab.NewHost(t, "director")
	one := "[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nlb_algo = \"rr\"\nTCP_CHECK = false\nreal_servers = [\"198.51.100.1:80\"]\n"
	two := strings.Replace(one, `.1:80"]`, `.2:80"]`, 1)
	d := ipvsd.Start(t, h, one)
	former := "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1"
	next := strings.Replace(former, "100.1:80", "100.2:80", 1)
	ipvsd.WaitSaved(t, h, former)
	file := filepath.Join(t.TempDir(), "next.toml")
	if err := os.WriteFile(file, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(d.Path("ipvsd.toml")); err != nil || string(text) != want {
			t.Errorf("%v: the file is\n%s", err, text)
		}
	}
	if code, out, errs := ipvsd.RunCtl(t, h, "--socket", d.Path("socket"), "plan", file); code != 2 || !strings.Contains(out, "add real_server 198.51.100.2:80") {
		t.Errorf("plan: exit code %d\n%s%s", code, out, errs)
	}

	if out := d.Ctl("apply", file, "--confirm", "10s", "--reason", "a test"); !strings.Contains(out, "configuration 2 of root") {
		t.Errorf("apply: %s", out)
	}
	ipvsd.WaitSaved(t, h, next)
	wantFile(two)
	if code, _, errs := ipvsd.RunCtl(t, h, "--socket", d.Path("socket"), "reload"); code != 1 || !strings.Contains(errs, "ipvsctl rollback goes back now") {
		t.Errorf("reload: exit code %d: %s", code, errs)
	}
	d.Kill()
	d.Start()
	ipvsd.WaitSaved(t, h, former)
	wantFile(one)

	d.Ctl("apply", file, "--confirm", "1s")
	d.Kill()
	begin := time.Now()
	lab.WaitFor(t, ipvsd.Patience, "the time for the confirmation to be over", func() error {
		if time.Since(begin) < 2*time.Second {
			return errors.New("not yet")
		}
		return nil
	})
	d.Start()
	wantFile(one)
	ipvsd.WaitSaved(t, h, former)

	d.Ctl("apply", file, "--confirm", "1h")
	d.Ctl("confirm")
	d.Kill()
	d.Start()
	ipvsd.WaitSaved(t, h, next)
	wantFile(two)
	out := d.Ctl("history")
	for _, want := range []string{"unconfirmed of 1", "apply", "a test", file} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the history\n%s", want, out)
		}
	}
	d.Ctl("rollback", "1")
	ipvsd.WaitSaved(t, h, former)
	wantFile(one)
}
