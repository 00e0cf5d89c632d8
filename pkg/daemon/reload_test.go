package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// A reload that changes no more than the timing of the checks forgets no verdict: a dead server stays out, alpha or not, a
// server that left the file goes at once, and one that somebody deletes is put back.
func TestReloadWithNewTimingKeepsVerdicts(t *testing.T) {
	for _, alpha := range []string{"", "alpha = false\n"} {
		t.Run(alpha, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := strings.Replace(web, "retry = 1\n", "retry = 1\n"+alpha, 1)
				h := start(t, new(ipvstest.Kernel), t.TempDir(), text, second)
				h.pass(10 * time.Second)
				h.wantServing("before", first, third)
				h.kernel.OnChange(func(table ipvs.Table) {
					if table[0].Destination(second) != nil {
						t.Error("a dead server is in the table")
					}
				})
				slower := strings.Replace(text, "delay_loop = 3", "delay_loop = 600", 1)
				h.write(slower)
				if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes)+len(plan.Waiting) != 0 {
					t.Errorf("plan: %v %+v", err, plan)
				}
				if a := h.reloaded(); len(a.Changes)+len(a.Waiting) != 0 {
					t.Errorf("reload: %+v", a)
				}
				h.pass(time.Second)
				h.wantServing("after", first, third)

				h.write(strings.Replace(strings.Replace(slower, "600", "700", 1), `, "198.51.100.3:80"`, "", 1))
				h.reloaded()
				h.pass(time.Second)
				h.wantServing("without the third", first)
				if _, err := h.kernel.Apply(t.Context(), []ipvs.Command{
					{Op: ipvs.DelDestination, Service: ipvs.Service{ServiceKey: webKey}, Destination: ipvs.Destination{Addr: first}},
				}); err != nil {
					t.Fatal(err)
				}
				h.pass(sweep * resync)
				h.wantServing("repaired", first)
				h.stop()
			})
		})
	}
}

// A reload that changes the timing of the checks of one virtual server forgets no verdict that another one's tell: a dead
// server that both have gets no clients, although it would have them unchecked.
func TestReloadWithNewTimingOfSharedServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := strings.Replace(web, "retry = 1\n", "retry = 1\nalpha = false\n", 1)
		two := strings.Replace(one, "192.0.2.1:80", "192.0.2.2:80", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), one+two, second)
		h.pass(10 * time.Second)
		h.wantServing("before", first, third)
		h.write(strings.Replace(one, "delay_loop = 3", "delay_loop = 600", 1) + two)
		if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes) != 0 {
			t.Errorf("plan: %v %+v", err, plan)
		}
		if a := h.reloaded(); len(a.Changes) != 0 {
			t.Errorf("reload: %+v", a)
		}
		h.stop()
	})
}

// A group that becomes several virtual servers with its addresses, or another name, does not lose its quorum for that.
func TestReloadOfAGroupKeepsItsQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const options = "quorum = 2\nhysteresis = 1\nsorry_server = \"198.51.100.9:80\"\n"
		group := "[virtual_server_group.WEB]\naddress = [\"192.0.2.1:80\", \"192.0.2.2:80\"]\n" +
			strings.Replace(web, `address = "192.0.2.1:80"`, `group = "WEB"`, 1) + options
		h := start(t, new(ipvstest.Kernel), t.TempDir(), group)
		h.pass(time.Second)
		h.down.Store(first, true)
		h.down.Store(second, true)
		h.pass(time.Minute)
		h.wantServing("before", third)
		for _, text := range []string{
			strings.ReplaceAll(group, "WEB", "W3"), web + options + strings.Replace(web+options, "192.0.2.1:", "192.0.2.2:", 1), group,
		} {
			h.write(text)
			if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes) != 0 {
				t.Errorf("plan: %v %+v", err, plan)
			}
			if a := h.reloaded(); len(a.Changes) != 0 {
				t.Errorf("reload: %+v", a)
			}
		}
		h.stop()
	})
}

// Servers that are kept until one of the new ones is known to work have clients until then, and all of their time after it.
func TestDrainBeginsWhenClientsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := web + "drain_timeout = 10\n"
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Second)
		h.took.Store(int64(15 * time.Second))
		h.write(strings.Replace(text, `"198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80"`, `"198.51.100.4:80"`, 1))
		h.reloaded()
		h.pass(14 * time.Second)
		h.wantServing("while the new one is checked", first, second, third)
		if err := h.kernel.Count(webKey, first, ipvs.Stats{}, 1, 0); err != nil {
			t.Fatal(err)
		}
		there := func() bool {
			table, err := h.kernel.Snapshot(t.Context())
			return err == nil && table[0].Destination(first) != nil
		}
		h.pass(10 * time.Second)
		h.wantServing("when it is known to work", addr(4))
		if !there() {
			t.Error("a server with a connection is gone before its time")
		}
		if h.pass(2 * time.Second); there() {
			t.Error("a server is there after its time")
		}
		h.stop()
	})
}

// The status of a moment in which a server has just left tells the quorum all the same.
func TestStatusAfterAServerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.write(strings.Replace(web, `, "198.51.100.3:80"`, "", 1))
		h.reloaded()
		for range 2 {
			if q := h.status().Services[0].Quorum; q.State != health.Up || q.Live != 2 {
				t.Errorf("%+v", q)
			}
		}
		h.stop()
	})
}

// A stop doesn't wait for news that nobody takes any more.
func TestStopWithMuchNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		var servers strings.Builder
		for n := range 20000 {
			fmt.Fprintf(&servers, "%q,", fmt.Sprintf("10.0.%d.%d:80", n/250, n%250+1))
		}
		h.write(strings.Replace(web, `"198.51.100.1:80", `, servers.String(), 1))
		if _, err := h.Reload(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		h.stop()
	})
}

// Whatever is where the configuration should be, the daemon says so and goes on: a pipe that nobody writes to, a directory,
// a file without end, nothing.
func TestReloadOfNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, empty, endless := filepath.Join(dir, "pipe"), filepath.Join(dir, "empty"), filepath.Join(dir, "endless")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(empty, nil, 0o600), os.WriteFile(endless, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(endless, dialecthost.MaxBytes+1); err != nil { // a hole
		t.Fatal(err)
	}
	if v := Check(empty, Reading{}); v.Rejected != "" || !strings.Contains(v.Warnings, "there is no virtual_server") {
		t.Errorf("an empty file: %+v", v)
	}
	for path, want := range map[string]string{
		pipe: "not a regular file", dir: "not a regular file", "/dev/zero": "not a regular file",
		endless: "larger than 64 MB", filepath.Join(dir, "absent"): "no such file",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
			h.pass(time.Second)
			h.files.config = path
			if a := h.reloaded(); !strings.Contains(a.Rejected, want) || !strings.Contains(h.log.String(), want) {
				t.Errorf("%s: %q, logged\n%s", path, a.Rejected, h.log)
			}
			h.down.Store(first, true)
			h.pass(5 * time.Second)
			h.wantServing("a server died after it", second, third)
			h.stop()
		})
	}
}

// A reload that the kernel doesn't follow is taken, but says that the table is not as it should be.
func TestReloadWithoutKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.kernel.SetLoaded(false)
		h.write(strings.Replace(web, `"rr"`, `"wlc"`, 1))
		if a := h.reloaded(); len(a.Refused) != 1 || !strings.Contains(a.Refused[0], "modprobe ip_vs") || len(a.Changes)+len(a.Waiting) != 0 {
			t.Errorf("reload: %+v", a)
		}
		h.stop()
	})
}

// A reload tries at once what the kernel refused before, and lists as changes only what was changed.
func TestReloadTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		k.Refuse(func(c ipvs.Command) ipvs.Errno {
			if c.Op == ipvs.NewService {
				return ipvs.ENOENT
			}
			return 0
		})
		h := start(t, k, t.TempDir(), web)
		h.pass(40 * time.Second) // the next attempt is a minute away
		if n := strings.Count(h.log.String(), `level=WARN msg="the kernel refused a change`); n != 1 {
			t.Errorf("logged %d times", n)
		}
		if a := h.reloaded(); len(a.Changes) != 0 || len(a.Refused) != 1 {
			t.Errorf("reload: %+v", a)
		}
		k.Refuse(nil)
		if a := h.reloaded(); len(a.Changes) != 4 || len(a.Refused) != 0 {
			t.Errorf("reload: %+v", a)
		}
		h.wantServing("at once", first, second, third)
		h.stop()
	})
}

// lvs_flush_on_stop doesn't claim what it couldn't do, and then the services stay on record.
func TestFlushOnStopRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), "[global_defs]\nlvs_flush_on_stop = true\n"+web)
		h.pass(time.Second)
		h.kernel.Refuse(func(ipvs.Command) ipvs.Errno { return ipvs.EPERM })
		if err, _ := ask(t.Context(), h.owner, func(context.Context) error { return h.owner.stop() }); err == nil || !strings.Contains(err.Error(), "may still be in the table: delete service tcp 192.0.2.1:80: not permitted") {
			t.Errorf("got %v", err)
		}
		if owned, err := h.files.readOwned(); err != nil || len(owned) != 1 {
			t.Errorf("%v: on record: %v", err, owned)
		}
		h.kernel.Refuse(nil)
		if err := os.Remove(h.files.record); err != nil { // as where it could never be written
			t.Fatal(err)
		}
		h.stop()
		if table, err := h.kernel.Snapshot(t.Context()); err != nil || len(table) != 0 {
			t.Errorf("%v: left %+v", err, table)
		}
	})
}

// lvs_timeouts are kept like the table, through somebody's ipvsadm --set and a module that is loaded anew. What the
// configuration doesn't name is left alone.
func TestTimeoutsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), "[global_defs]\nlvs_timeouts = \"tcp 800\"\n"+web)
		h.pass(time.Second)
		if err := h.kernel.SetTimeouts(t.Context(), ipvs.Timeouts{TCP: 5 * time.Second, UDP: 6 * time.Second}); err != nil {
			t.Fatal(err)
		}
		h.pass(sweep * resync)
		if got, err := h.kernel.Timeouts(t.Context()); err != nil || got.TCP != 800*time.Second || got.UDP != 6*time.Second {
			t.Errorf("%v: %+v", err, got)
		}
		h.kernel.SetLoaded(false)
		h.pass(time.Minute)
		h.kernel.SetLoaded(true)
		h.pass(again + time.Millisecond)
		if got, err := h.kernel.Timeouts(t.Context()); err != nil || got.TCP != 800*time.Second {
			t.Errorf("loaded anew: %v: %+v", err, got)
		}
		h.stop()
	})
}

// One slow round, as when the machine was suspended or too busy in it, doesn't keep drift from being found as soon as ever.
func TestSlowRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.kernel.Refuse(func(ipvs.Command) ipvs.Errno { <-time.After(time.Hour); return 0 })
		h.write(strings.Replace(web, `"rr"`, `"wlc"`, 1))
		h.reloaded()
		h.kernel.Refuse(nil)
		if _, err := h.kernel.Apply(t.Context(), []ipvs.Command{{Op: ipvs.DelService, Service: ipvs.Service{ServiceKey: webKey}}}); err != nil {
			t.Fatal(err)
		}
		h.pass(sweep*resync + time.Millisecond)
		h.wantServing("repaired", first, second, third)
		h.stop()
	})
}

// init_file makes a file before a check reads it, when it is said and not at each reload.
func TestFilesAreMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "weight")
		h := start(t, new(ipvstest.Kernel), dir, web)
		made := strings.Replace(web, "TCP_CHECK", "FILE_CHECK = { track_file = \"w\" }\nTCP_CHECK", 1) +
			fmt.Sprintf("[track_file.w]\nfile = %q\ninit_file = 3\n", path)
		h.write(made)
		if _, err := h.Plan(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a plan makes the file")
		}
		h.reloaded()
		if text, err := os.ReadFile(path); err != nil || string(text) != "3\n" {
			t.Errorf("got %q, %v", text, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		h.reloaded()
		if _, err := os.Stat(path); err == nil {
			t.Error("the file is made again")
		}
		h.stop()
	})
}

// A daemon can't leave its network namespace, and says so as long as its file wants it to.
func TestReloadWithAnotherNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.write("net_namespace = \"blue\"\n" + web)
		for range 2 {
			if a := h.reloaded(); !strings.Contains(a.Warnings, "net_namespace is another one than at the start") {
				t.Errorf("got %+v", a)
			}
		}
		h.write(web)
		if a := h.reloaded(); a.Warnings != "" {
			t.Errorf("got %+v", a)
		}
		h.stop()
	})
}

// Who wants it has the file read again when it changes, each version once, and none that is being written.
func TestAutoReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wanted = "[global_defs]\nautoreload = true\n"
		h := start(t, new(ipvstest.Kernel), t.TempDir(), wanted+web)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.autoReload(ctx)
		}()
		h.pass(10 * time.Second)
		told := func(what string) int { return strings.Count(h.log.String(), what) }
		if n := told("has changed"); n != 1 { // the house has not said what it has read
			t.Fatalf("reloaded %d times\n%s", n, h.log)
		}
		h.pass(time.Minute)
		h.write(wanted + strings.Replace(web, `, "198.51.100.3:80"`, "", 1))
		h.pass(lookEvery)
		h.wantServing("before it is sure", first, second, third)
		h.pass(lookEvery)
		h.wantServing("changed", first, second)
		h.write("nonsense = 1\n")
		h.pass(time.Minute)
		h.wantServing("refused", first, second)
		if n := told("was rejected"); n != 1 {
			t.Errorf("refused %d times\n%s", n, h.log)
		}
		h.write(web)
		h.pass(time.Minute)
		h.wantServing("the last time", first, second, third)
		h.write(strings.Replace(web, `, "198.51.100.3:80"`, "", 1))
		h.pass(time.Minute)
		h.wantServing("nobody wants it", first, second, third)
		cancel()
		<-done
		h.stop()
	})
}
