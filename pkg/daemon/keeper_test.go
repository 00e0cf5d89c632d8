package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// stick has the disk of a house take nothing from now on, and returns what ends that, and how many attempts there were.
func (h *house) stick() (release func(), tried *atomic.Int64) {
	gate, tried := make(chan struct{}), new(atomic.Int64)
	set := func(write func(string, []byte) error) {
		_, _ = ask(h.t.Context(), h.owner, func(context.Context) struct{} {
			h.keeper.mu.Lock()
			defer h.keeper.mu.Unlock()
			h.keeper.write = write
			return struct{}{}
		})
	}
	set(func(name string, text []byte) error {
		tried.Add(1)
		<-gate
		return writeText(name, text)
	})
	return func() { close(gate) }, tried
}

// A disk that is stuck holds nothing but records: verdicts, orders and reloads go on at once. The status tells it, the newest of each
// record is written when it goes on, and no more often than needed.
func TestStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		release, tried := h.stick()
		for range 20 { // as a name that flaps does
			if _, err := ask(t.Context(), h.owner, func(context.Context) bool { h.recordMembers(); return true }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the first is under way
		}
		before := time.Now()
		h.write(strings.ReplaceAll(web, "192.0.2.1", "192.0.2.2"))
		h.reloaded()
		h.write(web)
		h.reloaded()
		if took := time.Since(before); took > 2*ahead {
			t.Errorf("two reloads waited %v for the disk", took)
		}
		s := h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		if !strings.Contains(s.Record, "the disk has not taken it for 2s") {
			t.Errorf("an order that is not on the disk: %q", s.Record)
		}
		h.wantWeights("all the same", "1:0 2:1 3:1")
		h.pass(slowDisk)
		now := h.status()
		for name, text := range map[string]string{"ours": now.Table.Record, "wishes": now.WishesRecord, "members": now.SourcesRecord} {
			if !strings.Contains(text, "the disk is slow, or stuck, for ") {
				t.Errorf("%s: %q", name, text)
			}
		}
		if owed := h.scrape().Owed; owed < slowDisk {
			t.Errorf("metrics: the disk owes nothing for %v", owed)
		}
		h.down.Store(second, true)
		h.pass(10 * time.Second)
		h.wantWeights("a server that fails meanwhile", "1:0 3:1")

		release()
		synctest.Wait()
		if n := tried.Load(); n != 5 { // members: once what was under way, once the newest; and wishes, what is ours, and the verdicts
			t.Errorf("written %d times", n)
		}
		now = h.status()
		if text := now.Table.Record + now.WishesRecord + now.SourcesRecord; text != "" || h.scrape().Owed != 0 {
			t.Errorf("all is written: %q", text)
		}
		h.kill()
		h = h.again()
		h.wantWeights("after a start", "1:0 3:1")
		h.stop()
	})
}

// What the audit log lost is in the status, and in its text.
func TestAuditTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		_, err := ask(t.Context(), h.owner, func(context.Context) bool {
			h.audited = func() (uint64, string) { return 3, "no space left on device" }
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		s := h.status()
		if err := s.Text(&text, status.Style{}); err != nil {
			t.Fatal(err)
		}
		if s.AuditLost != 3 || !strings.Contains(text.String(), "it can't be written: no space left on device") || !strings.Contains(text.String(), "lost since the start: 3") {
			t.Errorf("%+v\n%s", s, text.String())
		}
		if f := h.scrape(); f.AuditLost != 3 || f.Audit == "" {
			t.Errorf("metrics: %+v", f.Snapshot)
		}
		h.stop()
	})
}

// What is not on the disk when the daemon ends is written then; it waits for a disk that is stuck, but not for ever.
func TestLastRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		release, _ := h.stick()
		h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		time.AfterFunc(time.Second, release)
		h.stop()
		h = h.again()
		h.wantWeights("written at the end", "1:0 2:1 3:1")

		release, _ = h.stick()
		h.ordered(control.Order{Verb: control.Undrain, Server: first.String()})
		before := time.Now()
		h.stop()
		if took := time.Since(before); took != lastWrites {
			t.Errorf("the end took %v", took)
		}
		if log := h.log.String(); !strings.Contains(log, "the disk lacks its last record") || !strings.Contains(log, h.files.wishes) {
			t.Error(log)
		}
		release()
		synctest.Wait()
	})
}

// What could not be written is tried again at the end, without waiting for its time.
func TestLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		obstacle := h.files.wishes + ".new"
		if err := os.Mkdir(obstacle, 0o700); err != nil {
			t.Fatal(err)
		}
		h.ordered(control.Order{Verb: control.Drain, Server: first.String()})
		if err := os.RemoveAll(obstacle); err != nil {
			t.Fatal(err)
		}
		h.stop()
		h = h.again()
		h.wantWeights("after a start", "1:0 2:1 3:1")
		h.stop()
	})
}

// A record that changes all the time leaves room for others, and the disk owes it only since the last time.
func TestBusyRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(slog.New(slog.DiscardHandler))
		written := make(map[string]int)
		k.write = func(name string, _ []byte) error {
			time.Sleep(time.Second)
			written[name]++
			if name == "busy" && written[name] < 20 {
				k.put(name, written[name], "") // something newer came meanwhile
			}
			return nil
		}
		k.put("busy", 0, "")
		k.start()
		time.Sleep(500 * time.Millisecond)
		k.put("other", 0, "")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if !k.await(ctx, "other") {
			t.Error("the other one is not written")
		}
		if owed := k.owed(time.Now()); owed > 3*time.Second {
			t.Errorf("the disk owes something for %v", owed)
		}
		k.close()
		<-k.ended
	})
}

// While another process has the files none is written; what came meanwhile is, if this one goes on. A disk that is stuck is a reason against it.
func TestRestingKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(slog.New(slog.DiscardHandler))
		gate, written := make(chan struct{}, 1), 0
		k.write = func(string, []byte) error {
			<-gate
			written++
			return nil
		}
		k.start()
		k.put("a", 1, "")
		synctest.Wait()
		if _, err := k.rest(t.Context()); err == nil {
			t.Fatal("a write is under way")
		}
		over, end := context.WithCancelCause(t.Context())
		end(errors.New("the daemon stops"))
		if _, err := k.rest(over); err == nil || err.Error() != "the daemon stops" {
			t.Errorf("who no longer asks is told: %v", err)
		}
		gate <- struct{}{}
		synctest.Wait()
		goOn, err := k.rest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k.put("a", 2, "")
		gate <- struct{}{}
		synctest.Wait()
		if written != 1 {
			t.Errorf("written %d times", written)
		}
		goOn()
		synctest.Wait()
		if written != 2 {
			t.Errorf("written %d times when it went on", written)
		}
		k.close()
	})
}
