package connection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

func TestSummary(t *testing.T) {
	found, _ := all(bytes.NewReader(lab(t)))
	s, err := Summarize(Read(bytes.NewReader(lab(t))), 1)
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, service := range s.Services {
		var ofService uint64
		for _, server := range service.Servers {
			var ofServer uint64
			for _, count := range server.States {
				ofServer += count
			}
			if ofServer != server.Entries {
				t.Errorf("%s of %s: %d, and %d by state", server.Addr, service.Service, server.Entries, ofServer)
			}
			ofService += ofServer
		}
		if ofService != service.Entries {
			t.Errorf("%s: %d, and %d by server", service.Service, service.Entries, ofService)
		}
		sum += ofService
	}
	if sum != s.Entries || sum != uint64(len(found)) {
		t.Errorf("%d entries, %d by service, %d in the list", s.Entries, sum, len(found))
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/summary.golden", append(text, '\n'))
}

// entry returns an entry of the i-th client on the i-th port of the virtual address.
func entry(i int) Connection {
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return Connection{Protocol: "tcp", Client: netip.AddrPortFrom(a, 1024), Virtual: netip.AddrPortFrom(a, 80), State: "ESTABLISHED"}
}

// Of any number of clients and services only so many are told apart; the rest is counted.
func TestSummaryIsBounded(t *testing.T) {
	const often, twice, many = 7, 8, 3 * maxGroups
	s, err := Summarize(func(yield func(Connection, error) bool) {
		for i := range many {
			yield(entry(i), nil)
			yield(entry(often), nil)
			if i%2 == 0 {
				yield(entry(twice), nil)
			}
		}
	}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if s.Entries != many*5/2 || s.Other != many-maxGroups || len(s.Services) != maxGroups {
		t.Errorf("%d entries, %d other, %d services", s.Entries, s.Other, len(s.Services))
	}
	if len(s.Clients) != 3 || s.Clients[0].Addr != entry(often).Client.Addr() || s.Clients[1].Addr != entry(twice).Client.Addr() {
		t.Fatalf("clients: %v", s.Clients)
	}
	for i, want := range []uint64{many + 1, many/2 + 1} {
		if got := s.Clients[i].Entries; got > want || got+s.ClientsError < want {
			t.Errorf("%s: %d with an error of %d at most, want %d", s.Clients[i].Addr, got, s.ClientsError, want)
		}
	}
	if s.ClientsError == 0 || s.ClientsError > s.Entries/maxClients {
		t.Errorf("the error is %d", s.ClientsError)
	}
}

func TestSummaryOfNothing(t *testing.T) {
	s, err := Summarize(Read(strings.NewReader(head)), 10)
	text, err2 := json.Marshal(s)
	if want := `{"entries":0,"services":[]}`; err != nil || err2 != nil || string(text) != want {
		t.Errorf("%v %v %s, want %s", err, err2, text, want)
	}
}

// There is no summary of half a list.
func TestSummaryOfBrokenList(t *testing.T) {
	text := lab(t)
	s, err := Summarize(Read(bytes.NewReader(text[:len(text)-5])), 10)
	if s != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v %+v", err, s)
	}
}

func BenchmarkSummary(b *testing.B) {
	for _, top := range []int{0, 10} {
		b.Run(fmt.Sprintf("top=%d", top), func(b *testing.B) {
			for b.Loop() {
				if _, err := Summarize(func(yield func(Connection, error) bool) {
					for i := range 100_000 {
						c := entry(i)
						c.Virtual = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 100)}), 80)
						yield(c, nil)
					}
				}, top); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
