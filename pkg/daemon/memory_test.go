package daemon

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// presumed is web with servers that are presumed alive.
var presumed = strings.Replace(web, "TCP_CHECK = true", "alpha = false\nTCP_CHECK = true", 1)

// sinces returns the states of all checks, and since when.
func (h *house) sinces() (list []string) {
	h.t.Helper()
	s, err := h.Checks(h.t.Context(), status.CheckQuery{}, false)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, k := range s.Checks {
		list = append(list, k.State.String()+" since "+k.Since.UTC().Format(time.TimeOnly))
	}
	return list
}

// After a kill verdicts go on: one that a server is down keeps it out although the configuration presumes that it lives, one that it is up
// forgives as many failures as before, and both keep their dates.
func TestVerdictsAfterKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
		h.pass(10 * time.Second)
		h.wantWeights("before", "1:1 3:1")
		before := h.sinces()
		h.kill()
		h.pass(time.Hour)
		h.kernel.Commands()
		h = start(t, h.kernel, h.options.StateDir, presumed, second, third)
		h.wantWeights("after a start", "1:1 3:1")
		if after := h.sinces(); strings.Join(after, ", ") != strings.Join(before, ", ") {
			t.Errorf("the verdicts are %q, and were %q", after, before)
		}
		if done := h.kernel.Commands(); len(done) > 0 {
			t.Errorf("the start did %v", done)
		}
		h.pass(5 * time.Second)
		h.wantWeights("when another one has failed twice", "1:1")
		h.down.Delete(second)
		h.pass(4 * time.Second)
		h.wantWeights("when one came back", "1:1 2:1")
		h.stop()
	})
}

// What the disk says of the last run is not believed against the table, and not at all when it can't be read. Servers that are out stay out until
// they have passed.
func TestVerdictsThatDoNotHold(t *testing.T) {
	for name, memory := range map[string]string{
		"none": "", "unreadable": `{"Checks": [`, "null": "null",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
				h.pass(10 * time.Second)
				h.kill()
				if err := os.WriteFile(h.files.memory, []byte(memory), 0o600); err != nil {
					t.Fatal(err)
				}
				h = start(t, h.kernel, h.options.StateDir, presumed, second)
				h.wantWeights("after a start", "1:1 3:1")
				h.down.Delete(second)
				h.pass(4 * time.Second)
				h.wantWeights("when it passes", "1:1 2:1 3:1")
				h.stop()
			})
		})
	}
}

// A stop may take the table away, and then nothing disproves verdicts that are older than the stop. So the last ones are on the disk after it,
// also those that came within a second of others.
func TestVerdictsAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
		h.pass(10 * time.Second)
		h.memoir.turned()
		synctest.Wait()
		if err := os.Remove(h.files.memory); err != nil {
			t.Fatal(err)
		}
		h.memoir.turned()
		synctest.Wait()
		if _, err := os.Stat(h.files.memory); err == nil {
			t.Fatal("the verdicts were written twice in a second")
		}
		h.stop()
		m, err := h.files.readMemory()
		if err != nil || len(m.Checks) != 3 {
			t.Errorf("after the stop the disk has %d verdicts (%v), want 3", len(m.Checks), err)
		}
	})
}

// What the last run knew counts, too, when the first look at the table fails: then nothing disproves it.
func TestVerdictsWithoutTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
		h.pass(10 * time.Second)
		h.kill()
		h.kernel.Commands()
		h.kernel.FailSnapshot(syscall.EIO)
		h = start(t, h.kernel, h.options.StateDir, presumed, second)
		h.wantWeights("after a start", "1:1 3:1")
		if done := h.kernel.Commands(); len(done) > 0 {
			t.Errorf("the start did %v", done)
		}
		h.stop()
	})
}

// otherKeys returns records as a version writes them whose keys have another form.
func otherKeys(r health.Records, form int) health.Records {
	other := health.Records{KeyForm: form, Checks: make(map[string]health.Record)}
	for key, record := range r.Checks {
		other.Checks["x"+key] = record
	}
	return other
}

// A version that has other keys for the same checks goes on with their verdicts. Without another form another key is another check.
func TestVerdictsByOtherKeys(t *testing.T) {
	for form, stay := range map[int]bool{health.KeyForm + 1: true, health.KeyForm: false, 0: false} {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
			h.pass(10 * time.Second)
			before := h.sinces()
			h.kill()
			m, err := h.files.readMemory()
			m.Records = otherKeys(m.Records, form)
			text, failed := json.Marshal(m)
			if err := errors.Join(err, failed, os.WriteFile(h.files.memory, text, 0o600)); err != nil {
				t.Fatal(err)
			}
			h.pass(time.Hour)
			h = start(t, h.kernel, h.options.StateDir, presumed, second)
			if after := h.sinces(); slices.Equal(after, before) != stay {
				t.Errorf("with keys of the form %d the verdicts are %q, and were %q", form, after, before)
			}
			h.stop()
		})
	}
}

// A verdict of before a boot holds no server out for its hold_down, and has none be presumed alive that was down.
func TestVerdictsOfAnotherBoot(t *testing.T) {
	held := strings.Replace(presumed, "TCP_CHECK = true", "hold_down = \"1h\"\nTCP_CHECK = true", 1)
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), held, second)
		h.pass(10 * time.Second)
		h.kill()
		text, err := os.ReadFile(h.files.memory)
		if err != nil {
			t.Fatal(err)
		}
		boot, _ := uptime()
		if err := os.WriteFile(h.files.memory, []byte(strings.Replace(string(text), boot, "another", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		h = start(t, new(ipvstest.Kernel), h.options.StateDir, held)
		h.pass(10 * time.Second)
		h.wantWeights("after a boot", "1:1 2:1 3:1")
		h.stop()
	})
}

// The record is JSON, of however many checks.
func TestVerdictsAsJSON(t *testing.T) {
	for unchecked, want := range [...]int{3, 2, 1, 0} {
		o, reports := ownerOf(t, 3)
		for i := range unchecked {
			reports[i].Checker.State = health.Unchecked
			o.board.post(reports[i])
		}
		o.keepVerdicts(time.Now())
		var m memory
		if err := json.Unmarshal(o.keeper.records[o.files.memory].text, &m); err != nil || len(m.Checks) != want || m.KeyForm != health.KeyForm {
			t.Errorf("%d verdicts, want %d (%v)", len(m.Checks), want, err)
		}
	}
}

// Results that say what was known have nothing be written.
func TestNoVerdictsWrittenForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), presumed, second)
		h.pass(10 * time.Second)
		if err := os.Remove(h.files.memory); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		if _, err := os.Stat(h.files.memory); err == nil {
			t.Error("the same verdicts were written again")
		}
		h.stop()
	})
}

// A record that is too long to be one is not read.
func TestVerdictsTooLong(t *testing.T) {
	f := filesIn(Options{StateDir: t.TempDir()})
	if err := os.WriteFile(f.memory, []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(f.memory, mostMemory+1); err != nil {
		t.Fatal(err)
	}
	if _, err := f.readMemory(); err == nil || !strings.Contains(err.Error(), "no record of ours") {
		t.Errorf("the error is %v", err)
	}
}

// A start after a boot goes by its checks: the verdicts are those of another table.
func TestVerdictsAfterBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web, second)
		h.pass(10 * time.Second)
		h.kill()
		h = start(t, new(ipvstest.Kernel), h.options.StateDir, web, first, second)
		h.pass(10 * time.Second)
		h.wantWeights("after a boot", "3:1")
		for _, k := range h.sinces()[:1] {
			if !strings.HasPrefix(k, health.Down.String()) {
				t.Errorf("the first is %s", k)
			}
		}
		h.stop()
	})
}
