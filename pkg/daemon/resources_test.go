package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// With few descriptors there are fewer probes at once, never none, and the log says what to do.
func TestPlaces(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &was) })
	all := places(slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		limit uint64
		most  int
		warns bool
	}{{min(was.Cur, 1<<16), all, all < engine.DefaultPlaces}, {512, 448, true}, {100, 99, true}} {
		few := unix.Rlimit{Cur: tt.limit, Max: was.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		if n := places(slog.New(slog.NewTextHandler(&log, nil))); n < 1 || n > tt.most {
			t.Errorf("with %d descriptors there are %d places", tt.limit, n)
		}
		if warns := strings.Contains(log.String(), "LimitNOFILE="); warns != tt.warns {
			t.Errorf("with %d descriptors the log has %q", tt.limit, &log)
		}
	}
}

// What somebody has chosen stays.
func TestOutlive(t *testing.T) {
	for was, want := range map[string]string{"0\n": oomScore, "-1000\n": "-1000\n", "300\n": "300\n"} {
		file := filepath.Join(t.TempDir(), "oom_score_adj")
		if err := os.WriteFile(file, []byte(was), 0o600); err != nil {
			t.Fatal(err)
		}
		outlive(file)
		if got, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(got))+"x" != strings.TrimSpace(want)+"x" {
			t.Errorf("%q became %q: %v", was, got, err)
		}
	}
	outlive(filepath.Join(t.TempDir(), "none"))
}
