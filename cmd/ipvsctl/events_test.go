package main

import (
	"bytes"
	"context"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
)

func (d *fake) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return d.feed.Watch(ctx, q)
}

// died returns a feed in which three servers have died, one a minute.
func died() *feed.Feed {
	f := feed.New(8)
	for i := range 3 {
		f.Add(event.Event{
			At: at.Add(time.Duration(i) * time.Minute), Kind: event.Server, Service: "tcp 192.0.2.1:80", Server: "198.51.100." + string(rune('1'+i)) + ":80",
			From: "up", To: "down", Reason: "connection refused",
		})
	}
	return f
}

func TestEvents(t *testing.T) {
	const first = "  server     198.51.100.1:80 of tcp 192.0.2.1:80: up -> down: connection refused\n"
	for _, c := range []struct {
		args string
		n    int
		want string // that is in the output
		errs string
	}{
		{"events", 3, at.Local().Format(event.TimeFormat) + first, ""},
		{"events -n 1", 1, "198.51.100.3", ""},
		{"events -n 0", 0, "", ""},
		{"events --since 2026-11-21T12:01:00Z", 2, "198.51.100.2", ""},
		{"events --since 1s", 0, "", ""},
		{"events --server 198.51.100.2", 1, "198.51.100.2", ""},
		{"events --kind quorum", 0, "", ""},
		{"events --kind quorum,server --instance VI_1", 0, "", ""},
		{"events --color always -n 1", 1, "\x1b[31m", ""},
		{"events -o json -n 1", 1, `"sequence":3,"at":"2026-11-21T12:02:00Z","kind":"server","service":"tcp 192.0.2.1:80"`, ""},
	} {
		code, out, errs := ctl(t, &fake{feed: died()}, strings.Fields(c.args)...)
		if code != 0 || strings.Count(out, "\n") != c.n || !strings.Contains(out, c.want) || errs != c.errs {
			t.Errorf("%s: %d %q %q", c.args, code, out, errs)
		}
	}
	if code, out, errs := ctl(t, &fake{feed: died()}, "events", "--service", "tcp 192.0.2.1:80"); code != 0 || strings.Count(out, "\n") != 3 {
		t.Errorf("of a service: %d %q %q", code, out, errs)
	}
	for args, want := range map[string]string{
		"events --since yesterday": "how long ago", "events --kind sever": `no kind "sever"`, "events -n -1": "from 0 on", "events now": "the form is",
	} {
		if code, out, errs := ctl(t, &fake{feed: died()}, strings.Fields(args)...); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %q %q", args, code, out, errs)
		}
	}
	if code, _, errs := ctl(t, nil, "events", "-f"); code != exitFailure || !strings.Contains(errs, "Is it started?") {
		t.Errorf("without daemon: %d %q", code, errs)
	}
}

// lines is what ipvsctl has written, for those who wait for it.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer  // guarded by mu
	more chan struct{} // there is more
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

// await waits until something was written.
func (l *lines) await(t *testing.T, what string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		if strings.Contains(text, what) {
			return
		}
		select {
		case <-l.more:
		case <-limit:
			t.Fatalf("%q is not in %q", what, text)
		}
	}
}

// A watcher stays over a restart of the daemon, and hears nothing twice; one that is restarted without having forgotten goes on where it was.
func TestEventsOverARestart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	out, errs := &lines{more: make(chan struct{}, 1)}, &lines{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int)
	d := &fake{feed: died()}
	stop := serve(t, socket, d, nil)
	go func() { code <- run(ctx, []string{"--socket", socket, "events", "-f", "-n", "1"}, out, errs) }()
	out.await(t, "198.51.100.3")
	stop()
	errs.await(t, "the daemon is away")
	d.feed.Add(event.Event{Kind: event.Daemon, To: "back"})
	stop = serve(t, socket, d, nil)
	out.await(t, "daemon     back")
	errs.await(t, "the daemon is back")
	stop()
	d = &fake{feed: feed.New(2)}
	for _, name := range []string{"one", "two", "three"} {
		d.feed.Add(event.Event{Kind: event.Daemon, To: name})
	}
	stop = serve(t, socket, d, nil)
	out.await(t, "daemon     three")
	stop()
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	if text := out.text.String(); strings.Count(text, "\n") != 4 || strings.Count(text, "198.51.100.3") != 1 {
		t.Errorf("output:\n%s", text)
	}
	for _, want := range []string{"started again", "events that are gone: 1;"} {
		if !strings.Contains(errs.text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, errs.text.String())
		}
	}
}
