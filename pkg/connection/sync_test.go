package connection

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// What Linux 6.1 told of these entries in the lab (TestKernelSyncMessage of package relay asks it again).
func TestSyncMessage(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{
			"TCP C6336402 C174 C0000201 0050 0A000002 0050 ESTABLISHED     899",
			"00060024 00000000 0001 c174 0050 0050 00000000 00000384 c6336402 c0000201 0a000002",
		},
		{ // a template
			"TCP C6336402 0000 C0000201 0051 0A000002 0051 ASSURED         299",
			"00060024 00001100 0001 0000 0051 0051 00000000 0000012c c6336402 c0000201 0a000002",
		},
		{ // inactive, which is told twice
			"UDP C6336402 AA1A C0000201 0035 0A000002 0035 UDP             299",
			"00110024 00000000 0000 aa1a 0035 0035 00000000 0000012c c6336402 c0000201 0a000002" +
				"00110024 00000100 0000 aa1a 0035 0035 00000000 0000012c c6336402 c0000201 0a000002",
		},
		{
			"TCP C6336402 AA1A C0000201 0050 0A000002 0050 FIN_WAIT        119",
			"00060024 00000000 0004 aa1a 0050 0050 00000000 00000078 c6336402 c0000201 0a000002" +
				"00060024 00000100 0004 aa1a 0050 0050 00000000 00000078 c6336402 c0000201 0a000002",
		},
		{ // ended, which must not replace what lives
			"TCP C6336402 AA1A C0000201 0050 0A000002 0050 TIME_WAIT       119",
			"00060024 00000100 0005 aa1a 0050 0050 00000000 00000078 c6336402 c0000201 0a000002",
		},
		{ // of a firewall mark
			"IP  C6336402 0000 00000007 0000 0A000002 0000 NONE            299",
			"00000024 00001100 0000 0000 0000 0000 00000007 0000012c c6336402 00000007 0a000002",
		},
		{
			"TCP 2001:0db8:0009:0000:0000:0000:0000:0002 8634 2001:0db8:0000:0000:0000:0000:0000:0001 0050 2001:0db8:0001:0000:0000:0000:0000:0002 0050 SYN_RECV       59",
			"01060048 00000000 0003 8634 0050 0050 00000000 0000003c" +
				"20010db8000900000000000000000002 20010db8000000000000000000000001 20010db8000100000000000000000002",
		},
	} {
		c, err := parse([]byte(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(tt.want, " ", "")
		m := NewSyncMessage(7, 1472)
		if !c.Syncable() || !m.Add(&c, ipvs.NAT) {
			t.Errorf("%s: not told", tt.line)
		}
		entries := len(want) / 2 / 36
		if strings.HasPrefix(want, "01") {
			entries = 1
		}
		size := 8 + len(want)/2
		head := []byte{0, 7, byte(size >> 8), byte(size), byte(entries), 1, 0, 0}
		if got := m.Bytes(); !bytes.Equal(got[:8], head) || hex.EncodeToString(got[8:]) != want || m.Len() != entries {
			t.Errorf("%s\ngot  %x\nwant %x%s", tt.line, got, head, want)
		}
		m.Clear()
		if got := m.Bytes(); len(got) != 8 || got[3] != 8 || m.Len() != 0 {
			t.Errorf("cleared: %x", got)
		}
	}
}

// What no kernel takes, and what this package can't tell is left out.
func TestSyncable(t *testing.T) {
	for _, line := range []string{
		"TCP C6336402 C174 C0000201 0050 0A000002 0050 NEWSTATE          9",
		"AH  C6336402 0000 C0000201 0000 0A000002 0000 ESTABLISHED       9",
		"UDP C6336402 0000 C0000201 13C4 0A000002 13C4 NONE            299 sip abc@host",
		"TCP C6336402 C174 C0000201 0050 2001:0db8:0001:0000:0000:0000:0000:0002 0050 ESTABLISHED 899",
	} {
		c, err := parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if c.Syncable() {
			t.Errorf("%s: it is told", line)
		}
	}
}

// A message takes no more than it has room for, and never more than 255 entries.
func TestSyncMessageRoom(t *testing.T) {
	c, err := parse([]byte("UDP C6336402 AA1A C0000201 0035 0A000002 0035 UDP 299"))
	if err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int]int{8: 0, 79: 0, 80: 2, 1472: 40, 65507: 254} {
		m := NewSyncMessage(0, most)
		for m.Add(&c, ipvs.DR) {
		}
		if m.Len() != want || len(m.Bytes()) > most || len(m.Bytes()) != 8+36*want {
			t.Errorf("%d bytes: %d entries in %d bytes", most, m.Len(), len(m.Bytes()))
		}
	}
}

// Whatever a kernel lists makes a message that is as long as it says.
func FuzzSyncMessage(f *testing.F) {
	f.Add("TCP C6336402 C174 C0000201 0050 0A000002 0050 ESTABLISHED     899")
	for line := range bytes.Lines(lab(f)) {
		f.Add(strings.TrimSpace(string(line)))
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parse([]byte(line))
		if err != nil || !c.Syncable() {
			return
		}
		m := NewSyncMessage(1, 1472)
		if !m.Add(&c, ipvs.NAT) {
			t.Fatal("no room")
		}
		b, entries := m.Bytes(), 0
		for at := 8; at < len(b); at += int(b[at+2])<<8 | int(b[at+3]) {
			entries++
		}
		if int(b[2])<<8|int(b[3]) != len(b) || entries != m.Len() {
			t.Errorf("%x", b)
		}
	})
}
