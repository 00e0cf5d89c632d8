package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// sweeping runs a sweeper.
func sweeping(t *testing.T, k *kernel) *Sweeper {
	t.Helper()
	s := newSweeper(slog.New(slog.NewTextHandler(&k.log, nil)), k.open, func(d ipvs.SyncDaemon) (io.WriteCloser, error) {
		if d.TTL != 0 {
			t.Errorf("a packet for other hosts: %v", d)
		}
		return k, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return s
}

var backup = ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}.Started(ipvs.SyncBackup)

// Connections that have ended are to end in a second, again and again; all others are left alone, and nothing is done without a backup.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		k.set(line(1, "ESTABLISHED"), line(2, "TIME_WAIT"), line(3, "FIN_WAIT"), line(4, "CLOSE"), line(5, "LAST_ACK"),
			strings.Replace(line(6, "NONE"), "TCP", "UDP", 1))
		s := sweeping(t, &k)
		<-time.After(time.Minute)
		if got := k.told(); k.reads > 0 || got != nil {
			t.Errorf("without a backup: %d readings, %q", k.reads, got)
		}
		want := []string{"2:5", "4:6"}
		s.Follow(backup)
		if got := k.told(); !slices.Equal(got, want) {
			t.Errorf("at once: %q, want %q", got, want)
		}
		<-time.After(sweepPause - 1)
		if got := k.told(); got != nil {
			t.Errorf("before the pause is over: %q", got)
		}
		<-time.After(1)
		if got := k.told(); !slices.Equal(got, want) {
			t.Errorf("again: %q, want %q", got, want)
		}
		s.Follow(ipvs.SyncDaemon{})
		<-time.After(time.Minute)
		if got := k.told(); got != nil {
			t.Errorf("after the end: %q", got)
		}
	})
}

// However many have ended, all are told, in packets that every sync daemon takes.
func TestSweepMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		lines := make([]string, 1000)
		for i := range lines {
			lines[i] = line(i, "TIME_WAIT")
		}
		k.set(lines...)
		sweeping(t, &k).Follow(backup)
		if got := k.told(); len(got) != len(lines) || k.packets < len(lines)*36/sweepLen {
			t.Errorf("%d of %d in %d packets", len(got), len(lines), k.packets)
		}
	})
}

// What has ended is told soon after it was read, not at the end of a long table: it may come to life again meanwhile.
func TestSweepSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kernel
		lines := make([]string, 4*sweepLines)
		for i := range lines {
			lines[i] = line(i, "ESTABLISHED")
		}
		lines[1], lines[len(lines)-1] = line(1, "TIME_WAIT"), line(len(lines)-1, "TIME_WAIT")
		k.set(lines...)
		sweeping(t, &k).Follow(backup)
		if got := k.told(); len(got) != 2 || k.packets != 2 {
			t.Errorf("%q in %d packets", got, k.packets)
		}
	})
}

// What is in the way is told once, and tried again.
func TestSweepError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernel{fails: errors.New("network is down")}
		k.set(line(2, "TIME_WAIT"))
		sweeping(t, &k).Follow(backup)
		<-time.After(10 * sweepPause)
		synctest.Wait()
		if log := k.log.String(); strings.Count(log, "network is down") != 1 || k.packets < 5 {
			t.Errorf("%d packets, the log says %q", k.packets, log)
		}
	})
}
