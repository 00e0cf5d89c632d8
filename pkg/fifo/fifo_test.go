package fifo

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// drain returns what is in a FIFO, as one that has it open already reads it.
func drain(t *testing.T, fd int) string {
	t.Helper()
	b := make([]byte, 1<<17)
	n, err := unix.Read(fd, b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	return string(b[:max(n, 0)])
}

func openFIFO(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// What a FIFO does not take is counted and told once, and nobody waits.
func TestFullFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var p Set
	p.Follow(log, []config.FIFO{{Path: path, VRRP: true}})
	line := strings.Repeat("x", 1023) + "\n"
	for range 100 { // the kernel keeps 64 KiB
		p.Write(log, true, line)
	}
	if got := strings.Count(text.String(), "level=WARN"); got != 1 || p.open[0].lost != 36 {
		t.Errorf("%d lines lost, %d warnings:\n%s", p.open[0].lost, got, &text)
	}
	if got := len(drain(t, openFIFO(t, path))); got != 1<<16 {
		t.Errorf("%d bytes arrived", got)
	}
	p.Write(log, true, line)
	if !strings.Contains(text.String(), `msg="a FIFO takes notifications again" fifo=`+path+" lost=36") {
		t.Errorf("the log says\n%s", &text)
	}
	p.Close(t.Context())
}

// What is no FIFO is left alone.
func TestNoFIFO(t *testing.T) {
	dir := t.TempDir()
	file, link, away := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "no", "fifo")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var p Set
	p.Follow(log, []config.FIFO{{Path: file}, {Path: link}, {Path: away}, {Path: filepath.Join(dir, "owned"), User: "nobody-of-this-name"}})
	p.Write(log, true, "line\n")
	if len(p.open) != 0 || strings.Count(text.String(), "level=ERROR") != 4 || !strings.Contains(text.String(), "is no FIFO") ||
		!strings.Contains(text.String(), "there is no user nobody-of-this-name") {
		t.Errorf("%d open; the log says\n%s", len(p.open), &text)
	}
	if got, err := os.ReadFile(file); string(got) != "mine" || err != nil {
		t.Errorf("the file is %q: %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
		t.Error("a FIFO that can't be given to its owner stays")
	}
}

// A FIFO gets the lines that are for it. It stays open over a reload, and goes with the daemon if the daemon has made it.
func TestWhoseLines(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	all := []config.FIFO{
		{Path: filepath.Join(dir, "all"), VRRP: true, LVS: true}, {Path: filepath.Join(dir, "vrrp"), VRRP: true}, {Path: filepath.Join(dir, "lvs"), LVS: true},
	}
	if err := unix.Mkfifo(all[2].Path, 0o600); err != nil {
		t.Fatal(err)
	}
	var p Set
	p.Follow(log, all)
	fds := make([]int, len(all))
	for i, f := range all {
		fds[i] = openFIFO(t, f.Path)
	}
	p.Write(log, true, "router\n")
	p.Write(log, false, "server\n")
	p.Follow(log, all)
	p.Write(log, true, "again\n")
	for i, want := range []string{"router\nserver\nagain\n", "router\nagain\n", "server\n"} {
		if got := drain(t, fds[i]); got != want {
			t.Errorf("%s has %q, want %q", all[i].Path, got, want)
		}
	}
	p.Close(t.Context())
	for i, gone := range []bool{true, true, false} {
		if _, err := os.Stat(all[i].Path); errors.Is(err, os.ErrNotExist) != gone {
			t.Errorf("%s at the end: %v", all[i].Path, err)
		}
	}
}

// The script that reads is started with the path, again when it ends, and is given time at the end. A reload leaves it alone unless
// it is another one.
func TestFIFOReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "fifo")
		log := slog.New(slog.DiscardHandler)
		runs := make(chan []string, 10)
		ends := make(chan error)
		p := Set{run: func(ctx context.Context, c script.Command) (string, error) {
			runs <- c.Argv
			select {
			case err := <-ends:
				return "", err
			case <-ctx.Done():
				runs <- []string{"killed"}
				return "", ctx.Err()
			}
		}}
		wantRun := func(when string, words ...string) {
			t.Helper()
			synctest.Wait()
			got := "nothing"
			select {
			case words := <-runs:
				got = strings.Join(words, " ")
			default:
			}
			if want := strings.Join(words, " "); got != want {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		with := func(words ...string) []config.FIFO {
			return []config.FIFO{{Path: path, Script: &config.Script{Argv: words}}}
		}
		p.Follow(log, with("/reader", "-v"))
		wantRun("at the start", "/reader", "-v", path)
		p.Follow(log, with("/reader", "-v"))
		wantRun("the same again", "nothing")
		ends <- errors.New("exit status 1")
		<-time.After(pause - 1)
		wantRun("too early", "nothing")
		<-time.After(1)
		wantRun("after a pause", "/reader", "-v", path)
		p.Follow(log, with("/other"))
		wantRun("another script", "killed")
		wantRun("another script", "/other", path)
		go func() { ends <- nil }() // as one does who finds that nobody writes any more
		start := time.Now()
		p.Close(t.Context())
		if took := time.Since(start); took > readerLimit {
			t.Errorf("to end took %v", took)
		}
		wantRun("at the end", "nothing")
	})
}
