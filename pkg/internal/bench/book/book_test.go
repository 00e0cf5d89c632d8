package book

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

var boot = Boot{When: "2026-11-22 20:00", Command: "make bench CHAPTERS=it RUNS=3 BOOTS=1", Runs: 3, Load: "0.10", Machine: "2 x Some Processor", Kernel: "Linux 6.1.0, User Mode Linux", Commit: "abc1234",
	Versions: []string{"ipvsd devel", "keepalived 2.2.7"}}

// programming is a chapter of bars: on an axis that begins at 0, and on one with decades; a row that we lose, an absent figure and one of two contenders.
func programming() Chapter {
	c := Chapter{Name: "programming", Title: "Programming", Notes: []string{"The same servers for all."}, Boots: []Boot{boot}}
	times := c.Table(Table{Name: "time", Title: "Times", Unit: Time, Contenders: []string{"ipvsd", "keepalived", "ipvsadm -R"}})
	times.Cell("filling", "ipvsd").Values = []float64{0.30, 0.32, 0.38}
	times.Cell("filling", "keepalived").Values = []float64{5.69, 6.25, 5.80}
	times.Cell("filling", "ipvsadm -R").Values = []float64{28.1, 26.5, 28.7}
	times.Cell("one weight <by reload>", "ipvsd").Values = []float64{0.141, 0.150, 0.120}
	times.Cell("one weight <by reload>", "keepalived").Values = []float64{0.086, 0.125, 0.080}
	times.Cell("one weight <by reload>", "ipvsadm -R").Note = "knows | no reload"
	memory := c.Table(Table{Name: "memory", Title: "Memory", Unit: Bytes, Contenders: []string{"ipvsd", "keepalived"}})
	memory.Cell("with the full table", "ipvsd").Add(45.7 * (1 << 20))
	memory.Cell("with the full table", "keepalived").Add(73.7 * (1 << 20))
	lost := c.Table(Table{Name: "failed", Title: "Failed requests", Unit: Count, Contenders: []string{"ipvsd", "keepalived"}})
	lost.Cell("kill -9", "ipvsd").AddOf(0, 1000)
	lost.Cell("kill -9", "ipvsd").AddOf(3, 1000)
	lost.Cell("kill -9", "keepalived").AddOf(12, 1500)
	lost.Cell("return", "ipvsd").AddOf(0, 0)
	lost.Cell("switchover", "ipvsd").AddOf(0, 20)
	lost.Cell("switchover", "ipvsd").Miss(errors.New("it has no addresses"))
	lost.Cell("links cut", "ipvsd").AddOf(7, 20)
	lost.Cell("links cut", "keepalived").Miss(errors.New("it has no addresses"))
	c.Table(Table{Name: "nothing", Title: "Nothing", Unit: Time, Contenders: []string{"ipvsd"}})
	return c
}

// growth is a chapter of lines: of rates, where more is better, and of times.
func growth() Chapter {
	c := Chapter{Name: "growth", Title: "Growth", Boots: []Boot{boot}}
	c.Boots[0].Unfit = "the kernel was stuck"
	times := c.Table(Table{Name: "fill", Title: "Filling", Unit: Time, X: "servers", Contenders: []string{"ipvsd", "keepalived", "ipvsadm -R"}})
	for n, servers := range []float64{10, 100, 1000, 10_000, 100_000} {
		times.At(servers, "ipvsd").Values = []float64{0.001 * math.Pow(3, float64(n)), 0.002 * math.Pow(3, float64(n))}
		times.At(servers, "keepalived").Add(0.01 * math.Pow(8, float64(n)))
	}
	times.At(10, "ipvsadm -R").Add(0.02)
	times.At(100_000, "ipvsadm -R").Note = "left out: takes minutes"
	rates := c.Table(Table{Name: "rate", Title: "Requests", Unit: Rate, X: "at once", Contenders: []string{"ipvsd", "HAProxy"}})
	for _, at := range []float64{1, 2, 3, 6, 12} {
		rates.At(at, "ipvsd").Values = []float64{100 + 10*at, 105 + 10*at}
		rates.At(at, "HAProxy").Values = []float64{130 + 5*at, 126 + 5*at, 135 + 5*at}
	}
	return c
}

var aims = []Aim{
	{Issue: 2, Wanted: "filling: 10 times keepalived", Chapter: "programming", Table: "time", Row: "filling", Against: "keepalived", AtLeast: 10},
	{Issue: 2, Wanted: "a reload is faster", Chapter: "programming", Table: "time", Row: "one weight <by reload>", Against: "keepalived", AtLeast: 1, Why: "TOML takes time"},
	{Issue: 3, Wanted: "filling in 350 ms, always", Chapter: "programming", Table: "time", Row: "filling", AtMost: 0.35, Worst: true, Why: "a busy host"},
	{Issue: 4, Wanted: "no request fails", Chapter: "programming", Table: "failed", Row: "kill -9", Zero: true, Why: "the table was empty"},
	{Issue: 5, Wanted: "at most 60 ms", Chapter: "failover", Table: "idle", Row: "links cut", AtMost: 0.06, Before: "298 ms", Met: Missed, Why: "one processor"},
	{Issue: 6, Wanted: "it is as small", Chapter: "drop-in", Table: "memory", Row: "memory"},
	{Issue: 7, Wanted: "no request fails of none", Chapter: "programming", Table: "failed", Row: "return", Zero: true, Before: "0", Met: Met},
	{Issue: 7, Wanted: "no request fails of some", Chapter: "programming", Table: "failed", Row: "switchover", Zero: true, Before: "0", Met: Met},
	{Issue: 7, Wanted: "fewer fail", Chapter: "programming", Table: "failed", Row: "links cut", Against: "keepalived", AtLeast: 1},
}

func TestFiles(t *testing.T) {
	chapters := []Chapter{programming(), growth()}
	files := Files(chapters, aims)
	for _, name := range []string{"README.md", "programming-time.svg", "programming-memory.svg", "programming-failed.svg", "growth-fill.svg", "growth-rate.svg"} {
		text, made := files[name]
		if !made {
			t.Errorf("no file %s", name)
		}
		golden.Check(t, "testdata/"+name, []byte(text))
		delete(files, name)
		if strings.HasSuffix(name, ".svg") {
			wellFormed(t, name, text)
		}
	}
	for name := range files {
		t.Errorf("and a file %s", name)
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	var elements []string
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements = append(elements, e.Name.Local)
		}
	}
	if got := strings.Join(elements[:3], " "); got != "svg title desc" {
		t.Errorf("%s begins with %s", name, got)
	}
	for _, wrong := range []string{"NaN", "Inf"} {
		if strings.Contains(text, wrong) {
			t.Errorf("%s has %s in it", name, wrong)
		}
	}
}

func TestChapterIsItsJSON(t *testing.T) {
	for _, c := range []Chapter{programming(), growth()} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Chapter
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Error(diff)
		}
	}
}

func TestMerge(t *testing.T) {
	c, second := programming(), programming()
	second.Table(Table{Name: "time"}).Cell("stop", "keepalived").Add(2)
	second.Table(Table{Name: "more", Contenders: []string{"ipvsd"}}).At(3, "ipvsd").Add(4)
	second.Boots[0].Command = "make bench CHAPTERS=it RUNS=3 BOOTS=2"
	if err := c.Merge(second); err != nil {
		t.Fatal(err)
	}
	if got := len(c.Boots); got != 2 {
		t.Errorf("%d boots", got)
	}
	times, want := c.Table(Table{Name: "time"}), []float64{0.30, 0.32, 0.38, 0.30, 0.32, 0.38}
	if diff := cmp.Diff(want, times.Cell("filling", "ipvsd").Values); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{2}, times.Cell("stop", "keepalived").Values); diff != "" {
		t.Error(diff)
	}
	if got := times.Cell("one weight <by reload>", "ipvsadm -R").Note; got != "knows | no reload" {
		t.Errorf("note: %q", got)
	}
	if got := c.Table(Table{Name: "failed"}).Cell("kill -9", "ipvsd").text(Count); got != "6 of 4,000" {
		t.Errorf("failed: %s", got)
	}
	if got := c.Table(Table{Name: "failed"}).Cell("switchover", "ipvsd"); got.Missed != 2 {
		t.Errorf("runs without a value: %+v", got)
	}
	if text := c.Markdown(); strings.Count(text, "    make bench CHAPTERS=it RUNS=3 BOOTS=") != 2 {
		t.Errorf("both commands should be told:\n%s", text)
	}
	if r := c.Table(Table{Name: "more"}).row("3"); r.X != 3 || !r.Cells["ipvsd"].known() {
		t.Errorf("new table: %+v", r)
	}
	if len(c.Notes) != 1 {
		t.Errorf("notes: %q", c.Notes)
	}
}

func TestMergeRefuses(t *testing.T) {
	for name, change := range map[string]func(*Chapter){
		"chapter": func(c *Chapter) { c.Name = "growth" },
		"machine": func(c *Chapter) { c.Boots[0].Machine = "another" },
		"kernel":  func(c *Chapter) { c.Boots[0].Kernel = "another" },
		"commit":  func(c *Chapter) { c.Boots[0].Commit = "another" },
		"program": func(c *Chapter) { c.Boots[0].Versions = []string{"ipvsd devel", "keepalived 2.4.3"} },
		"quick":   func(c *Chapter) { c.Boots[0].Quick = true },
	} {
		c, other := programming(), programming()
		change(&other)
		if err := c.Merge(other); err == nil {
			t.Errorf("merged with another %s", name)
		}
		if diff := cmp.Diff(programming(), c); diff != "" {
			t.Errorf("%s: a refused merge changes %s", name, diff)
		}
	}
}

func TestLost(t *testing.T) {
	lost := programming().Lost()
	if len(lost) != 1 || !strings.Contains(lost[0], "one weight") || !strings.Contains(lost[0], "the spreads touch") {
		t.Errorf("lost: %q", lost)
	}
	if got := growth().Lost(); len(got) != 3 || !strings.HasPrefix(got[0], "Requests, 1 at once") {
		t.Errorf("lost: %q", got)
	}
}

func TestJudge(t *testing.T) {
	quick := programming()
	quick.Boots[0].Quick = true
	aim := aims[0]
	aim.Before, aim.Met = "20 x", Met
	for _, c := range []struct {
		aim      Aim
		chapters []Chapter
		figure   string
		verdict  Verdict
	}{
		{aims[0], []Chapter{programming()}, "18 x, 320 ms (300 ms to 380 ms) against 5.80 s (5.69 s to 6.25 s)", Met},
		{aims[1], []Chapter{programming()}, "0.61 x, 141 ms (120 ms to 150 ms) against 86.0 ms (80.0 ms to 125 ms)", Missed},
		{aims[2], []Chapter{programming()}, "320 ms (300 ms to 380 ms)", Missed},
		{aims[3], []Chapter{programming()}, "3 of 2,000", Missed},
		{aims[4], []Chapter{programming()}, "*298 ms*", Missed},
		{aims[5], []Chapter{programming()}, "", Unknown},
		{aims[6], []Chapter{programming()}, "", Unknown},
		{aims[7], []Chapter{programming()}, "0 of 20; no value in 1 of 2 runs: it has no addresses", Missed},
		{aims[8], []Chapter{programming()}, "7 of 20 against no value in 1 of 1 run: it has no addresses", Met},
		{aim, []Chapter{quick}, "*20 x*", Met},
	} {
		if figure, verdict := c.aim.judge(c.chapters); figure != c.figure || verdict != c.verdict {
			t.Errorf("%s: %q, %s", c.aim.Wanted, figure, verdict)
		}
	}
}

func TestDangling(t *testing.T) {
	wrong := aims[0]
	wrong.Row = "emptying"
	got := Dangling(append([]Aim{wrong}, aims...), []Chapter{programming()})
	if len(got) != 1 || !strings.Contains(got[0], `"emptying"`) {
		t.Errorf("dangling: %q", got)
	}
}

func TestFigure(t *testing.T) {
	for _, c := range []struct {
		cell  Cell
		want  float64
		known bool
	}{
		{Cell{Values: []float64{3}}, 3, true},
		{Cell{Values: []float64{4, 1}}, 2.5, true},
		{Cell{Values: []float64{9, 1, 2}}, 2, true},
		{Cell{Values: []float64{9, 1, 2, 4}}, 3, true},
		{Cell{Values: []float64{0, 3}, Of: []float64{10, 20}}, 0.1, true},
		{Cell{Values: []float64{0, 0}, Of: []float64{0, 0}}, 0, false},
		{Cell{Missed: 1}, 0, false},
	} {
		if known := c.cell.known(); known != c.known || known && c.cell.figure() != c.want {
			t.Errorf("%+v: known %v", c.cell, known)
		}
	}
}

// TestMissed: who never got there is behind who did.
func TestMissed(t *testing.T) {
	c := Chapter{Name: "restart", Title: "Restart"}
	times := c.Table(Table{Name: "time", Title: "Times", Unit: Time, Contenders: []string{"ipvsd", "keepalived"}})
	times.Cell("ours did not", "ipvsd").Miss(errors.New("not within 10s"))
	times.Cell("ours did not", "keepalived").Add(1)
	times.Cell("theirs did not", "ipvsd").Add(1)
	times.Cell("theirs did not", "keepalived").Miss(errors.New("not within 10s"))
	if lost := c.Lost(); len(lost) != 1 || lost[0] != "Times, ours did not: none, keepalived 1.00 s" {
		t.Errorf("lost: %q", lost)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{Time, 0, "0 s"}, {Time, 12e-9, "12.0 ns"}, {Time, 0.00043, "430 µs"}, {Time, 0.0523, "52.3 ms"}, {Time, 0.9999, "1.00 s"}, {Time, 0.09999, "100 ms"}, {Time, 211.4, "211 s"},
		{Bytes, 47_919_923, "45.7 MiB"}, {Bytes, 512, "512 B"}, {Count, 3.51, "3.51"}, {Count, 1_234_567, "1,234,567"}, {Rate, 6612.4, "6,612/s"}, {Rate, 0.0513, "0.0513/s"},
	} {
		if got := c.unit.text(c.v); got != c.want {
			t.Errorf("%s %g: %q, wanted %q", c.unit, c.v, got, c.want)
		}
	}
}

// FuzzAxis: every number has its place, larger ones further on, and the marks are within the axis.
func FuzzAxis(f *testing.F) {
	f.Add(0.0, 0.0)
	f.Add(1.0, 1000.0)
	f.Add(1e-9, 1e12)
	f.Add(5.0, 5.0)
	f.Fuzz(func(t *testing.T, x, y float64) {
		x, y = min(x, y), max(x, y)
		if !(x >= 0) || y > 1e15 || x > 0 && x < 1e-12 || y > 0 && y < 1e-12 {
			return
		}
		a := newAxis([]float64{x, y})
		low, high := a.at(x), a.at(y)
		if !(low >= 0 && low <= high && high <= 1.000001) {
			t.Errorf("%g and %g are at %g and %g of %+v", x, y, low, high, a)
		}
		marks := a.marks()
		if len(marks) < 2 || len(marks) > 40 {
			t.Errorf("%d marks of %+v", len(marks), a)
		}
		for _, m := range marks {
			if at := a.at(m); !(at >= 0 && at <= 1.001) {
				t.Errorf("mark %g is at %g", m, at)
			}
		}
	})
}
