package track

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
)

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		process string // words; the match in front
		comm    string
		argv    string
		want    bool
	}{
		{"- nginx", "nginx", "nginx: master", true},
		{"- nginx", "nginx2", "nginx", false},
		{"- a-very-long-program", "a-very-long-pro", "x", true},
		{"- /usr/sbin/nginx", "nginx", "/usr/sbin/nginx", false},
		{"full /usr/sbin/nginx", "nginx", "/usr/sbin/nginx -g x", true},
		{"full /usr/sbin/nginx", "nginx", "nginx", false},
		{"full kthreadd", "kthreadd", "", false},
		{"- kthreadd", "kthreadd", "", true},
		{"exact a b c", "a", "a b c", true},
		{"exact a b c", "a", "a b c d", false},
		{"exact a", "a", "a", true},
		{"exact a", "a", "a b", false},
		{"partial a b", "a", "a b c", true},
		{"partial a b", "a", "a bb c", false},
		{"partial a b c", "a", "a b", false},
		{"initial a b --conf", "a", "a b --config=x", true},
		{"initial a b --conf", "a", "a bb --config=x", false},
		{"initial a", "a", "a b", true},
		{"-", "a", "a", false},
	} {
		words := strings.Fields(test.process)
		p := config.Process{Argv: words[1:], FullCommand: words[0] == "full"}
		if !p.FullCommand {
			p.Match = strings.Trim(words[0], "-")
		}
		if got := matches(p, program{test.comm, strings.Fields(test.argv)}); got != test.want {
			t.Errorf("%s against %s %q: %v", test.process, test.comm, test.argv, got)
		}
	}
}

func TestJudge(t *testing.T) {
	p := config.Process{Argv: []string{"nginx"}, Quorum: 2, QuorumMax: 3}
	for n, want := range []string{"0 of nginx run, 2 are needed", "1 of nginx run, 2 are needed", "", "", "4 of nginx run, at most 3 may"} {
		if r := judge(p, n); !r.Known || r.Up != (want == "") || r.Reason != want {
			t.Errorf("%d: %+v", n, r)
		}
	}
	if r := judge(config.Process{Argv: []string{"nginx"}, QuorumMax: -1}, 1000); !r.Up {
		t.Errorf("without limits: %+v", r)
	}
}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]string{
		"1 (init) S 0": "init", "2 (a) (b c) R 1": "a) (b c", "3 (gone) Z 1": "", "4 (dead) X 1": "", "": "", "5 (": "", "6 )(": "", "7 ()": "",
	} {
		if comm, ok := parseStat([]byte(text)); ok != (want != "") || ok && comm != want {
			t.Errorf("%q: %q, %v", text, comm, ok)
		}
	}
}

func FuzzProc(f *testing.F) {
	f.Add([]byte("1 (init) S 0"))
	f.Add([]byte("a\x00b\x00"))
	f.Add(event(procFork, 1, 1, 2, 2))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseStat(b)
		_ = parseArgv(b)
		_, _ = parseEvents(b)
	})
}

// event is a message of the kernel's with an event of these figures.
func event(what uint32, data ...uint32) []byte {
	le := binary.NativeEndian
	b := make([]byte, unix.SizeofNlMsghdr+cnHeader+eventHeader, 128)
	le.PutUint32(b[unix.SizeofNlMsghdr:], cnIdxProc)
	le.PutUint32(b[unix.SizeofNlMsghdr+4:], cnValProc)
	le.PutUint32(b[unix.SizeofNlMsghdr+cnHeader:], what)
	for _, d := range data {
		b = le.AppendUint32(b, d)
	}
	le.PutUint32(b, uint32(len(b)))
	return b
}

func TestParseEvents(t *testing.T) {
	b := slices.Concat(event(procFork, 10, 10, 20, 20), event(procFork, 10, 10, 21, 20), event(procExec, 20, 20), event(procExec, 21, 20),
		event(procComm, 20, 20, 0, 0), event(procExit, 21, 20, 0, 0), event(procExit, 20, 20, 0, 0), event(0x4, 20, 20, 0, 0))
	got, ok := parseEvents(b)
	want := []procEvent{{procFork, 20, 10}, {procExec, 20, 0}, {procComm, 20, 0}, {procExit, 20, 0}}
	if !ok || !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, ok := parseEvents(event(0, 1, 0)); ok {
		t.Error("a refusal is taken for a promise")
	}
	if _, ok := parseEvents(event(0, 0, 0)); !ok {
		t.Error("a promise is taken for a refusal")
	}
}

// The test finds itself.
func TestCensus(t *testing.T) {
	c := newCensus(map[string]config.Process{
		"us":   {Argv: os.Args[:1], FullCommand: true},
		"none": {Argv: []string{"no such program"}},
	})
	if err := c.all(); err != nil {
		t.Fatal(err)
	}
	me := os.Getpid()
	if !c.found["us"][me] || len(c.found["none"]) != 0 {
		t.Errorf("%+v", c.found)
	}
	if !c.take([]procEvent{{procFork, 1 << 30, me}}) || !c.found["us"][1<<30] {
		t.Error("a child of ours is not counted")
	}
	if !c.take([]procEvent{{procExec, 1 << 30, 0}, {procExit, me, 0}}) || len(c.found["us"]) != 0 {
		t.Errorf("after the end: %+v", c.found)
	}
}

// BenchmarkCensus is what a look at all processes takes, for those who have to have one every second.
func BenchmarkCensus(b *testing.B) {
	for name, p := range map[string]config.Process{"name": {Argv: []string{"nginx"}}, "arguments": {Argv: []string{"nginx", "x"}, Match: "exact"}} {
		b.Run(name, func(b *testing.B) {
			c := newCensus(map[string]config.Process{"p": p})
			for b.Loop() {
				if err := c.all(); err != nil {
					b.Fatal(err)
				}
			}
			entries, _ := os.ReadDir("/proc")
			b.ReportMetric(float64(len(entries)), "entries")
		})
	}
}
