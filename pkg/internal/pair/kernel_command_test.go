//go:build kernel

package pair

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// called returns the path of ipvsd under a name.
func called(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(filepath.Join(bin, "ipvsd"), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// code runs a command on a host, and returns its exit code and what it printed.
func code(t *testing.T, h *lab.Host, args ...string) (int, string) {
	t.Helper()
	out, err := h.Output(args...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode(), out + err.Error()
	}
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return 0, out
}

// spoken is code with what is said on stderr in any case.
func spoken(t *testing.T, h *lab.Host, args ...string) (int, string) {
	t.Helper()
	return code(t, h, append([]string{"sh", "-c", `exec "$0" "$@" 2>&1`}, args...)...)
}

// written writes a file and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// withInterface returns a host with an interface that VRRP can use.
func withInterface(t *testing.T) *lab.Host {
	t.Helper()
	h := lab.NewHost(t, "director")
	h.Connect(lab.NewBridge(t, "external", 1500), "eth0", "192.168.1.101/24")
	return h
}

const routerConf = `global_defs {
  router_id lb1
  enable_script_security
  script_user root
}
vrrp_script chk {
  script "/bin/true"
  interval 1
  weight 5
}
vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 100
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret
  }
  track_script {
    chk
  }
  virtual_ipaddress {
    192.168.1.200/24 dev eth0 label eth0:1
  }
  virtual_ipaddress_excluded {
    192.168.1.201
  }
}
virtual_server 192.168.1.200 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 192.168.1.101 8080 {
    weight 2
    TCP_CHECK {
      connect_timeout 2
    }
  }
}
`

// The exit codes of -t are keepalived's own, but for what configTests says otherwise.
func TestKernelConfigTest(t *testing.T) {
	h, ours := withInterface(t), called(t, "keepalived")
	for _, tt := range configTests() {
		conf := written(t, "a.conf", tt.text)
		if got, out := code(t, h, "keepalived", "-t", "-l", "-f", conf); got != tt.theirs {
			t.Errorf("%s: keepalived's exit code is %d, want %d\n%s", tt.name, got, tt.theirs, out)
		}
		if got, out := code(t, h, ours, "-t", "-f", conf); got != tt.ours {
			t.Errorf("%s: the exit code is %d, want %d\n%s", tt.name, got, tt.ours, out)
		}
	}
	log := filepath.Join(t.TempDir(), "log")
	if got, out := code(t, h, ours, "--config-test="+log, "--use-file", written(t, "a.conf", routerConf+"frob 1\n")); got != 5 || strings.Contains(out, "frob") {
		t.Errorf("%d %s", got, out)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "frob") {
		t.Errorf("%v %s", err, text)
	}
	for _, name := range []string{"STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON"} {
		_, theirs := code(t, h, "keepalived", "--signum="+name)
		if _, got := code(t, h, ours, "--signum="+name); got != theirs {
			t.Errorf("signum %s: %q, keepalived's is %q", name, got, theirs)
		}
	}
}

// dumped is what keepalived, theirs or ours, shows of itself when it is asked by signals.
type dumped struct {
	data, stats []string // names of what is in there
	json        []string // keys
}

// keepalivedOf starts a keepalived in the background, has it dump everything and stops it.
func keepalivedOf(t *testing.T, h *lab.Host, program string) (d dumped) {
	t.Helper()
	dir := t.TempDir()
	conf, pidFile := written(t, "a.conf", routerConf), filepath.Join(dir, "pid")
	for _, name := range []string{"data", "stats", "json"} {
		_ = os.Remove("/tmp/keepalived." + name)
	}
	args := []string{program, "-f", conf, "-D", "-p", pidFile, "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "checkers.pid")}
	if got, out := code(t, h, args...); got != 0 {
		t.Fatalf("%q: exit code %d\n%s", args, got, out)
	}
	var pid int
	lab.WaitFor(t, patience, "the pid file", func() error {
		text, err := os.ReadFile(pidFile)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	})
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	lab.WaitFor(t, patience, "the address", func() error {
		if out := h.Run("ip", "-o", "addr", "show", "dev", "eth0"); !strings.Contains(out, "192.168.1.200/24") || !strings.Contains(out, "192.168.1.201/32") {
			return errors.New(out)
		}
		return nil
	})
	got, out := spoken(t, h, args...)
	if said := fmt.Sprintf("already running: another ipvsd is running in this network namespace, as process %d: ", pid); got != 0 ||
		program != "keepalived" && !strings.Contains(out, said) {
		t.Errorf("a second start: %d, want 0 and %q in %s", got, said, out)
	}
	dump := func(signal syscall.Signal, name string) []byte {
		var text []byte
		lab.WaitFor(t, patience, name, func() (err error) {
			if err := syscall.Kill(pid, signal); err != nil {
				return err
			}
			text, err = os.ReadFile("/tmp/keepalived." + name)
			if err == nil && len(text) == 0 {
				err = errors.New("it is empty")
			}
			return err
		})
		return text
	}
	for line := range strings.SplitSeq(string(dump(syscall.SIGUSR1, "data")), "\n") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " =")
		d.data = append(d.data, name)
	}
	for line := range strings.SplitSeq(string(dump(syscall.SIGUSR2, "stats")), "\n") {
		name, _, _ := strings.Cut(line, ":")
		d.stats = append(d.stats, name)
	}
	var list []map[string]map[string]any
	if err := json.Unmarshal(dump(syscall.Signal(36), "json"), &list); err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	for part, values := range list[0] {
		for key, value := range values {
			d.json = append(d.json, fmt.Sprintf("%s.%s is a %T", part, key, value))
		}
	}
	if got := list[0]["data"]; got["state"] != 2.0 || got["vrid"] != 51.0 || got["effective_priority"] != 105.0 ||
		fmt.Sprint(got["vips"]) != "[192.168.1.200/24 dev eth0 scope global label eth0:1 set]" || fmt.Sprint(got["evips"]) != "[192.168.1.201 dev eth0 scope global set]" {
		t.Errorf("%s shows %v", program, got)
	}
	slices.Sort(d.json)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lab.WaitFor(t, patience, "the end", func() error {
		if _, err := os.Stat(pidFile); err == nil {
			return errors.New("the pid file is there")
		}
		return nil
	})
	lab.WaitFor(t, patience, "the process to be gone", func() error {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(text), ") Z ") {
			return errors.New("it is there")
		}
		return nil
	})
	return d
}

// Under keepalived's name it goes into the background as that does, has its pid files, and answers its signals: the same keys in JSON,
// the same lines of counters, and in the data no line that keepalived hasn't.
func TestKernelAsKeepalived(t *testing.T) {
	theirs := keepalivedOf(t, withInterface(t), "keepalived")
	ours := keepalivedOf(t, withInterface(t), called(t, "keepalived"))
	if !slices.Equal(theirs.json, ours.json) {
		t.Errorf("keepalived.json has\n%q, keepalived's\n%q", ours.json, theirs.json)
	}
	if !slices.Equal(theirs.stats, ours.stats) {
		t.Errorf("keepalived.stats has\n%q, keepalived's\n%q", ours.stats, theirs.stats)
	}
	for _, line := range ours.data {
		if !slices.Contains(theirs.data, line) && !strings.HasPrefix(line, "Last transition") {
			t.Errorf("keepalived.data has a line %q that keepalived's has not", line)
		}
	}
}

const balancer = `checktimeout=1
checkinterval=1
autoreload=no
virtual=192.168.1.101:80
        real=192.168.1.101:8080 masq
        service=none
        scheduler=rr
        protocol=tcp
        checktype=on
`

// Under ldirectord's name: the exit codes of an init script, as ldirectord's own, but that a file with mistakes keeps nobody from
// stopping what runs.
func TestKernelAsLdirectord(t *testing.T) {
	ours := called(t, "ldirectord")
	for _, program := range []string{"ldirectord", ours} {
		h := withInterface(t)
		conf := written(t, "l.cf", balancer)
		want := func(wanted int, verb string) {
			t.Helper()
			if got, out := code(t, h, program, conf, verb); got != wanted {
				t.Errorf("%s %s: exit code %d, want %d\n%s", program, verb, got, wanted, out)
			}
		}
		runs := func(wanted int) {
			t.Helper()
			lab.WaitFor(t, patience, fmt.Sprintf("status %d", wanted), func() error {
				if got, out := code(t, h, program, conf, "status"); got != wanted {
					return fmt.Errorf("it is %d: %s", got, out)
				}
				return nil
			})
		}
		want(3, "status")
		want(0, "stop")
		want(1, "reload")
		want(1, "force-reload")
		want(0, "try-restart")
		want(255, "frob")
		if got, out := spoken(t, h, program, conf, "start"); got != 0 || program == ours && strings.Count(out, "quiescent is not written") != 1 {
			t.Errorf("start: %d, and the warning is there %d times in\n%s", got, strings.Count(out, "quiescent is not written"), out)
		}
		runs(0)
		lab.WaitFor(t, patience, "the service", func() error {
			if rows := h.SavedTable(); len(rows) != 2 {
				return fmt.Errorf("%q", rows)
			}
			return nil
		})
		want(0, "start")
		want(0, "reload")
		want(0, "restart")
		runs(0)
		want(0, "try-restart")
		runs(0)
		want(0, "stop")
		runs(3)
		broken := written(t, "broken.cf", "frob=1\n")
		if got, _ := code(t, h, program, broken, "start"); got != 2 {
			t.Errorf("%s: a broken file: %d", program, got)
		}
		if got, _ := code(t, h, program, "/no/such.cf", "start"); got != 1 {
			t.Errorf("%s: no file: %d", program, got)
		}
	}
}

// The OCF agent starts, watches and stops it.
func TestKernelAgent(t *testing.T) {
	const agent = "../../../contrib/ocf/ldirectord"
	h, conf := withInterface(t), written(t, "ocf.cf", balancer)
	env := []string{"env", "OCF_RESKEY_configfile=" + conf, "OCF_RESKEY_ldirectord=" + called(t, "ldirectord"), agent}
	for _, tt := range []struct {
		action string
		code   int
	}{
		{"meta-data", 0}, {"validate-all", 0}, {"monitor", 7}, {"stop", 0}, {"start", 0}, {"monitor", 0}, {"start", 0}, {"reload", 0}, {"monitor", 0},
		{"stop", 0}, {"monitor", 7}, {"frob", 3},
	} {
		if got, out := code(t, h, append(slices.Clone(env), tt.action)...); got != tt.code {
			t.Errorf("%s: exit code %d, want %d\n%s", tt.action, got, tt.code, out)
		}
	}
	broken := "OCF_RESKEY_configfile=" + written(t, "broken.cf", "frob=1\n")
	noFile, noProgram, again := "OCF_RESKEY_configfile=/no/such", "OCF_RESKEY_ldirectord=/no/such", "OCF_RESKEY_CRM_meta_interval=10000"
	for _, tt := range []struct {
		with, action string
		code         int
	}{
		{noFile, "validate-all", 5}, {noFile, "start", 5}, {noFile, "reload", 5}, {noFile, "monitor", 7}, {noFile, "stop", 0},
		{broken, "start", 6}, {broken, "monitor", 7}, {broken, "stop", 0},
		{noProgram, "validate-all", 5}, {noProgram, "start", 5}, {noProgram, "monitor", 7}, {noProgram, "stop", 0}, {noProgram, "meta-data", 0},
	} {
		if got, out := code(t, h, append(slices.Clone(env[:3]), tt.with, agent, tt.action)...); got != tt.code {
			t.Errorf("%s %s: exit code %d, want %d\n%s", tt.with, tt.action, got, tt.code, out)
		}
	}
	if got, _ := code(t, h, append(slices.Clone(env[:3]), noProgram, again, agent, "monitor")...); got != 5 {
		t.Errorf("a monitor of what was started, without the program: %d", got)
	}

	// Its file is changed, and then gone: what runs is seen, and stopped.
	act := func(action string, want int) {
		t.Helper()
		if got, out := code(t, h, append(slices.Clone(env), action)...); got != want {
			t.Errorf("%s: exit code %d, want %d\n%s", action, got, want, out)
		}
	}
	act("start", 0)
	if err := os.WriteFile(conf, []byte("frob=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	act("reload", 6)
	act("monitor", 0)
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	act("monitor", 0)
	act("stop", 0)
	act("monitor", 7)
}

// Where keepalived runs ipvsd doesn't start, says why, and what to do; if it must, it does.
func TestKernelRival(t *testing.T) {
	h, dir := withInterface(t), t.TempDir()
	conf := written(t, "a.conf", routerConf)
	k := h.Start("keepalived", "-n", "-l", "-f", conf, "-p", dir+"/pid", "-r", dir+"/vrrp", "-c", dir+"/check")
	k.WaitLog(patience, "Startup complete")
	ours := []string{called(t, "ipvsd"), "-f", conf, "--socket", dir + "/s", "--state-dir", dir}
	want := fmt.Sprintf("keepalived runs here as pid %d: ", k.PID())
	if got, out := code(t, h, ours...); got != 4 || !strings.Contains(out, want) {
		t.Errorf("%d, want %q in %s", got, want, out)
	}
	elsewhere := withInterface(t)
	impostor := filepath.Join(dir, "keepalived") // which changes nothing
	if out, err := exec.Command("cp", "/bin/sleep", impostor).CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	elsewhere.Start("setpriv", "--reuid=65534", "--clear-groups", impostor, "1000")
	elsewhere.Start(append(slices.Clone(ours[:3]), "--socket", dir+"/e", "--state-dir", dir+"/e.state")...).WaitLog(patience, "msg=started")
	h.Start(append(ours, "--force")...).WaitLog(patience, "another program changes the same table")
}
