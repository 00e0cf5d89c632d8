package vrrpio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// shelf is a path of a file in memory.
func shelf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ipvsd-") //nolint:usetesting // t.TempDir may be on a disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "record")
}

// left opens a record as a process does that comes next.
func left(t *testing.T, path string) (*RecordFile, *Remains) {
	t.Helper()
	r, remains, err := OpenRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	return r, remains
}

// Nobody goes on before the interfaces are known, and who begins then begins as ever.
func TestRecoverWithoutInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		next := n.process(t, 1, true)
		next.Change([]vrrp.Instance{virtual(7, 150)}, nil)
		if err := next.Recover(t.Context(), new(Remains), map[string]bool{"VI_7": true}); err != nil {
			t.Fatal(err)
		}
		next.Interfaces(eth0(1, 1))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		next.is("VI_7", vrrp.Active)
	})
}

// One that ends without a word leaves what the next one goes on with, in time: the backup notices nothing. Half of a minute later it does not, and
// one that tells the others of its end leaves nothing.
func TestRecover(t *testing.T) {
	path := shelf(t)
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		configured := []vrrp.Instance{virtual(7, 150)}
		var remains *Remains
		n.record, remains = left(t, path)
		if remains != nil {
			t.Error("it is empty, and something remains")
		}
		active := n.start(t, 1, configured...)
		n.record = nil
		backup := n.start(t, 2, virtual(7, 100))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		active.is("VI_7", vrrp.Active)
		since := active.status("VI_7").Since

		began := active.began
		again := func(pause time.Duration, want vrrp.State) *router {
			t.Helper()
			time.Sleep(pause)
			n.record, remains = left(t, path)
			if remains == nil {
				t.Fatal("nothing remains")
			}
			next := n.process(t, 1, true)
			n.record = nil
			next.set(func(p *port) { p.began = began })
			next.Change(configured, nil) // first: without, it is ready at once
			next.Interfaces(eth0(1, 1))
			<-next.Ready()
			if err := next.Recover(t.Context(), remains, map[string]bool{"VI_7": true}); err != nil {
				t.Fatal(err)
			}
			next.is("VI_7", want)
			return next
		}
		killed := func(r *router) {
			r.Abandon()
			<-r.done
		}
		killed(active)
		next := again(1500*time.Millisecond, vrrp.Active)
		if s := next.status("VI_7"); s.Since.Sub(since).Abs() > time.Millisecond || s.Counters.Sent != 1 || s.Counters.BecameActive != 0 {
			t.Errorf("%+v, was active since %v", s, since)
		}
		if got := next.took(); len(got) != 1 || fmt.Sprintf("%T", got[0]) != "vrrp.WentOn" {
			t.Errorf("it tells of %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		next.is("VI_7", vrrp.Active)
		if got := backup.status("VI_7"); got.Counters.BecameActive != 0 {
			t.Errorf("the backup took over: %+v", got.Transitions)
		}

		killed(next)
		late := again(30*time.Second, vrrp.Backup)
		backup.is("VI_7", vrrp.Active)
		if slices.ContainsFunc(late.took(), func(a vrrp.Action) bool { _, went := a.(vrrp.WentOn); return went }) {
			t.Error("it says that it went on")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		late.is("VI_7", vrrp.Active)
		late.cancel()
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after a clean end: %v", err)
		}
		backup.cancel()
	})
}

// When a role is given up, by a switchover, a configuration without the instance, or the end, the record says so before the advert leaves.
func TestRecordResigns(t *testing.T) {
	path := shelf(t)
	synctest.Test(t, func(t *testing.T) {
		n, configured := &lan{}, []vrrp.Instance{virtual(7, 150), virtual(8, 150)}
		n.record, _ = left(t, path)
		began := time.Now()
		resigned := map[uint8]int{}
		goesOn := func(place int) bool {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
				return false
			}
			remains, err := vrrp.ParseRecord(text)
			return err == nil && remains.Left(configured[place:place+1], time.Since(began)) > 0
		}
		n.watch = func(data []byte) {
			message := data[data[0]&15*4:]
			vrid := message[1]
			if message[2] != 0 {
				return
			}
			if resigned[vrid]++; goesOn(int(vrid) - 7) {
				t.Errorf("VRID %d has given up its role, and who comes next would go on with it", vrid)
			}
		}
		r := n.start(t, 1, configured...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !goesOn(0) || !goesOn(1) {
			t.Error("nobody could go on")
		}
		if err := r.Switchover(t.Context(), "VI_7"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.Change(configured[:1], nil)
		time.Sleep(time.Minute)
		r.cancel()
		if resigned[7] != 2 || resigned[8] != 1 {
			t.Errorf("they gave up %v", resigned)
		}
	})
}

// A process that is held writes nothing, and leaves what is there when it ends.
func TestRecordHeld(t *testing.T) {
	path := shelf(t)
	synctest.Test(t, func(t *testing.T) {
		n := &lan{}
		n.record, _ = left(t, path)
		if err := os.WriteFile(path, []byte("another process's"), 0o600); err != nil {
			t.Fatal(err)
		}
		held := n.process(t, 1, true)
		held.Change([]vrrp.Instance{virtual(7, 150)}, nil)
		held.Interfaces(eth0(1, 1))
		<-held.Ready()
		time.Sleep(time.Minute)
		held.cancel()
		if text, err := os.ReadFile(path); string(text) != "another process's" {
			t.Errorf("%q %v", text, err)
		}
	})
}

// Of another boot, garbage, or a symbolic link.
func TestOpenRecord(t *testing.T) {
	path := shelf(t)
	r, _ := left(t, path)
	r.boot[3]++
	r.rec = vrrp.NewRouter().Record(r.boot)
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	if _, remains := left(t, path); remains != nil {
		t.Error("it goes by a record of another boot")
	}
	r.boot[3]--
	r.rec = vrrp.NewRouter().Record(r.boot)
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	if _, remains := left(t, path); remains == nil {
		t.Error("it does not go by one of this boot")
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, remains := left(t, path); remains != nil {
		t.Error("it goes by garbage")
	}
	r.Remove()
	elsewhere := filepath.Join(filepath.Dir(path), "elsewhere")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenRecord(path); err == nil {
		t.Error("it follows a symbolic link")
	}
}
