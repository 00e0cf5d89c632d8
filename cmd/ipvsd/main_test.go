package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const good = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["198.51.100.1:80"]
TCP_CHECK = true
`

// file writes a configuration and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ipvsd.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// foreign writes a file of another tool and returns its path.
func foreign(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What happens before a daemon starts: everything else needs a kernel, and is tested in package daemon.
func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"test of a good file", []string{"-t", "-f", file(t, good)}, 0, "", ""},
		{"test of a warning", []string{"-t", "-f", file(t, strings.Replace(good, "TCP_CHECK = true\n", "", 1))}, 0, "", ": warning: "},
		{"test of a script that isn't there", []string{"-t", "-f", file(t, strings.Replace(good, "TCP_CHECK = true", `MISC_CHECK = { misc_path = "/no/such" }`, 1))}, 0,
			"", "ipvsd.toml:6:28: warning: MISC_CHECK of tcp 192.0.2.1:80 will not run: /no/such: "},
		{"test of a bad file", []string{"-t", "-f", file(t, "x = 1\ny = 2\n")}, 3, "", "ipvsd.toml:2:1: "},
		{"strict test of a warning", []string{"-t", "--strict", "-f", file(t, strings.Replace(good, "TCP_CHECK = true\n", "", 1))}, 3, "", "ipvsd.toml:"},
		{"test of another's file", []string{"-t", "-f", foreign(t, "-A -f 1\n")}, 0, "", "warning"},
		{"test of another's bad file", []string{"-t", "-f", foreign(t, "-A -f 1\n-Q\n")}, 5, "", "rules:2:1: "},
		{"strict test of another's file", []string{"-t", "--strict", "-f", foreign(t, "-A -f 1\n")}, 5, "", "rules:1:"},
		{"test of another's file that is not there", []string{"-t", "-f", "/no/such/keepalived.conf"}, 5, "", "no such file"},
		{"another's bad file", []string{"-f", foreign(t, "-Q\n")}, 3, "", "rules:1:1: "},
		{"test of no file", []string{"-t", "-f", "/no/such.toml"}, 3, "", "no such file"},
		{"a bad file", []string{"-f", file(t, "x = 1\ny = 2\n")}, 3, "", "ipvsd.toml:2:1: "},
		{"no file", []string{"-f", "/no/such.toml"}, 3, "", "no such file"},
		{"no flag", []string{"--frob"}, 2, "", "unknown flag: --frob"},
		{"an argument", []string{"frob"}, 2, "", `unexpected argument "frob"`},
		{"no level", []string{"--log-level", "loud"}, 2, "", "loud"},
		{"version", []string{"--version"}, 0, "ipvsd version ", ""},
		{"help", []string{"--help"}, 0, "--state-dir DIR", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), &process{name: "ipvsd", stdout: &stdout, stderr: &stderr}, tt.args)
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, &stdout, &stderr)
			}
			if tt.stderr == "" && stderr.Len() != 0 || tt.stdout == "" && stdout.Len() != 0 {
				t.Errorf("unexpected output\nstdout: %s\nstderr: %s", &stdout, &stderr)
			}
		})
	}
}

// Only a failure that comes soon waits, and not for long; who is to end does not wait.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for _, tt := range []struct {
			ctx         context.Context
			code        int
			lived, want time.Duration
		}{
			{t.Context(), exitFailure, 0, time.Second},
			{t.Context(), exitFailure, 300 * time.Millisecond, 700 * time.Millisecond},
			{t.Context(), exitFailure, time.Minute, 0},
			{t.Context(), 0, 0, 0},
			{t.Context(), exitConfig, 0, 0},
			{over, exitFailure, 0, 0},
		} {
			began := time.Now()
			time.Sleep(tt.lived)
			linger(tt.ctx, tt.code, began)
			if took := time.Since(began) - tt.lived; took != tt.want {
				t.Errorf("code %d after %v: it waits for %v, want %v", tt.code, tt.lived, took, tt.want)
			}
		}
	})
}
