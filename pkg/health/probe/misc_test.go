package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// shell returns a MISC_CHECK of a script, which is run as the user of the test.
func shell(t *testing.T, s health.Misc, text string, args ...string) health.Check {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Argv, s.User = health.ListOf(append([]string{path}, args...)...), strconv.Itoa(os.Getuid())
	return health.Check{Type: "MISC_CHECK", Target: netip.MustParseAddrPort("192.0.2.7:80"), Timeout: patience, Spec: s}
}

func examine(t *testing.T, c health.Check) (health.Finding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	return probe.Probe(ctx, c)
}

func TestMiscCheck(t *testing.T) {
	weight := func(n int32) health.Advice { return health.Advice{Kind: health.Weigh, Value: n} }
	for name, tt := range map[string]struct {
		spec health.Misc
		text string
		want health.Advice
		err  string
	}{
		"passes":             {text: "exit 0"},
		"passes, with words": {text: "echo fine"},
		"fails":              {text: "exit 1", err: "exit status 1"},
		"fails, with words":  {text: "echo no disk; echo more; exit 7", err: "exit status 7: no disk"},
		"fails to stderr":    {text: "echo no disk >&2; exit 7", err: "exit status 7: no disk"},
		"dies":               {text: "kill -9 $$", err: "signal: killed"},
		"dynamic, 0":         {health.Misc{Dynamic: true}, "exit 0", health.Advice{}, ""},
		"dynamic, 1":         {health.Misc{Dynamic: true}, "exit 1", health.Advice{}, "exit status 1"},
		"dynamic, 2":         {health.Misc{Dynamic: true}, "exit 2", weight(0), ""},
		"dynamic, 12":        {health.Misc{Dynamic: true}, "echo some words; exit 12", weight(10), ""},
		"dynamic, 255":       {health.Misc{Dynamic: true}, "exit 255", weight(253), ""},
		"dynamic, dies":      {health.Misc{Dynamic: true}, "kill -15 $$", health.Advice{}, "signal: terminated"},
		"arguments":          {text: `[ "$1" = "a b" ] && [ "$2" = '$(id)' ] && [ $# = 2 ]`},
		"1 GB":               {text: `head -c 1000000000 /dev/zero; exit 3`, err: "exit status 3: " + strings.Repeat("?", 200) + "..."},
		"no environment":     {text: `[ -z "$SECRET" ]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECRET", "x")
			f, err := examine(t, shell(t, tt.spec, tt.text, "a b", "$(id)"))
			if f.Advice != tt.want || err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
				t.Errorf("%v, %v; want %v, %s", f, err, tt.want, tt.err)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		c := health.Check{Timeout: patience, Spec: health.Misc{Argv: health.ListOf("/nonexistent")}}
		if _, err := examine(t, c); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// A command whose time is up is ended with what it started, and the check has failed.
func TestMiscCheckTakesTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	c := shell(t, health.Misc{}, `sleep 1000 & echo $! >"$1.new"; mv "$1.new" "$1"; wait`, file)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := probe.Probe(ctx, c)
		ended <- err
	}()
	pid := 0
	lab.WaitFor(t, patience, "the script to begin", func() error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, err = fmt.Sscan(string(text), &pid)
		return err
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("it passed")
	}
	lab.WaitFor(t, patience, "its child to end", func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
		return errors.New("it lives")
	})

	c = shell(t, health.Misc{}, "echo waiting; sleep 1000")
	c.Timeout = 100 * time.Millisecond
	if _, err := examine(t, c); err == nil || !strings.HasPrefix(err.Error(), "it ran for more than 100ms: stopped") {
		t.Error(err)
	}
}

func TestMiscCheckOfAPlugin(t *testing.T) {
	c := shell(t, health.Misc{Plugin: true}, `while read -r id address port limit; do
		[ "$limit" -gt 0 ] || exit 3
		case $address:$port in
		192.0.2.7:80) echo "$id up" ;;
		192.0.2.7:81) echo "$id up 50%" ;;
		192.0.2.7:82) echo "$id down no disk" ;;
		192.0.2.7:83) echo "$id down" ;;
		192.0.2.7:84) echo "$id maybe" ;;
		192.0.2.7:85) echo "$id up and away" ;;
		192.0.2.7:87) echo "$id" ;;
		2001:db8::7:80) echo "$id up 7" ;;
		esac
	done`)
	for target, want := range map[string]string{
		"192.0.2.7:80":     "{0 0}",
		"192.0.2.7:81":     "{2 50}",
		"[2001:db8::7]:80": "{1 7}",
		"192.0.2.7:82":     "no disk",
		"192.0.2.7:83":     "the plug-in says down",
		"192.0.2.7:84":     `the plug-in answered "maybe", neither up nor down`,
		"192.0.2.7:85":     `"and away" is no weight such as 12 or 75%`,
		"192.0.2.7:86":     "no answer from the plug-in within 250ms",
		"192.0.2.7:87":     `the plug-in answered "", neither up nor down`,
	} {
		c.Target, c.Timeout = netip.MustParseAddrPort(target), patience
		if c.Target.Port() == 86 {
			c.Timeout = short
		}
		f, err := examine(t, c)
		got := fmt.Sprint(f.Advice)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s; want %s", target, got, want)
		}
	}
}

func FuzzPluginAnswer(f *testing.F) {
	for _, s := range []string{"up", "up 7", "up 50%", "down", "down no disk", "", " up ", "up\x00", "UP"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		finding, err := probe.ParseAnswer(answer)
		if err != nil && finding.Advice != (health.Advice{}) {
			t.Errorf("%q: %v and %v", answer, finding, err)
		}
		if finding.Advice.Value < 0 {
			t.Errorf("%q: weight %d", answer, finding.Advice.Value)
		}
	})
}
