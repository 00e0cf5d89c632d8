package failover

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
	"github.com/ipvsd/ipvsd/pkg/vrrp"
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

// The lines of the FIFOs, in the order of what happens. A FIFO stays open over a reload, and goes with the daemon.
func TestFIFOLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		paths := [2]string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
		if err := unix.Mkfifo(paths[1], 0o600); err != nil {
			t.Fatal(err)
		}
		s := play(t)
		tells := instance("VI_2", 52)
		tells.Notify.PriorityChanges = true
		cfg := config.VRRP{
			Instances: []*config.Instance{instance("VI_1", 51), tells}, Groups: []*config.Group{groupOf("VG1", "VI_1", "VI_2")},
			FIFOs: []config.FIFO{{Path: paths[0]}, {Path: paths[1]}},
		}
		s.Change(&cfg)
		synctest.Wait()
		reader := openFIFO(t, paths[0])
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Initialize, vrrp.Backup), became("VI_2", vrrp.Initialize, vrrp.Backup),
			vrrp.GroupBecame{Group: "VG1", From: vrrp.Initialize, To: vrrp.Backup},
		})
		s.report([]vrrp.Action{
			became("VI_2", vrrp.Backup, vrrp.Active), became("VI_1", vrrp.Backup, vrrp.Active),
			vrrp.GroupBecame{Group: "VG1", From: vrrp.Backup, To: vrrp.Active},
			vrrp.Noticed{Instance: "VI_1", What: vrrp.RxLowerPriority, Priority: 100},
			vrrp.Noticed{Instance: "VI_1", What: vrrp.PriorityChanged, Priority: 90}, // it has no notify_priority_changes
			vrrp.Noticed{Instance: "VI_2", What: vrrp.PriorityChanged, Priority: 110},
			vrrp.Noticed{Instance: "VI_2", What: vrrp.NotHandedOver, Priority: 110},
			became("VI_2", vrrp.Active, vrrp.Fault),
			became("VI_2", vrrp.Initialize, vrrp.Fault), // no news
			vrrp.Noticed{Instance: "VI_2", What: vrrp.PriorityChanged, Priority: 120},
		})
		synctest.Wait()
		want := `INSTANCE "VI_1" BACKUP 100
INSTANCE "VI_2" BACKUP 100
GROUP "VG1" BACKUP 0
INSTANCE "VI_2" MASTER 100
INSTANCE "VI_1" MASTER 100
GROUP "VG1" MASTER 0
INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100
INSTANCE "VI_2" MASTER_PRIORITY 110
INSTANCE "VI_2" FAULT 100
INSTANCE "VI_2" BACKUP_PRIORITY 120
`
		if got := drain(t, reader); got != want {
			t.Errorf("the FIFO has\n%s\nwant\n%s", got, want)
		}
		if got := drain(t, openFIFO(t, paths[1])); got != want {
			t.Errorf("the other FIFO has\n%s\nwant\n%s", got, want)
		}
		again := cfg
		again.AllStates = true
		s.Change(&again)
		synctest.Wait()
		if got, want := drain(t, reader), "INSTANCE \"VI_1\" MASTER 90\nINSTANCE \"VI_2\" FAULT 120\nGROUP \"VG1\" MASTER 0\n"; got != want {
			t.Errorf("after a reload the FIFO has\n%s\nwant\n%s", got, want)
		}
		s.stop()
		if got, want := drain(t, reader), "INSTANCE \"VI_1\" STOP 90\nINSTANCE \"VI_2\" STOP 120\nGROUP \"VG1\" STOP 0\n"; got != want {
			t.Errorf("at the end the FIFO has\n%s\nwant\n%s", got, want)
		}
		if _, err := os.Stat(paths[0]); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the FIFO that we made: %v", err)
		}
		if _, err := os.Stat(paths[1]); err != nil {
			t.Errorf("the FIFO of somebody else: %v", err)
		}
	})
}

// What a FIFO does not take is counted and told once, and nobody waits.
func TestFullFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var p pipes
	p.follow(log, []config.FIFO{{Path: path}})
	line := strings.Repeat("x", 1023) + "\n"
	for range 100 { // the kernel keeps 64 KiB
		p.write(log, line)
	}
	if got := strings.Count(text.String(), "level=WARN"); got != 1 || p.open[0].lost != 36 {
		t.Errorf("%d lines lost, %d warnings:\n%s", p.open[0].lost, got, &text)
	}
	if got := len(drain(t, openFIFO(t, path))); got != 1<<16 {
		t.Errorf("%d bytes arrived", got)
	}
	p.write(log, line)
	if !strings.Contains(text.String(), `msg="a FIFO takes notifications again" fifo=`+path+" lost=36") {
		t.Errorf("the log says\n%s", &text)
	}
	p.close(t.Context())
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
	var p pipes
	p.follow(log, []config.FIFO{{Path: file}, {Path: link}, {Path: away}, {Path: filepath.Join(dir, "owned"), User: "nobody-of-this-name"}})
	p.write(log, "line\n")
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

// The script that reads is started with the path, again when it ends, and is given time at the end. A reload leaves it alone unless
// it is another one.
func TestFIFOReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "fifo")
		log := slog.New(slog.DiscardHandler)
		runs := make(chan []string, 10)
		ends := make(chan error)
		p := pipes{run: func(ctx context.Context, c script.Command) (string, error) {
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
			return []config.FIFO{{Path: path, Script: script1(words...)}}
		}
		p.follow(log, with("/reader", "-v"))
		wantRun("at the start", "/reader", "-v", path)
		p.follow(log, with("/reader", "-v"))
		wantRun("the same again", "nothing")
		ends <- errors.New("exit status 1")
		<-time.After(pause - 1)
		wantRun("too early", "nothing")
		<-time.After(1)
		wantRun("after a pause", "/reader", "-v", path)
		p.follow(log, with("/other"))
		wantRun("another script", "killed")
		wantRun("another script", "/other", path)
		go func() { ends <- nil }() // as one does who finds that nobody writes any more
		start := time.Now()
		p.close(t.Context())
		if took := time.Since(start); took > readerLimit {
			t.Errorf("to end took %v", took)
		}
		wantRun("at the end", "nothing")
	})
}
