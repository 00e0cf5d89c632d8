package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
)

// TestMain makes an ipvsctl of the test's own program, for terminals that a test opens.
func TestMain(m *testing.M) {
	if os.Getenv("IPVSCTL_OF_TEST") != "" {
		time.Local = time.UTC
		main()
	}
	os.Exit(m.Run())
}

// terminal is a tmux of the test's own.
type terminal struct {
	t    *testing.T
	conf string
}

func (w *terminal) tmux(args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.Context(), "tmux", append([]string{"-u", "-S", filepath.Join(w.conf, "t"), "-f", "/dev/null"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *terminal) do(args ...string) string {
	w.t.Helper()
	out, err := w.tmux(args...)
	if err != nil {
		w.t.Fatalf("tmux %q: %v: %s (without tmux: make tools)", args, err, out)
	}
	return out
}

// await waits until a text is on the screen, and returns that.
func (w *terminal) await(what string) string {
	w.t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		screen, err := w.tmux("capture-pane", "-p")
		if err == nil && strings.Contains(screen, what) {
			return screen
		}
		if time.Now().After(limit) {
			w.t.Fatalf("%q is not on the screen: %v\n%s", what, err, screen)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// open starts ipvsctl in a terminal of that size.
func open(t *testing.T, width, height string, env []string, args ...string) *terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &terminal{t, t.TempDir()}
	start := []string{"new-session", "-d", "-x", width, "-y", height, "env", "IPVSCTL_OF_TEST=1"}
	w.do(append(append(append(start, env...), exe), args...)...)
	t.Cleanup(func() { _, _ = exec.Command("tmux", "-S", filepath.Join(w.conf, "t"), "kill-server").CombinedOutput() })
	return w
}

// What changes from one look to the next.
var ticks = regexp.MustCompile(`12:\d\d:\d\d|up [0-9smhd]+`)

// check waits until a screen is there, without the blanks around it and what changes all the time: its lines come one after the other.
func (w *terminal) check(want string) {
	w.t.Helper()
	want = strings.TrimSpace(want)
	for limit := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		got := strings.TrimSpace(ticks.ReplaceAllString(w.do("capture-pane", "-p"), "#"))
		if got == want {
			return
		}
		if time.Now().After(limit) {
			w.t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	}
}

const wideScreen = `lb1  ipvsd v1, #, #
services 1  servers 1/2  active 5  conn/s 350  B/s in 0 out 0
VRRP  VI_1 MASTER 150
SERVICE, SERVER        HEALTH     WEIGHT ACTIVE INACT CONN/S IN-B/S OUT-B/S  NOTE
tcp 192.0.2.1:80       1/2                    5     0    350      0       0
  198.51.100.1:80      up              1      5     0    350      0       0
  198.51.100.2:80      down          -/1      0     0      0      0       0  connection refused











# server 198.51.100.2:80 of tcp 192.0.2.1:80: up -> down: connection refused
q quit  ? help  / filter  v view  d drain  u undrain  s sort: configuration`

const narrowScreen = `lb1  ipvsd v1, #, #
services 1 (1 dead)  servers 0/2  active 5..
VRRP  VI_1 MASTER 150
SERVICE, SERVER             HEALTH    ACTIVE
tcp 192.0.2.1:80            0/2            5
  198.51.100.1:80           up             5
  198.51.100.2:80           down           0



# server 198.51.100.2:80 of tcp 192..
q quit  ? help  / filter  v view  d drain ..`

// What people see in a terminal, wide and narrow, and that keys do what they say.
func TestTopInTmux(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d := &director{fake: fake{feed: feed.New(8)}}
	d.feed.Add(event.Event{At: at, Kind: event.Server, Service: "tcp 192.0.2.1:80", Server: "198.51.100.2:80", From: "up", To: "down", Reason: "connection refused"})
	stop := serve(t, socket, d, nil)
	w := open(t, "100", "20", nil, "--socket", socket, "top")
	w.await("server 198.51.100.2:80")
	w.check(wideScreen)
	w.do("send-keys", "Down", "d")
	w.await("Drain 198.51.100.1:80 of tcp 192.0.2.1:80?")
	w.do("send-keys", "y")
	w.await("198.51.100.1:80 drains")
	w.await("drains, 5 left")
	w.do("send-keys", "/", "1", "0", "0", ".", "2", "Enter")
	if screen := w.await("/100.2  q quit"); strings.Contains(screen, "198.51.100.1:80") {
		t.Errorf("it is not filtered:\n%s", screen)
	}
	if colours := w.do("capture-pane", "-p", "-e"); !strings.Contains(colours, "\x1b[31m") {
		t.Errorf("there is no red on it:\n%q", colours)
	}
	w.do("send-keys", "Escape")
	w.await("198.51.100.1:80")
	w.do("resize-window", "-x", "44", "-y", "12")
	w.check(narrowScreen)
	stop()
	w.await("the daemon is away since")
	serve(t, socket, d, nil)
	for limit := time.Now().Add(time.Minute); strings.Contains(w.await("VI_1"), "away"); <-time.After(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it does not see that the daemon is back")
		}
	}
	w.do("send-keys", "q")
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-time.After(20 * time.Millisecond) {
		if _, err := w.tmux("has-session"); err != nil {
			return
		}
	}
	t.Error("q does not end it")
}

// NO_COLOR leaves the words, bold and the cursor.
func TestNoColorInTmux(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d := &director{fake: fake{feed: feed.New(8)}}
	serve(t, socket, d, nil)
	w := open(t, "100", "20", []string{"NO_COLOR=1"}, "--socket", socket, "top")
	w.await("198.51.100.2:80")
	if text := w.do("capture-pane", "-p", "-e"); regexp.MustCompile(`\x1b\[[0-9;]*\b(3[1-7]|9[1-7])m`).MatchString(text) || !strings.Contains(text, "down") {
		t.Errorf("%q", text)
	}
}
