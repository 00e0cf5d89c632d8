package vip_test

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// What keepalived 2.2.7 sent, as tcpdump saw it.
const (
	ether    = "7282f347ebf1"
	arp      = "ffffffffffff" + ether + "0806" + "0001080006040001" + ether + "c0000209" + "ffffffffffff" + "c0000209"
	naHeader = "333300000001" + ether + "86dd" + "6000000000203aff" +
		"fe800000000000000000000000000009" + "ff020000000000000000000000000001"
	naOption = "0201" + ether
	na       = naHeader + "880007d020000000" + "fe800000000000000000000000000009" + naOption
	naRouter = naHeader + "880087cfa0000000" + "fe800000000000000000000000000009" + naOption
)

var mac = [6]byte{0x72, 0x82, 0xf3, 0x47, 0xeb, 0xf1}

func TestFrame(t *testing.T) {
	for _, c := range []struct {
		name, addr, want string
		router           bool
	}{
		{"gratuitous ARP", "192.0.2.9", arp, false},
		{"IPv4 has no router flag", "192.0.2.9", arp, true},
		{"unsolicited NA", "fe80::9", na, false},
		{"unsolicited NA of a router", "fe80::9", naRouter, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hex.EncodeToString(vip.Frame(mac, netip.MustParseAddr(c.addr), c.router)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// frame makes bytes of hex.
func frame(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARPClaim(t *testing.T) {
	head := "ffffffffffff" + ether + "0806" + "00010800060400"
	for _, c := range []struct {
		name, frame string
		ok          bool
	}{
		{"gratuitous ARP", arp, true},
		{"with padding", arp + "000000000000000000000000", true},
		{"reply", head + "02" + ether + "c0000209" + ether + "c0000201", true},
		{"probe of RFC 5227", head + "01" + ether + "00000000" + "000000000000" + "c0000209", false},
		{"cut", arp[:len(arp)-2], false},
		{"nothing", "", false},
		{"IPv6", na, false},
		{"hardware that isn't Ethernet", "ffffffffffff" + ether + "0806" + "0006080006040001" + ether + "c0000209" + ether + "c0000201", false},
		{"longer addresses", "ffffffffffff" + ether + "0806" + "0001080008100001" + ether + "c0000209" + ether + "c0000201", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := vip.ARPClaim(frame(t, c.frame))
			if ok != c.ok || ok && got != (vip.Claim{Addr: netip.MustParseAddr("192.0.2.9"), MAC: mac}) {
				t.Errorf("%v, %v", got, ok)
			}
		})
	}
}

func TestNAClaim(t *testing.T) {
	head := "88000000" + "20000000" + "fe800000000000000000000000000009"
	for _, c := range []struct {
		name, message string
		ok            bool
	}{
		{"unsolicited", head + naOption, true},
		{"other options before", head + "0e01000000000000" + naOption, true},
		{"no link-layer address", head, false},
		{"source link-layer address only", head + "0101" + ether, false},
		{"option of no length", head + "0200" + ether, false},
		{"option that is longer than the message", head + "0202" + ether, false},
		{"solicitation", "87" + (head + naOption)[2:], false},
		{"unknown code", "8801" + (head + naOption)[4:], false},
		{"cut", head[:len(head)-2], false},
		{"nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := vip.NAClaim(frame(t, c.message))
			if ok != c.ok || ok && got != (vip.Claim{Addr: netip.MustParseAddr("fe80::9"), MAC: mac}) {
				t.Errorf("%v, %v", got, ok)
			}
		})
	}
}

// Whatever comes by the wire is read without harm, and what we send is understood.
func FuzzClaim(f *testing.F) {
	for _, text := range []string{arp, na, naRouter, na[2*54:], ""} {
		f.Add(frame(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := vip.ARPClaim(b); ok {
			if again, ok := vip.ARPClaim(vip.Frame(c.MAC, c.Addr, false)); !ok || again != c {
				t.Errorf("%v is read as %v", c, again)
			}
		}
		if c, ok := vip.NAClaim(b); ok && !c.Addr.Is4In6() {
			if again, ok := vip.NAClaim(vip.Frame(c.MAC, c.Addr, true)[54:]); !ok || again != c {
				t.Errorf("%v is read as %v", c, again)
			}
		}
	})
}
