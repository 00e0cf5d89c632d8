//go:build kernel

package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// As contrib/systemd/unprivileged.conf has it: a user without any file of root's and with five capabilities programs services,
// checks by ping, has addresses and sets sysctls; the commands that it runs have no capability.
func TestKernelUnprivilegedUser(t *testing.T) {
	h := lab.NewHost(t, "director")
	h.Run("ip", "link", "add", "eth0", "type", "dummy")
	h.Run("ip", "link", "set", "eth0", "up")
	h.Run("ip", "addr", "add", "10.0.0.2/24", "dev", "eth0")
	dir := t.TempDir()
	script, seen := filepath.Join(dir, "script"), filepath.Join(dir, "seen")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ngrep -E 'Uid|CapPrm' /proc/self/status >"+seen+".new && mv "+seen+".new "+seen+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := ipvsd.New(t, h, fmt.Sprintf(`
[global_defs.lvs_sysctl]
expire_nodest_conn = 1
[[virtual_server]]
address = "192.0.2.80:80"
protocol = "TCP"
delay_loop = 1
quorum_up = %q
real_servers = ["10.0.0.2:80"]
[virtual_server.PING_CHECK]
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = 255
state = "MASTER"
virtual_ipaddress = ["192.0.2.80/24"]
`, script))
	const nobody = 65534
	for _, path := range []string{dir, d.Dir, "/run/ipvsd"} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	h.Run("chown", "-R", "nobody", "/run/ipvsd")                 // a network namespace may have the number, and so the lock, of an earlier test's
	for path := dir; path != "/tmp"; path = filepath.Dir(path) { // t.TempDir and the program's directory are root's
		h.Run("chmod", "a+x", path)
	}
	h.Run("chmod", "a+x", filepath.Dir(ipvsd.Program))

	const capabilities = "+net_admin,+net_raw,+net_bind_service,+sys_nice,+ipc_lock"
	d.Env = append(d.Env, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps="+capabilities,
		"--ambient-caps="+capabilities, "--bounding-set=-all,"+capabilities)
	d.Start()
	ipvsd.WaitSaved(t, h, "-A -t 192.0.2.80:80 -s wlc\n-a -t 192.0.2.80:80 -r 10.0.0.2:80 -m -w 1")
	lab.WaitFor(t, ipvsd.Patience, "the address", func() error {
		out, err := h.Output("ip", "-4", "addr", "show", "dev", "eth0")
		if err == nil && !strings.Contains(out, "192.0.2.80/24") {
			err = fmt.Errorf("there is\n%s", out)
		}
		return err
	})
	lab.WaitFor(t, ipvsd.Patience, "the command", func() error {
		got, err := os.ReadFile(seen)
		if want := "Uid:\t65534\t65534\t65534\t65534\nCapPrm:\t0000000000000000\n"; err == nil && string(got) != want {
			t.Fatalf("the command is\n%swant\n%s", got, want)
		}
		return err
	})
	if got := strings.TrimSpace(h.Run("sysctl", "-n", "net.ipv4.vs.expire_nodest_conn")); got != "1" {
		t.Errorf("expire_nodest_conn is %s", got)
	}
	d.Stop()
}
