package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// kernel is a table, and who hears of it.
type kernel struct {
	mu      sync.Mutex
	lines   []string
	heard   []string // the client's port and the state of each entry
	packets int
	reads   int
	fails   error
	log     bytes.Buffer
}

func (k *kernel) set(lines ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = lines
}

func (k *kernel) open() (io.ReadCloser, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	const head = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
	return io.NopCloser(strings.NewReader(head + strings.Join(k.lines, "\n") + "\n")), nil
}

func (k *kernel) Close() error { return nil }

func (k *kernel) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.packets++
	for at := 8; at < len(b); at += int(b[at+2])<<8 | int(b[at+3]) {
		k.heard = append(k.heard, fmt.Sprintf("%d:%d", int(b[at+10])<<8|int(b[at+11]), b[at+9]))
	}
	return len(b), k.fails
}

// told returns what was heard since it was called before.
func (k *kernel) told() []string {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	heard := k.heard
	k.heard = nil
	return heard
}

func line(port int, state string) string {
	return fmt.Sprintf("TCP C6336402 %04X C0000201 0050 0A000002 0050 %-11s     59", port, state)
}

// begin runs a relay with a server that is known.
func begin(t *testing.T, k *kernel) *Relay {
	t.Helper()
	r := newRelay(slog.New(slog.NewTextHandler(&k.log, nil)), k.open, func(ipvs.SyncDaemon) (io.WriteCloser, error) { return k, nil })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	r.Change(Setup{
		Daemon:  ipvs.SyncDaemon{Interface: "eth1", SyncID: 7, MaxLen: 1472},
		Methods: map[netip.AddrPort]ipvs.Forward{netip.MustParseAddrPort("10.0.0.2:80"): ipvs.NAT, netip.MustParseAddrPort("10.0.0.3:0"): ipvs.DR},
	})
	return r
}

// All is told first, then what is new and what changes, then nothing any more; and all once more when it is asked for again.
func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		r := begin(t, &k)
		want := func(when string, want ...string) {
			t.Helper()
			if got := k.told(); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		k.set(line(1, "ESTABLISHED"), line(2, "SYN_RECV"))
		<-time.After(time.Minute)
		want("before anything")
		r.Tell(t.Context(), time.Second)
		want("all", "1:1", "2:3")
		<-time.After(pause)
		want("nothing new")
		k.set(line(1, "ESTABLISHED"), line(2, "ESTABLISHED"), line(4, "SYN_RECV"))
		<-time.After(pause)
		want("news", "2:1", "4:3")
		<-time.After(pause)
		want("no more")
		k.set(line(1, "ESTABLISHED"), line(2, "TIME_WAIT"), line(4, "SYN_RECV"), line(6, "TIME_WAIT"))
		<-time.After(pause)
		want("an end, of one that was told", "2:5")
		k.set(line(1, "ESTABLISHED"), line(2, "ESTABLISHED"), line(4, "SYN_RECV"))
		<-time.After(pause)
		want("its port is used again", "2:1")
		r.Begin(100 * time.Millisecond)
		<-time.After(pause)
		want("it goes on")
		<-time.After(time.Minute)
		r.Begin(100 * time.Millisecond)
		<-time.After(pause)
		want("once more", "1:1", "2:1", "4:3")
		<-time.After(100 * time.Millisecond)
		k.set(line(5, "SYN_RECV"))
		reads := k.reads
		<-time.After(time.Minute)
		want("after the end")
		if k.reads != reads {
			t.Errorf("the table is read %d times after the end", k.reads-reads)
		}
	})
}

// Servers that are not known are not told of, for their method isn't; those that have the port of the service are.
func TestUnknownServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		r := begin(t, &k)
		k.set(strings.Replace(line(1, "ESTABLISHED"), "0A000002 0050", "0A000002 0051", 1), line(2, "ESTABLISHED"),
			strings.Replace(line(3, "ESTABLISHED"), "0A000002 0050", "0A000003 0050", 1), "what is this")
		r.Tell(t.Context(), time.Second)
		if got := k.told(); !slices.Equal(got, []string{"2:1", "3:1"}) {
			t.Errorf("%q", got)
		}
	})
}

// A large table goes out in many packets, with a breath after each burst of them.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		r := begin(t, &k)
		var lines []string
		for i := range 40 * burst * 3 {
			lines = append(lines, line(i, "ESTABLISHED"))
		}
		k.set(lines...)
		began := time.Now()
		r.Tell(t.Context(), time.Minute)
		if took := time.Since(began); k.packets != 3*burst || took != 3*breath || len(k.told()) != len(lines) {
			t.Errorf("%d packets in %v", k.packets, took)
		}
	})
}

// Without a sync daemon nothing is told, and nobody waits.
func TestNothingToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		r := begin(t, &k)
		r.Change(Setup{})
		r.Tell(t.Context(), time.Second)
		r.Begin(time.Second)
		<-time.After(time.Second)
		if k.reads > 0 {
			t.Error("the table was read")
		}
	})
}

// An error ends the telling until it is asked for again, and nobody waits.
func TestError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		k.fails = errors.New("no route to host")
		k.set(line(1, "ESTABLISHED"))
		r := begin(t, &k)
		began := time.Now()
		r.Tell(t.Context(), time.Minute)
		if took := time.Since(began); took > 0 {
			t.Errorf("it waits for %v", took)
		}
		synctest.Wait()
		if log := k.log.String(); strings.Count(log, "no route to host") != 1 {
			t.Errorf("the log says %q", log)
		}
		k.mu.Lock()
		k.fails = nil
		k.mu.Unlock()
		k.told()
		r.Tell(t.Context(), time.Second)
		if got := k.told(); !slices.Equal(got, []string{"1:1"}) {
			t.Errorf("%q", got)
		}
	})
}
