package ipvsnl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// everyCounter is EveryField with different numbers in all that the kernel counts.
func everyCounter() ipvs.Table {
	t := ipvstest.EveryField()
	n := uint64(0)
	next := func() uint64 { n++; return n }
	stats := func(wide uint64) ipvs.Stats {
		return ipvs.Stats{
			Connections: next() + wide, InPackets: next() + wide, OutPackets: next() + wide,
			InBytes: next() + 1<<33, OutBytes: next() + 1<<33, ConnectionsPerSec: next() + wide,
			InPacketsPerSecond: next() + wide, OutPacketsPerSecond: next() + wide,
			InBytesPerSecond: next() + wide, OutBytesPerSecond: next() + wide,
		}
	}
	for i := range t {
		t[i].Stats = stats(1 << 40)
		for j := range t[i].Destinations {
			d := &t[i].Destinations[j]
			d.Stats = stats(1 << 50)
			d.ActiveConns, d.InactiveConns, d.PersistentConns = uint32(next()), uint32(next()), uint32(next())
		}
	}
	t.Sort()
	return t
}

// dumps answers as a kernel with a table.
func dumps(k *wireKernel, t ipvs.Table) func([]message) []event {
	return func(requests []message) []event {
		m := requests[0]
		var d dump
		if m.data[0] == cmdGetService {
			for _, s := range t {
				d.add(k, m.seq, cmdNewService, func(w *builder) { w.serviceStatus(s, k.old) })
			}
		} else {
			c, _ := parseRequest(m)
			if s := t.Find(c.Service.ServiceKey); s != nil {
				for _, status := range s.Destinations {
					d.add(k, m.seq, cmdNewDest, func(w *builder) { w.destinationStatus(status, k.old) })
				}
			}
		}
		d.end(k, m.seq)
		var events []event
		for _, b := range k.queue {
			events = append(events, event{datagram: b})
		}
		k.queue = nil
		return events
	}
}

func TestSnapshotCounters(t *testing.T) {
	for _, part := range []int{1, 4096, datagramLen} {
		t.Run(fmt.Sprintf("parts of %d bytes", part), func(t *testing.T) {
			want := everyCounter()
			c, _ := newScripted(dumps(&wireKernel{part: part}, want))
			got, err := c.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := ipvstest.Diff(got, want); d != "" {
				t.Error(d)
			}
		})
	}
}

// An old kernel has 32-bit statistics only, no tunnels, and servers of the service's family.
func TestSnapshotOldKernel(t *testing.T) {
	var want ipvs.Table
	for _, s := range everyCounter() {
		s.Stats = narrow(s.Stats)
		var d []ipvs.DestinationStatus
		for _, status := range s.Destinations {
			if status.Tunnel == (ipvs.Tunnel{}) && ipvs.FamilyOf(status.Addr.Addr()) == s.Family {
				status.Stats = narrow(status.Stats)
				d = append(d, status)
			}
		}
		s.Destinations = d
		want = append(want, s)
	}
	c, _ := newScripted(dumps(&wireKernel{part: 4096, old: true}, want))
	got, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := ipvstest.Diff(got, want); d != "" {
		t.Error(d)
	}
}

func narrow(s ipvs.Stats) ipvs.Stats {
	for _, n := range []*uint64{
		&s.Connections, &s.InPackets, &s.OutPackets, &s.ConnectionsPerSec, &s.InPacketsPerSecond, &s.OutPacketsPerSecond,
		&s.InBytesPerSecond, &s.OutBytesPerSecond,
	} {
		*n = uint64(uint32(*n))
	}
	return s
}

// A dump that is interrupted or inconsistent is read to its end and then begun again, five times at most.
func TestSnapshotBeginsAgain(t *testing.T) {
	web := ipvs.ServiceStatus{Service: ipvstest.Service("tcp 192.0.2.1:80", "rr")}
	web.Destinations = []ipvs.DestinationStatus{{Destination: ipvstest.NAT("198.51.100.1:80")}}
	empty := ipvs.ServiceStatus{Service: ipvstest.Service("tcp 192.0.2.2:80", "rr")}
	k := &wireKernel{part: 4096}

	// In the answer to a request for cmd, the flag says that the table changed.
	interrupted := func(cmd uint8, end bool) func(m message, events []event) []event {
		return func(m message, events []event) []event {
			if m.data[0] == cmd {
				i := 0
				if end {
					i = len(events) - 1
				}
				flags := native.Uint16(events[i].datagram[6:])
				native.PutUint16(events[i].datagram[6:], flags|uint16(netlink.DumpInterrupted))
			}
			return events
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(message, []event) []event
		table ipvs.Table
	}{
		{"interrupted services", interrupted(cmdGetService, false), ipvs.Table{web}},
		{"interrupted services, told at the end", interrupted(cmdGetService, true), ipvs.Table{web}},
		{"interrupted destinations", interrupted(cmdGetDest, false), ipvs.Table{web}},
		{"interrupted destinations, told at the end", interrupted(cmdGetDest, true), ipvs.Table{web}},
		{"service twice", func(m message, events []event) []event {
			if m.data[0] == cmdGetService {
				return append(events[:1:1], events...)
			}
			return events
		}, ipvs.Table{web}},
		{"destination twice", func(m message, events []event) []event {
			if m.data[0] == cmdGetDest {
				return append(events[:1:1], events...)
			}
			return events
		}, ipvs.Table{web}},
		{"service gone before its destinations were read", nil, ipvs.Table{web, empty}},
	} {
		for _, again := range []int{1, snapshotAttempts - 1, snapshotAttempts} {
			t.Run(fmt.Sprintf("%s, %d times", c.name, again), func(t *testing.T) {
				attempts, dumped := 0, 0
				client, _ := newScripted(func(r []message) []event {
					table := c.table
					if r[0].data[0] == cmdGetService {
						// A table with an empty service is dumped twice each time.
						if dumped++; c.spoil != nil || dumped%2 == 1 {
							attempts++
						} else if attempts <= again {
							table = table[:1]
						}
					}
					events := dumps(k, table)(r)
					if c.spoil != nil && attempts <= again {
						events = c.spoil(r[0], events)
					}
					return events
				})
				got, err := client.Snapshot(t.Context())
				if again == snapshotAttempts {
					if !errors.Is(err, errInterrupted) || !strings.HasSuffix(err.Error(), ", 5 times in a row") {
						t.Errorf("error %v, want interrupted 5 times", err)
					}
					if attempts != snapshotAttempts {
						t.Errorf("gave up after %d attempts, want %d", attempts, snapshotAttempts)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if d := ipvstest.Diff(got, c.table); d != "" || attempts != again+1 {
					t.Errorf("after %d attempts, want %d:\n%s", attempts, again+1, d)
				}
			})
		}
	}
}

func TestSnapshotRefused(t *testing.T) {
	web := ipvs.ServiceStatus{Service: ipvstest.Service("tcp 192.0.2.1:80", "rr")}
	table := dumps(&wireKernel{part: 4096}, ipvs.Table{web})
	for _, c := range []struct {
		name    string
		cmd     uint8
		answer  func(message) []event
		want    string
		wrapped error
	}{
		{
			"services", cmdGetService, func(m message) []event { return []event{datagram(m.reply(ipvs.EPERM))} },
			"read table: " + ipvs.EPERM.Error(), ipvs.EPERM,
		}, {
			"destinations", cmdGetDest, func(m message) []event { return []event{datagram(m.reply(ipvs.EPERM))} },
			"read table: tcp 192.0.2.1:80: " + ipvs.EPERM.Error(), ipvs.EPERM,
		}, {
			"at the end", cmdGetDest, func(m message) []event { return []event{datagram(doneMessage(m.seq, ipvs.ENOMEM))} },
			"read table: tcp 192.0.2.1:80: " + ipvs.ENOMEM.Error(), ipvs.ENOMEM,
		}, {
			"never ending", cmdGetService, func(message) []event { return nil },
			"read table: no answer from the kernel: context deadline exceeded", context.DeadlineExceeded,
		}, {
			"dropped", cmdGetService, func(message) []event { return []event{{err: unix.ENOBUFS}} },
			"read table: no buffer space available", unix.ENOBUFS,
		}, {
			"truncated", cmdGetService, func(m message) []event {
				b := table([]message{m})[0].datagram
				return []event{{datagram: b[:len(b)-4]}}
			}, "read table: malformed netlink message", errMalformed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, s := newScripted(func(r []message) []event {
				if r[0].data[0] == c.cmd {
					return c.answer(r[0])
				}
				return table(r)
			})
			_, err := client.Snapshot(t.Context())
			wantErr(t, err, c.want, c.wrapped)

			// What is left of the dump doesn't get into the next.
			late := s.sent[len(s.sent)-1][0]
			s.queue = append(s.queue, datagram(doneMessage(late.seq, 0)))
			s.answer = table
			if got, err := client.Snapshot(t.Context()); err != nil || len(got) != 1 {
				t.Errorf("the next snapshot: %v, %v", got, err)
			}
		})
	}
}

func TestUnavailableHeals(t *testing.T) {
	c, s := newScripted(dumps(&wireKernel{part: 4096}, ipvs.Table{}))
	s.missing = true
	_, err := c.Snapshot(t.Context())
	wantErr(t, err, "read table: "+ipvs.ErrUnavailable.Error(), ipvs.ErrUnavailable)
	_, err = c.Apply(t.Context(), services(1))
	wantErr(t, err, "change table: "+ipvs.ErrUnavailable.Error(), ipvs.ErrUnavailable)
	s.missing = false
	if got, err := c.Snapshot(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("with the module: %v, %v", got, err)
	}
}
