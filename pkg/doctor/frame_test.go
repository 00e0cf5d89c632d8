package doctor

import (
	"encoding/hex"
	"strings"
	"testing"
)

func frame(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

const (
	ether4  = "01005e000012 020000000001 0800 "
	ether6  = "333300000012 020000000001 86dd "
	advert4 = ether4 + "45c0 0020 0001 0000 ff70 0000 c0a80165 e0000012  2133 6401 0064 0000 c0a801ca"
	advert6 = ether6 + "6000 0000 0018 70ff fe800000000000000000000000000001 ff020000000000000000000000000012" +
		"3133 9601 0064 0000 20010db8000000000000000000000001"
	advertAH = ether4 + "45c0 0034 0001 0000 ff33 0000 c0a80165 e0000012  7004 0000 c0a80165 00000001 000000000000000000000000  2107 6400 0064 0000"
	sync1    = ether4 + "4500 0024 0001 0000 0111 0000 0a000001 e0000051  d431 2290 0010 0000  0007 0008 0001 0000"
	sync0    = ether4 + "4500 0024 0001 0000 0111 0000 0a000001 e0000051  d431 2290 0010 0000  0107 0008 0000 0000"
)

func TestOverhear(t *testing.T) {
	for text, want := range map[string]Advert{
		advert4:  {From: addr("192.168.1.101"), VRID: 0x33, Priority: 100, Count: 1},
		advert6:  {From: addr("fe80::1"), VRID: 0x33, Priority: 150, Count: 1},
		advertAH: {From: addr("192.168.1.101"), VRID: 7, Priority: 100, Count: 1},
	} {
		if got, ok := OverhearAdvert(frame(t, text)); !ok || got != want {
			t.Errorf("%+v, %t, want %+v", got, ok, want)
		}
	}
	for text, want := range map[string]Sync{
		sync1: {From: addr("10.0.0.1"), SyncID: 7, Version: 1, Count: 1},
		sync0: {From: addr("10.0.0.1"), SyncID: 7, Version: 0, Count: 1},
	} {
		if got, ok := OverhearSync(frame(t, text), 0); !ok || got != want {
			t.Errorf("%+v, %t, want %+v", got, ok, want)
		}
		if got, ok := OverhearSync(frame(t, text), 9000); ok {
			t.Errorf("of another port: %+v", got)
		}
	}
	for _, text := range []string{"", advert4[:60], ether4, ether6 + "60", sync1,
		strings.Replace(advert4, "0001 0000 ff70", "0001 2000 ff70", 1), // a fragment
	} {
		if got, ok := OverhearAdvert(frame(t, strings.TrimSuffix(text, " "))); ok {
			t.Errorf("an advert in %q: %+v", text, got)
		}
	}
	for _, size := range []string{"0007", "0009"} {
		if _, ok := OverhearSync(frame(t, strings.Replace(sync1, "0007 0008", "0007 "+size, 1)), 0); ok {
			t.Error("a sync message of another length")
		}
	}
	na := ether6 + "6000 0000 0018 3aff fe800000000000000000000000000001 ff020000000000000000000000000001" + strings.Repeat("88", 24)
	if m, ok := OverhearNeighbour(frame(t, na)); !ok || len(m) != 24 {
		t.Errorf("%x, %t", m, ok)
	}
	if _, ok := OverhearNeighbour(frame(t, strings.Replace(na, "3aff", "3afe", 1))); ok {
		t.Error("a neighbour from afar")
	}
}

func FuzzOverhear(f *testing.F) {
	for _, text := range []string{advert4, advert6, advertAH, sync1, sync0} {
		f.Add(frame(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := OverhearAdvert(b); ok && (a.Count != 1 || !a.From.IsValid()) {
			t.Errorf("%+v", a)
		}
		if s, ok := OverhearSync(b, 0); ok && (s.Version > 1 || !s.From.IsValid()) {
			t.Errorf("%+v", s)
		}
		if m, ok := OverhearNeighbour(b); ok && len(m) > len(b) {
			t.Error("longer than the frame")
		}
	})
}
