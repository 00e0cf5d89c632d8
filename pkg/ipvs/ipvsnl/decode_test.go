package ipvsnl

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// Masks with holes, which only others write, count up to the first hole.
func TestPrefixLen(t *testing.T) {
	for _, c := range []struct {
		mask [4]byte
		want uint8
	}{
		{[4]byte{}, 0},
		{[4]byte{0x80}, 1},
		{[4]byte{255}, 8},
		{[4]byte{255, 255, 254}, 23},
		{[4]byte{255, 255, 255, 254}, 31},
		{[4]byte{255, 255, 255, 255}, 32},
		{[4]byte{255, 0, 255, 0}, 8},
		{[4]byte{0, 255, 255, 255}, 0},
	} {
		if got := prefixLen(c.mask); got != c.want {
			t.Errorf("mask %v: /%d, want /%d", c.mask, got, c.want)
		}
	}
}

// Every message that ends too early, at whatever byte, is an error or says less; none is a panic.
func TestDecodeTruncated(t *testing.T) {
	for _, s := range ipvstest.EveryField() {
		var w builder
		w.serviceStatus(s, false)
		for n := range w.b {
			if got, err := decodeService(w.b[:n]); err == nil {
				t.Fatalf("%d of %d bytes decode to %v", n, len(w.b), got)
			}
		}
		for _, d := range s.Destinations {
			w.b = w.b[:0]
			w.destinationStatus(d, false)
			for n := range w.b {
				if got, err := decodeDestination(w.b[:n], s.Family); err == nil {
					t.Fatalf("%d of %d bytes decode to %v", n, len(w.b), got)
				}
			}
		}
	}
}

// An attribute that is shorter than its type is an error, not a zero.
func TestDecodeShortAttribute(t *testing.T) {
	for typ := uint16(svcAF); typ <= svcNetmask; typ++ {
		if typ == svcScheduler || typ == svcAddr {
			continue // of any length
		}
		var w builder
		nest := w.nest(attrService)
		w.u16(svcAF, uint16(ipvs.IPv4))
		w.u32(svcFWMark, 7)
		w.bytes(typ, []byte{1})
		w.endNest(nest)
		if got, err := decodeService(w.b); !errors.Is(err, errMalformed) {
			t.Errorf("attribute %d of one byte: %v, %v", typ, got, err)
		}
	}
}

// Attributes that are new to us are passed over.
func TestDecodeUnknownAttributes(t *testing.T) {
	want := ipvstest.EveryField()[0]
	var w builder
	w.bytes(99, []byte("new"))
	nest := w.nest(attrService)
	w.bytes(77, nil)
	var inner builder
	inner.serviceStatus(want, false)
	w.b = append(w.b, inner.b[attrLen:]...)
	w.bytes(78|0x8000, []byte{1, 2, 3, 4, 5})
	w.endNest(nest)
	if got, err := decodeService(w.b); err != nil || got.Service != want.Service {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// FuzzDecodeTable has the kernel answer with anything: the first part to the dump of services, the second to all dumps
// of destinations.
func FuzzDecodeTable(f *testing.F) {
	var services, destinations builder
	for _, s := range everyCounter()[:4] {
		start := services.begin(testFamily, cmdNewService, 2, 1)
		services.serviceStatus(s, false)
		services.end(start)
	}
	services.b = append(services.b, doneMessage(1, 0)...)
	for _, d := range everyCounter()[1].Destinations[:3] {
		start := destinations.begin(testFamily, cmdNewDest, 2, 2)
		destinations.destinationStatus(d, false)
		destinations.end(start)
	}
	destinations.b = append(destinations.b, doneMessage(2, 0)...)
	f.Add(services.b, destinations.b)
	f.Add(doneMessage(1, ipvs.EPERM), []byte{})
	f.Add(message{seq: 1}.reply(ipvs.EPERM), []byte{})
	f.Fuzz(func(t *testing.T, services, destinations []byte) {
		c, s := newScripted(nil)
		s.answer = func(r []message) []event {
			b := bytes.Clone(destinations)
			if len(s.sent) == 1 {
				b = bytes.Clone(services)
			}
			renumber(b, r[0].seq)
			return []event{{datagram: b}}
		}
		table, err := c.Snapshot(t.Context())
		if err != nil {
			return
		}
		for _, s := range table {
			if s.FWMark == 0 && !s.Addr.IsValid() {
				t.Errorf("service without address: %v", s)
			}
			if table.Find(s.ServiceKey) == nil {
				t.Errorf("the table is not sorted: %v", table)
			}
			for _, d := range s.Destinations {
				if !d.Addr.IsValid() {
					t.Errorf("destination without address: %v", d)
				}
			}
		}
	})
}

// renumber gives all messages a sequence number, as the fuzzer can't know it.
func renumber(b []byte, seq uint32) {
	for len(b) > 0 {
		_, rest, err := cut(b)
		if err != nil {
			return
		}
		native.PutUint32(b[8:], seq)
		b = rest
	}
}

// FuzzDecodeReplies has the kernel answer a transaction with anything: each command is refused at most once, in order.
func FuzzDecodeReplies(f *testing.F) {
	request := message{typ: testFamily, data: make([]byte, 60)}
	var b []byte
	for _, seq := range []uint32{2, 3, 8} {
		request.seq = seq
		b = append(b, request.reply(ipvs.EEXIST)...)
	}
	f.Add(b)
	f.Add(append(b, doneMessage(8, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _ := newScripted(func([]message) []event { return []event{{datagram: b}} })
		commands := services(8)
		refused, _ := c.Apply(t.Context(), commands)
		last := -1
		for _, e := range refused {
			if e.Index <= last || e.Index >= len(commands) || e.Errno == 0 || e.Command != commands[e.Index] {
				t.Errorf("refusal of command %d after %d: %v", e.Index, last, e)
			}
			last = e.Index
		}
	})
}

// BenchmarkDecode is a Snapshot without its system calls.
func BenchmarkDecode(b *testing.B) {
	var w builder
	n := 0
	for _, s := range everyCounter() {
		for _, d := range s.Destinations {
			start := w.begin(testFamily, cmdNewDest, 2, 1)
			w.destinationStatus(d, false)
			w.end(start)
			n++
		}
	}
	w.b = append(w.b, doneMessage(1, 0)...)
	scratch := make([]ipvs.DestinationStatus, 0, n)
	b.ReportAllocs()
	for b.Loop() {
		scratch = scratch[:0]
		a := answer{family: testFamily, seq: 1, each: func(b []byte) error {
			d, err := decodeDestination(b, ipvs.IPv4)
			scratch = append(scratch, d)
			return err
		}}
		if err := a.read([][]byte{w.b}); err != nil || len(scratch) != n {
			b.Fatal(fmt.Errorf("%d of %d: %w", len(scratch), n, err))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/destination")
}
