package connection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

const head = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

// lab is what Linux 6.1 wrote for one of everything: see the test of the same in package daemon.
func lab(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/ip_vs_conn")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// all returns what Read yields, the errors as text.
func all(r io.Reader) (found []Connection, errs []string) {
	for c, err := range Read(r) {
		if err != nil {
			errs = append(errs, err.Error())
		} else {
			found = append(found, c)
		}
	}
	return found, errs
}

// written is an entry as the kernel writes it.
func written(c Connection) string {
	end := func(a netip.AddrPort) string {
		if a.Addr().Is4() {
			return fmt.Sprintf("%08X %04X", a.Addr().As4(), a.Port())
		}
		return fmt.Sprintf("%s %04X", a.Addr().StringExpanded(), a.Port())
	}
	line := fmt.Sprintf("%-3s %s %s %s %-11s %7d", strings.ToUpper(c.Protocol), end(c.Client), end(c.Virtual), end(c.Server), c.State,
		c.Expires/time.Second)
	if c.Engine != "" {
		line += " " + c.Engine + " " + c.EngineData
	}
	return line + "\n"
}

func TestReadLab(t *testing.T) {
	text := lab(t)
	found, errs := all(bytes.NewReader(text))
	if errs != nil {
		t.Fatal(errs)
	}
	var again, out bytes.Buffer
	again.WriteString(head)
	for _, c := range found {
		again.WriteString(written(c))
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Connection
		if err := json.Unmarshal(line, &back); err != nil || back != c {
			t.Errorf("from JSON: %v %+v, want %+v", err, back, c)
		}
		fmt.Fprintf(&out, "%s\n\t%s\n", c.Service(), line)
	}
	if again.String() != string(text) {
		t.Errorf("written again:\n%s", again.String())
	}
	golden.Check(t, "testdata/lab.golden", out.Bytes())
	if byByte, errs := all(iotest.OneByteReader(bytes.NewReader(text))); fmt.Sprint(byByte) != fmt.Sprint(found) || errs != nil {
		t.Errorf("byte by byte: %v %v", errs, byByte)
	}
}

// A line that is not understood is told, with its number, and the ones after it are read.
func TestReadMalformed(t *testing.T) {
	const good = "TCP C6336402 C174 C0000207 0063 0A000002 0063 ESTABLISHED     899\n"
	for _, tt := range []struct {
		name, text string
		entries    int
		errs       string
	}{
		{"nothing", "", 0, `line 1 of the connection table: unexpected EOF in ""`},
		{"a head alone", head, 0, ""},
		{"no head", good + good, 1, "line 1 of the connection table: no head of the columns in"},
		{"an empty line", head + good + "\n" + good, 2, `line 3 of the connection table: no client address and port in ""`},
		{"a cut line", head + good + good[:len(good)-2], 1, "line 3 of the connection table: unexpected EOF in"},
		{"a short client", head + strings.Replace(good, "C6336402", "6336402", 1), 0, "line 2 of the connection table: no client address"},
		{"no hex", head + strings.Replace(good, "C0000207", "C000020G", 1) + good, 1, "no virtual address and port"},
		{"a long port", head + strings.Replace(good, "A000002 0063", "A000002 00630", 1) + good, 1, "no server address and port"},
		{"no state", head + good[:50] + "\n" + good, 1, "line 2 of the connection table: no state and time"},
		{"no time", head + strings.Replace(good, "899", "8x9", 1) + good, 1, "no state and time"},
		{"half an IPv6 address", head + strings.Replace(good, "C6336402", "2001:0db8:0009", 1) + good, 1, "no client address and port"},
		{"other groups", head + strings.Replace(good, "C6336402", "2001:0db8:0009:0000:0000:0000:0000.0002", 1), 0, "no client address and port"},
		{"no end", head + strings.Repeat("x", 3*block) + "\n" + good, 1, "line 2 of the connection table: no end in \"xxx"},
		{"no end at all", head + good + strings.Repeat("x", block), 1, "line 3 of the connection table: no end in"},
	} {
		found, errs := all(strings.NewReader(tt.text))
		if got := strings.Join(errs, "\n"); len(found) != tt.entries || !strings.HasPrefix(got, tt.errs) && !strings.Contains(got, tt.errs) ||
			tt.errs == "" != (errs == nil) || len(errs) > 1 || len(got) > 300 {
			t.Errorf("%s: %d entries and %q, want %d and %q", tt.name, len(found), errs, tt.entries, tt.errs)
		}
	}
}

// What the reader fails with comes last, after what was whole.
func TestReadFails(t *testing.T) {
	text := lab(t)
	broken := errors.New("broken")
	want, _ := all(bytes.NewReader(text))
	n := 0
	var last error
	for _, err := range Read(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken))) {
		if last != nil {
			t.Errorf("goes on after %v", last)
		}
		if last = err; err == nil {
			n++
		}
	}
	if n != len(want) || !errors.Is(last, broken) {
		t.Errorf("%d entries of %d, then %v", n, len(want), last)
	}
}

func TestReadStops(t *testing.T) {
	for range Read(bytes.NewReader(lab(t))) {
		break // must not be called again
	}
}

// Old kernels say something below 2^64 of a timer that has run out.
func TestExpired(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "2147483647": 2147483647 * time.Second, "18446744073709551": 0} {
		found, errs := all(strings.NewReader(head + "UDP C6336402 C174 C0000207 0063 0A000002 0063 UDP " + text + "\n"))
		if len(found) != 1 || found[0].Expires != want {
			t.Errorf("%s: %v %v", text, found, errs)
		}
	}
}

// Every line is either an entry, which is the same when it is written and read again, or an error.
func FuzzRead(f *testing.F) {
	for line := range bytes.Lines(lab(f)) {
		f.Add(line)
	}
	f.Add([]byte("IP_47 ffffffff 0000 00000000 ffff 00000000 0000 X 1 pe  a b "))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsRune(line, '\n') || len(line) == 0 {
			return
		}
		found, errs := all(strings.NewReader(head + string(line) + "\n"))
		if len(found)+len(errs) != 1 {
			t.Fatalf("%d entries, %d errors", len(found), len(errs))
		}
		for _, c := range found {
			if again, errs := all(strings.NewReader(head + written(c))); len(again) != 1 || again[0] != c {
				t.Errorf("%+v is %v %v when written and read again", c, again, errs)
			}
			if c.Service() == "" || !c.Client.IsValid() || !c.Virtual.IsValid() || !c.Server.IsValid() {
				t.Errorf("%+v", c)
			}
		}
	})
}

// long reads a text over and over, after a head.
type long struct {
	text   []byte
	at     int
	rounds int
}

func (l *long) Read(p []byte) (int, error) {
	if l.rounds == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.text[l.at:])
	if l.at += n; l.at == len(l.text) {
		l.at = 0
		l.rounds--
	}
	return n, nil
}

// lines are a thousand entries of a kind, to be read again and again.
func lines(format string) *long {
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, format, 0x0A000000+i, 1024+i)
	}
	return &long{text: text.Bytes(), rounds: 1000}
}

func BenchmarkReadMillion(b *testing.B) {
	for name, format := range map[string]string{
		"inet":  "TCP %08X %04X C0000201 0050 0A000002 0050 ESTABLISHED     899\n",
		"inet6": "TCP 2001:0db8:0009:0000:0000:0000:%04[2]X:0002 %04[2]X 2001:0db8:0000:0000:0000:0000:0000:0001 0050 2001:0db8:0001:0000:0000:0000:0000:0002 0050 TIME_WAIT        59\n",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range Read(io.MultiReader(strings.NewReader(head), lines(format))) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != 1_000_000 {
					b.Fatal(n)
				}
			}
		})
	}
}

// Reading costs no memory for each line.
func TestReadAllocates(t *testing.T) {
	text := head + strings.Repeat("SCTP 2001:0db8:0009:0000:0000:0000:0000:0002 DC86 C0000201 0050 0A000002 0050 SHUTDOWN_ACK_SENT   899 sip \n", 1000)
	allocations := testing.AllocsPerRun(10, func() {
		for _, err := range Read(strings.NewReader(text)) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	if allocations > 20 {
		t.Errorf("%v allocations for 1000 lines", allocations)
	}
}
