package main

import (
	"bufio"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// served is what a client's program says of a service.
type served struct {
	rate         float64 // requests a second
	median, slow float64 // seconds until an answer: half of them, 99 % of them
	failed, sent float64
}

// series are the tables of a service.
type series struct{ rate, median, slow, failed *book.Table }

// series returns those of that name, with what grows and who is compared.
func (r *run) series(name, title, x string, contenders ...string) series {
	table := func(suffix, what string, u book.Unit) *book.Table {
		return r.table(book.Table{Name: name + "-" + suffix, Title: title + ": " + what, Unit: u, X: x, Contenders: contenders})
	}
	return series{rate: table("rate", "requests a second", book.Rate), median: table("median", "half of all answers came within", book.Time),
		slow: table("slow", "99 % of all answers came within", book.Time), failed: table("failed", "failed requests", book.Count)}
}

func (s series) add(x int, contender string, got served) {
	at := float64(x)
	s.rate.At(at, contender).Add(got.rate)
	s.failed.At(at, contender).AddOf(got.failed, got.sent)
	if got.sent >= few {
		s.median.At(at, contender).Add(got.median)
		s.slow.At(at, contender).Add(got.slow)
	}
}

// few answers have no percentiles that mean anything.
const few = 10

// ab has so many requests under way for that long.
func ab(b *bench, client *lab.Host, url string, clients int, length time.Duration) served {
	times := filepath.Join(b.tempDir(), "times")
	// -n follows -t, which would set it to 50,000. A shell, for ulimit is its own.
	out := client.Run("sh", "-c", fmt.Sprintf("ulimit -n 8192; exec ab -q -r -l -s 60 -t %d -n 10000000 -c %d -e %s %s",
		int(length.Seconds()), clients, times, url))
	got, err := parseAB(out)
	if err == nil && got.sent >= few {
		got.median, got.slow, err = parsePercentiles(b.read(times))
	}
	if err != nil {
		b.Fatalf("ab -c %d %s: %v\n%s", clients, url, err, out)
	}
	return got
}

// parseAB reads what ab prints.
func parseAB(out string) (s served, err error) {
	if s.sent, err = after(out, "Complete requests:"); err != nil || s.sent == 0 {
		return s, err // it says no more of nothing
	}
	for _, line := range []struct {
		begins string
		into   *float64
	}{{"Requests per second:", &s.rate}, {"Failed requests:", &s.failed}} {
		if *line.into, err = after(out, line.begins); err != nil {
			return s, err
		}
	}
	return s, nil
}

// after returns the number that follows a word at the beginning of a line.
func after(out, word string) (float64, error) {
	for line := range strings.Lines(out) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), word); found {
			first, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return strconv.ParseFloat(first, 64)
		}
	}
	return 0, fmt.Errorf("it does not say %q", word)
}

// parsePercentiles reads what ab -e writes: a line for each percent, with milliseconds.
func parsePercentiles(text string) (median, slow float64, err error) {
	got := make(map[string]float64)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		percent, milliseconds, _ := strings.Cut(lines.Text(), ",")
		if v, err := strconv.ParseFloat(milliseconds, 64); err == nil {
			got[percent] = v / 1000
		}
	}
	if len(got) < 100 {
		return 0, 0, fmt.Errorf("%d percentiles", len(got))
	}
	return got["50"], got["99"], nil
}
