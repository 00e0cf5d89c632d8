package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// With few descriptors there are fewer probes and clients of the API at once, never none, together no more than there are descriptors.
func TestRoom(t *testing.T) {
	for limit, want := range map[uint64]room{
		1 << 63: {1024, 2048}, 65536: {1024, 2048}, 3392: {1024, 2048}, 2000: {1024, 656}, 1024: {528, 176}, 512: {144, 48}, 100: {2, 1}, 0: {2, 1},
	} {
		if got := roomFor(limit); got != want {
			t.Errorf("with %d descriptors there is room for %+v, want %+v", limit, got, want)
		}
	}
}

// The log says what to do where they are few.
func TestFewDescriptors(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &was) })
	few := unix.Rlimit{Cur: 512, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	if got := roomHere(slog.New(slog.NewTextHandler(&log, nil))); got != roomFor(512) || !strings.Contains(log.String(), "LimitNOFILE=") {
		t.Errorf("%+v, and the log has %q", got, &log)
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
