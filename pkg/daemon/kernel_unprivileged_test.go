//go:build kernel

package daemon_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const unprivilegedConfig = `
[global_defs]
vrrp_no_swap = true
vrrp_rt_priority = 50
vrrp_priority = -5
[global_defs.api]
listen = ["127.0.0.1:443", "127.0.0.1:9443"]
[global_defs.metrics]
listen = "127.0.0.1:90"
[global_defs.lvs_sync_daemon]
interface = "eth0"
[global_defs.lvs_sysctl]
expire_nodest_conn = 1
[[virtual_server]]
address = "192.0.2.80:80"
protocol = "TCP"
delay_loop = 1
quorum_up = %q
TCP_CHECK = { fwmark = 3, bind_if = "eth0" }
HTTP_GET = { url = { path = "/", status_code = 404 } }
PING_CHECK = true
real_servers = ["10.0.0.2:80"]
[[virtual_server]]
address = "192.0.2.80:81"
protocol = "TCP"
delay_loop = 1
alpha = true
TCP_CHECK = { bind_port = 99 }
real_servers = ["10.0.0.2:80"]
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = 255
state = "MASTER"
use_vmac = true
virtual_ipaddress = ["192.0.2.80/24"]
`

// As contrib/systemd/unprivileged.conf has it: a user without any file of root's and with two capabilities programs services, checks by TCP, HTTP
// and ping, has a virtual router with an interface of its own, sets sysctls, serves the API, and is upgraded in place; the commands that it runs
// have no capability. What needs more says what it lacks, and the rest goes on. With the limits of that file the advert thread lacks nothing.
func TestKernelUnprivilegedUser(t *testing.T) {
	h := lab.NewHost(t, "director")
	h.Run("ip", "link", "add", "eth0", "type", "dummy")
	h.Run("ip", "link", "set", "eth0", "up")
	h.Run("ip", "addr", "add", "10.0.0.2/24", "dev", "eth0")
	web, err := h.Listen("tcp", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()} //nolint:gosec // of a test
	go server.Serve(web)                                    //nolint:errcheck // ends with it
	t.Cleanup(func() { _ = server.Close() })
	dir := t.TempDir()
	script, seen := filepath.Join(dir, "script"), filepath.Join(dir, "seen")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ngrep -E 'Uid|CapPrm' /proc/self/status >"+seen+".new && mv "+seen+".new "+seen+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := ipvsd.New(t, h, fmt.Sprintf(unprivilegedConfig, script))
	for _, dir := range []string{dir, d.Dir} { // t.TempDir and the program's directory are root's
		for path := dir; path != "/tmp"; path = filepath.Dir(path) {
			h.Run("chmod", "a+x", path)
		}
	}
	h.Run("chmod", "a+x", filepath.Dir(ipvsd.Program))
	const capabilities = "+net_admin,+net_raw"
	d.Env = append(d.Env, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps="+capabilities,
		"--ambient-caps="+capabilities, "--bounding-set=-all,"+capabilities)

	h.Run("install", "-d", "-o", "root", "-m", "700", "/run/ipvsd")
	out, err := h.Output(append([]string{"env", "LC_ALL=C"}, d.Command()...)...)
	if err == nil || !strings.Contains(err.Error(), "RuntimeDirectory=ipvsd") {
		t.Fatalf("without its directory in /run it says\n%s%v", out, err)
	}
	h.Run("chown", "-R", "nobody:", "/run/ipvsd", dir, d.Dir) // with what an earlier test left in a namespace of the same number
	h.Run("install", "-d", "-o", "root", "-m", "700", d.Path("state"))
	d.Start()
	const table = "-A -t 192.0.2.80:80 -s wlc\n-a -t 192.0.2.80:80 -r 10.0.0.2:80 -m -w 1\n-A -t 192.0.2.80:81 -s wlc"
	works := func() {
		t.Helper()
		ipvsd.WaitSaved(t, h, table)
		lab.WaitFor(t, ipvsd.Patience, "the address", func() error {
			out, err := h.Output("ip", "-4", "addr", "show", "dev", "vrrp.51")
			if err == nil && !strings.Contains(out, "192.0.2.80/24") {
				err = fmt.Errorf("there is\n%s", out)
			}
			return err
		})
		lab.WaitFor(t, ipvsd.Patience, "the API", func() error {
			_, err := h.Output("curl", "-sSf", "-o", "/dev/null", "http://127.0.0.1:9443/v1/status")
			return err
		})
	}
	works()
	lab.WaitFor(t, ipvsd.Patience, "the sync daemon", func() error {
		out, err := h.Output("ipvsadm", "-Ln", "--daemon")
		if err == nil && !strings.Contains(out, "master sync daemon (mcast=eth0") {
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
	denied := func() string {
		s, err := d.VRRP(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(s.Thread.Denied, "\n")
	}
	d.WaitStatus("the status to say what is lacking", func(s *status.Snapshot) error {
		if !strings.Contains(s.Table.Record, "StateDirectory=ipvsd") {
			return fmt.Errorf("it says %q", s.Table.Record)
		}
		return nil
	})
	for _, want := range []string{"LimitNICE=-5", "LimitMEMLOCK=infinity"} {
		if !strings.Contains(denied(), want) {
			t.Errorf("the advert thread lacks %q, want %s", denied(), want)
		}
	}
	for _, want := range []string{"at=127.0.0.1:443", "at=127.0.0.1:90", "bindto 0.0.0.0:99"} {
		lab.WaitFor(t, ipvsd.Patience, "a word of "+want, func() error {
			log := d.Process.Log()
			if !slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool {
				return strings.Contains(line, want) && strings.Contains(line, "CAP_NET_BIND_SERVICE")
			}) {
				return errors.New(log)
			}
			return nil
		})
	}

	h.Run("chown", "nobody:", d.Path("state"))
	was := d.Process.PID()
	h.Run("prlimit", "--pid", strconv.Itoa(was), "--memlock=unlimited", "--nice=40", "--rtprio=99")
	u, err := d.Upgrade(t.Context())
	if err != nil || u.PID == was {
		t.Fatalf("upgrade: %+v, %v\n%s", u, err, d.Process.Log())
	}
	works()
	if got := h.Run("sh", "-c", fmt.Sprintf("grep -E 'Uid|CapEff' /proc/%d/status", u.PID)); got != "Uid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000003000\n" {
		t.Errorf("after the upgrade it has\n%s", got)
	}
	d.WaitStatus("the records to be written", func(s *status.Snapshot) error {
		if s.Table.Record != "" {
			return fmt.Errorf("it says %q", s.Table.Record)
		}
		return nil
	})
	if got := denied(); strings.Contains(got, "vrrp_priority") || strings.Contains(got, "vrrp_no_swap") || strings.Contains(got, "sched_setattr") {
		t.Errorf("with the limits the advert thread lacks %q", got)
	}
	if err := syscall.Kill(u.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
