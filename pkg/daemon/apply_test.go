package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// site is a machine on which daemons come and go.
type site struct {
	t      *testing.T
	kernel *ipvstest.Kernel
	dir    string
	boot   string // which start of the machine it is
	since  time.Time
}

func newSite(t *testing.T) *site {
	return &site{t: t, kernel: new(ipvstest.Kernel), dir: t.TempDir(), boot: "first", since: time.Now()}
}

// start starts a daemon with the configuration file that is there, as New and Run do.
func (s *site) start() *house {
	s.t.Helper()
	uptime := func() (string, time.Duration) { return s.boot, time.Since(s.since) }
	boot, since := uptime()
	o := Options{ConfigFile: s.config(), StateDir: s.dir, Log: slog.New(slog.DiscardHandler)}
	p := filesIn(o).resume(o.Log, boot, since)
	text := s.read(s.config())
	h := start(s.t, s.kernel, s.dir, text)
	h.uptime = uptime
	cfg, err := ask(s.t.Context(), h.owner, func(context.Context) *config.Config { return h.cfg })
	if err != nil {
		s.t.Fatal(err)
	}
	h.begin(p, &control.File{Name: s.config(), Text: []byte(text)}, cfg)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.awaitConfirmations(ctx)
	}()
	stop := h.stop
	h.stop = func() {
		cancel()
		<-ended
		stop()
	}
	h.kill = h.stop
	synctest.Wait()
	return h
}

func (s *site) config() string { return filepath.Join(s.dir, "ipvsd.toml") }

func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *site) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// without3 is web without its third server.
var without3 = strings.Replace(web, `, "198.51.100.3:80"`, "", 1)

func (h *house) apply(text string, confirm time.Duration) *status.Answer {
	h.t.Helper()
	a, err := h.Apply(h.t.Context(), control.Application{Name: "/root/new.toml", Text: []byte(text), Taking: control.Taking{Confirm: confirm, Reason: "a test"}})
	if err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
	return a
}

func (h *house) wantHistory(when string, want ...string) {
	h.t.Helper()
	s, err := h.History(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for i := range s.Revisions {
		got = append(got, s.Revisions[i].Why)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		h.t.Errorf("%s: the history is %q, want %q", when, got, want)
	}
}

func wantConflict(t *testing.T, what string, err error, words string) {
	t.Helper()
	c, ok := errors.AsType[*control.ConflictError](err)
	if !ok || !strings.Contains(c.Text, words) {
		t.Errorf("%s: %v, want a conflict with %q", what, err, words)
	}
}

// What is applied is in force and in the file, which keeps its mode, and the former one is in the history.
func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		if err := os.Chmod(s.config(), 0o640); err != nil {
			t.Fatal(err)
		}
		h := s.start()
		h.pass(time.Second)
		a := h.apply(without3, 0)
		if a.Revision != 2 || a.Pending != nil || len(a.Configuration) != 1 || len(a.Changes) != 1 {
			t.Errorf("%+v", a)
		}
		h.wantServing("applied", first, second)
		info, err := os.Stat(s.config())
		if err != nil || info.Mode().Perm() != 0o640 || s.read(s.config()) != without3 {
			t.Errorf("%v: mode %v: %s", err, info.Mode(), s.read(s.config()))
		}
		h.wantHistory("applied", status.ByApply, status.AtStart)
		if a := h.reloaded(); len(a.Changes)+len(a.Configuration) > 0 {
			t.Errorf("a reload after it: %+v", a)
		}
		h.wantHistory("reloaded", status.ByApply, status.AtStart)
		f, err := h.Revision(t.Context(), 1)
		if err != nil || string(f.Text) != web {
			t.Errorf("%v: %+v", err, f)
		}
		if s.read(filepath.Join(s.dir, "history", "1", "config")) != web {
			t.Error("it is not on the disk")
		}
		if _, err := h.Rollback(t.Context(), control.Return{}); err != nil {
			t.Error(err)
		}
		h.pass(time.Second)
		h.wantServing("rolled back", first, second, third)
		h.wantHistory("rolled back", status.ByRollback, status.ByApply, status.AtStart)
		_, err = h.Rollback(t.Context(), control.Return{Number: 9})
		wantConflict(t, "rollback to nothing", err, "there is no configuration 9 in the history: it has 1 to 3")
		h.stop()
		h = s.start()
		h.wantHistory("the same after a restart", status.ByRollback, status.ByApply, status.AtStart)
		h.stop()
	})
}

// A file with errors is neither written nor kept.
func TestApplyOfABadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		a := h.apply(strings.Replace(web, `"TCP"`, `"TPC"`, 1), time.Minute)
		if !strings.Contains(a.Rejected, "ipvsd.toml:4:12: ") || a.Pending != nil || s.read(s.config()) != web {
			t.Errorf("%+v", a)
		}
		h.wantHistory("refused", status.AtStart)
		h.pass(2 * time.Minute)
		h.wantServing("later", first, second, third)
		h.stop()
	})
}

// Without a confirmation the former configuration returns, in force and in the file; meanwhile no other one is taken.
func TestUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		if a := h.apply(without3, time.Minute); a.Pending == nil || a.Pending.Left != time.Minute || a.Pending.Back != 1 || a.Pending.Revision != 2 {
			t.Errorf("%+v", a)
		}
		h.pass(30 * time.Second)
		h.wantServing("meanwhile", first, second)
		if p := h.status().Config.Pending; p == nil || p.Left != 30*time.Second {
			t.Errorf("status: %+v", p)
		}
		for what, err := range map[string]error{
			"apply":    errorOf(h.Apply(t.Context(), control.Application{Text: []byte(web)})),
			"reload":   errorOf(h.Reload(t.Context(), false)),
			"rollback": errorOf(h.Rollback(t.Context(), control.Return{Number: 1})),
		} {
			wantConflict(t, what, err, "configuration 2 waits for its confirmation, for 30s more; without it, configuration 1 returns. ipvsctl confirm keeps it, ipvsctl rollback goes back now")
		}
		h.pass(30*time.Second - time.Millisecond)
		h.wantServing("just before", first, second)
		h.pass(time.Second)
		h.wantServing("after", first, second, third)
		if s.read(s.config()) != web {
			t.Error("the file is still the new one")
		}
		h.wantHistory("after", status.Unconfirmed, status.ByApply, status.AtStart)
		_, err := h.Confirm(t.Context())
		wantConflict(t, "confirm too late", err, "configuration 1 is in force again since")
		if p := h.status().Config.Pending; p != nil {
			t.Errorf("status: %+v", p)
		}
		h.reloaded()
		h.stop()
	})
}

func errorOf[T any](_ T, err error) error { return err }

// A confirmation in time keeps the configuration, over a restart, too.
func TestConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		h.apply(without3, time.Minute)
		h.pass(59 * time.Second)
		if r, err := h.Confirm(t.Context()); err != nil || r.Number != 2 {
			t.Errorf("%v %+v", err, r)
		}
		h.pass(10 * time.Minute)
		h.wantServing("later", first, second)
		_, err := h.Confirm(t.Context())
		wantConflict(t, "a second one", err, "no configuration waits")
		h.stop()
		h = s.start()
		h.pass(10 * time.Minute)
		h.wantServing("after a restart", first, second)
		h.stop()
	})
}

// Rollback without a number ends the wait at once.
func TestRollbackWhilePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		h.apply(without3, time.Hour)
		if a, err := h.Rollback(t.Context(), control.Return{Taking: control.Taking{Reason: "it was wrong"}}); err != nil || a.Revision != 3 {
			t.Errorf("%v %+v", err, a)
		}
		h.pass(time.Second)
		h.wantServing("back", first, second, third)
		if s.read(s.config()) != web || h.status().Config.Pending != nil {
			t.Error("it still waits")
		}
		h.stop()
	})
}

// A daemon that is killed meanwhile goes on waiting when it is back, and goes back when it comes too late, or after another boot.
func TestPendingOverRestarts(t *testing.T) {
	for name, tt := range map[string]struct {
		away    time.Duration
		reboot  bool
		back    bool // at the start
		history []string
	}{
		"in time":  {away: 20 * time.Second, history: []string{status.Unconfirmed, status.ByApply, status.AtStart}},
		"too late": {away: 2 * time.Minute, back: true, history: []string{status.Unconfirmed, status.ByApply, status.AtStart}},
		"reboot":   {away: time.Second, reboot: true, back: true, history: []string{status.Unconfirmed, status.ByApply, status.AtStart}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.write(web)
				h := s.start()
				h.pass(time.Second)
				h.apply(without3, time.Minute)
				h.kill()
				<-time.After(tt.away)
				if tt.reboot {
					s.boot, s.since = "second", time.Now()
				}
				h = s.start()
				if back := s.read(s.config()) == web; back != tt.back {
					t.Errorf("the former file is there: %t", back)
				}
				if waits := h.status().Config.Pending != nil; waits == tt.back {
					t.Errorf("one waits: %t", waits)
				}
				h.pass(time.Minute)
				h.wantServing("in the end", first, second, third)
				if s.read(s.config()) != web {
					t.Error("the file is still the new one")
				}
				if _, err := os.Stat(h.files.pending); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the record is still there: %v", err)
				}
				h.wantHistory("in the end", tt.history...)
				h.stop()
			})
		})
	}
}

// Changes of the file that nobody took are neither overwritten nor lost.
func TestEditedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		s.write(web + "# edited\n")
		_, err := h.Apply(t.Context(), control.Application{Text: []byte(without3)})
		wantConflict(t, "apply", err, "ipvsctl reload takes them, --force overwrites them")
		if _, err := h.Apply(t.Context(), control.Application{Text: []byte(without3), Taking: control.Taking{Force: true, Confirm: time.Minute}}); err != nil {
			t.Fatal(err)
		}
		s.write(without3 + "# edited meanwhile\n")
		h.pass(2 * time.Minute)
		if s.read(s.config()) != web || s.read(s.config()+".edited") != without3+"# edited meanwhile\n" {
			t.Errorf("the file is %s, the other one %s", s.read(s.config()), s.read(s.config()+".edited"))
		}
		h.stop()
	})
}

// Where the file can't be written nothing is taken, and the former one is in force again even so.
func TestFileThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		home, away := filepath.Join(s.dir, "etc"), filepath.Join(s.dir, "gone")
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		h.files.config = filepath.Join(home, "ipvsd.toml")
		h.write(web)
		h.apply(without3, time.Minute)
		if err := os.Rename(home, away); err != nil {
			t.Fatal(err)
		}
		h.pass(61 * time.Second)
		h.wantServing("without a place for the file", first, second, third)
		if !strings.Contains(h.log.String(), "the former configuration is in force again, but not in its file: ") {
			t.Errorf("log:\n%s", h.log)
		}
		h.pass(10 * lookAgain)
		if n := strings.Count(h.log.String(), "msg=reloaded"); n != 2 { // applied, gone back
			t.Errorf("reloaded %d times", n)
		}
		history, err := h.History(t.Context())
		if err != nil || len(history.Revisions) != 3 || history.Revisions[0].Why != status.Unconfirmed {
			t.Errorf("%v: %d in the history: %+v", err, len(history.Revisions), history.Revisions)
		}
		if p := h.status().Config.Pending; p == nil || !strings.Contains(p.String(), "in force again, but its file can't be written") || !strings.Contains(p.Unwritten, home) {
			t.Errorf("status: %v", p)
		}
		if _, err := h.Confirm(t.Context()); err == nil || !strings.Contains(err.Error(), "it is too late: configuration 2 was not confirmed, and configuration 1 is in force again") {
			t.Errorf("confirmed what is not in force: %v", err)
		}
		if err := os.Rename(away, home); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * lookAgain)
		if s.read(h.files.config) != web || h.status().Config.Pending != nil {
			t.Errorf("it was not tried again: %s", s.read(h.files.config))
		}
		if err := os.Rename(home, away); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Apply(t.Context(), control.Application{Text: []byte(without3), Taking: control.Taking{Confirm: time.Minute}}); err == nil {
			t.Error("it was taken")
		}
		h.wantServing("refused", first, second, third)
		if p := h.status().Config.Pending; p != nil {
			t.Errorf("it waits: %+v", p)
		}
		h.stop()
	})
}

// Files that are included belong to a configuration: going back takes them as they were, a rollback says that they are others.
func TestIncludedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.files.config = filepath.Join(s.dir, "keepalived.conf")
		part := filepath.Join(s.dir, "part.conf")
		server := func(n string) string {
			return "virtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 198.51.100." + n + " 80 {\n }\n}\n"
		}
		put := func(name, text string) {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put(part, server("1"))
		h.write("include part.conf\n")
		h.reloaded()
		h.pass(time.Second)
		h.wantServing("included", first)
		h.wantHistory("included", status.ByReload, status.AtStart)
		if _, err := h.Apply(t.Context(), control.Application{Text: []byte(server("2")), Taking: control.Taking{Confirm: time.Minute}}); err != nil {
			t.Fatal(err)
		}
		h.wantServing("applied", second)
		put(part, server("3"))
		h.pass(61 * time.Second)
		h.wantServing("back to what was included", first)

		if _, err := h.Apply(t.Context(), control.Application{Text: []byte(server("2"))}); err != nil {
			t.Fatal(err)
		}
		_, err := h.Rollback(t.Context(), control.Return{Number: 2})
		wantConflict(t, "rollback", err, part+" (changed)")
		put(part, server("1"))
		if _, err := h.Rollback(t.Context(), control.Return{Number: 2}); err != nil {
			t.Error(err)
		}
		h.wantServing("rolled back", first)
		h.stop()
	})
}

// The time for a confirmation is the machine's, whatever its clock says.
func TestTimeLeft(t *testing.T) {
	p := pending{Boot: "first", Deadline: time.Hour}
	for _, tt := range []struct {
		boot  string
		since time.Duration
		want  time.Duration
	}{{"first", time.Minute, 59 * time.Minute}, {"first", 61 * time.Minute, -time.Minute}, {"second", time.Minute, 0}} {
		if got := p.left(tt.boot, tt.since); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// A configuration that is in its file comes into force even if who asked for it goes away meanwhile.
func TestApplyOfOneWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(web)
		h := s.start()
		h.pass(time.Second)
		busy := make(chan struct{})
		go func() {
			_, _ = ask(t.Context(), h.owner, func(context.Context) struct{} {
				<-busy
				return struct{}{}
			})
		}()
		synctest.Wait()
		ctx, hangUp := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := h.Apply(ctx, control.Application{Text: []byte(without3), Taking: control.Taking{Force: true}})
			done <- err
		}()
		synctest.Wait()
		hangUp()
		synctest.Wait()
		close(busy)
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.pass(time.Second)
		if s.read(s.config()) != without3 {
			t.Error("it is not in the file")
		}
		h.wantServing("nobody waits for the answer", first, second)
		h.wantHistory("nobody waits for the answer", "apply", "start")
		h.stop()
	})
}
