package ipvsnl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

var (
	someDaemon = ipvs.SyncDaemon{
		Interface: "eth1", SyncID: 255, MaxLen: 1400, Group: netip.MustParseAddr("239.1.2.3"), Port: 4711, TTL: 5,
	}
	someDaemon6 = ipvs.SyncDaemon{
		Interface: "bond0.4094", MaxLen: 65487, Group: netip.MustParseAddr("ff05::81"), Port: 65535, TTL: 255,
	}
)

// The bytes of the requests about sync daemons, as a little-endian kernel takes them: nothing that isn't set.
func TestEncodeSyncGolden(t *testing.T) {
	var text strings.Builder
	for _, d := range []ipvs.SyncDaemon{someDaemon, someDaemon6, {Interface: "eth1"}} {
		var w builder
		w.newDaemon(testFamily, 7, ipvs.SyncMaster, d)
		fmt.Fprintf(&text, "start master %v\n", d)
		show(&text, w.b)
	}
	var w builder
	w.delDaemon(testFamily, 7, ipvs.SyncBackup)
	fmt.Fprintln(&text, "stop backup")
	show(&text, w.b)
	golden.Check(t, "testdata/daemons.golden", []byte(text.String()))
}

// A kernel before Linux 4.3 tells no more than the interface and the id.
func TestSyncDaemonsOldKernel(t *testing.T) {
	c, k := newWireClient()
	k.old = true
	started := ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}
	if err := k.kernel.StartSyncDaemon(t.Context(), ipvs.SyncBackup, started); err != nil {
		t.Fatal(err)
	}
	want := started
	want.Group, want.Port, want.TTL = ipvs.SyncGroup, ipvs.SyncPort, ipvs.SyncTTL
	if master, backup, err := c.SyncDaemons(t.Context()); err != nil || master != (ipvs.SyncDaemon{}) || backup != want {
		t.Errorf("master %v, backup %v, %v; want backup %v", master, backup, err, want)
	}
}

// Errors say what was to be done; only the kernel's own refusals are SyncErrors.
func TestSyncErrors(t *testing.T) {
	c, s := newScripted(nil)
	calls := func(ctx context.Context) (read, start, stop error) {
		_, _, read = c.SyncDaemons(ctx)
		return read, c.StartSyncDaemon(ctx, ipvs.SyncMaster, someDaemon), c.StopSyncDaemon(ctx, ipvs.SyncMaster)
	}
	want := func(read, start, stop error, text string, wrapped error, refused bool) {
		t.Helper()
		wantErr(t, read, "read sync daemons: "+text, wrapped)
		for verb, err := range map[string]error{"start": start, "stop": stop} {
			if _, ok := errors.AsType[*ipvs.SyncError](err); ok != refused {
				t.Errorf("%v is a SyncError: %t", err, ok)
			}
			if refused {
				wantErr(t, err, verb+" sync daemon master: "+text, wrapped)
			} else {
				wantErr(t, err, "change sync daemon master: "+text, wrapped)
			}
		}
	}
	s.answer = func(r []message) []event { return []event{datagram(r[len(r)-1].reply(ipvs.EPERM))} }
	read, start, stop := calls(t.Context())
	want(read, start, stop, ipvs.EPERM.Error(), ipvs.EPERM, true)

	s.answer = nil
	read, start, stop = calls(t.Context())
	want(read, start, stop, "no answer from the kernel: context deadline exceeded", context.DeadlineExceeded, false)

	s.missing = true
	read, start, stop = calls(t.Context())
	want(read, start, stop, ipvs.ErrUnavailable.Error(), ipvs.ErrUnavailable, false)
}

// Every message that ends too early, at whatever byte, is an error.
func TestDecodeDaemonTruncated(t *testing.T) {
	for _, d := range []ipvs.SyncDaemon{someDaemon, someDaemon6} {
		var w builder
		w.daemonStatus(ipvs.SyncBackup, d, false)
		if role, got, err := decodeDaemon(w.b); err != nil || role != ipvs.SyncBackup || got != d {
			t.Errorf("%s %v, %v; want %v", role, got, err, d)
		}
		for n := range w.b {
			if role, got, err := decodeDaemon(w.b[:n]); err == nil {
				t.Errorf("%d of %d bytes decode to %s %v", n, len(w.b), role, got)
			}
		}
	}
}

// FuzzDecodeDaemons has the kernel answer the dump of sync daemons with anything.
func FuzzDecodeDaemons(f *testing.F) {
	var w builder
	for role, d := range []ipvs.SyncDaemon{1: someDaemon, 2: someDaemon6} {
		start := w.begin(testFamily, cmdNewDaemon, 2, 1)
		w.daemonStatus(ipvs.SyncRole(role), d, false)
		w.end(start)
	}
	f.Add(append(w.b, doneMessage(1, 0)...))
	f.Add(doneMessage(1, ipvs.EPERM))
	f.Add(message{seq: 1}.reply(ipvs.EPERM))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _ := newScripted(func(r []message) []event {
			b := bytes.Clone(b)
			renumber(b, r[0].seq)
			return []event{{datagram: b}}
		})
		master, backup, err := c.SyncDaemons(t.Context())
		for _, d := range []ipvs.SyncDaemon{master, backup} {
			if d != (ipvs.SyncDaemon{}) && (err != nil || d.Interface == "" || !d.Group.IsValid()) {
				t.Errorf("half a daemon: %+v, %v", d, err)
			}
		}
	})
}
