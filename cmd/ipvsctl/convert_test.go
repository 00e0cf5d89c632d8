package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rules = "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3\n"

// named writes a file of a name and returns its path.
func named(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"rules", []string{named(t, dir, "rules", rules)}, 0, "[[virtual_server]]\naddress = \"192.0.2.1:80\"\n", ""},
		{"bad rules", []string{named(t, dir, "bad.rules", "-A -t 192.0.2.1:80 -s frob\n")}, 3, "", "bad.rules:1:23: the kernel has no scheduler \"frob\""},
		{"our own", []string{file(t, good)}, 0, good, ""},
		{"our own with a warning", []string{file(t, strings.Replace(good, "TCP_CHECK = true\n", "", 1))}, 0, "real_servers", "warning: "},
		{"strictly", []string{"--strict", file(t, strings.Replace(good, "TCP_CHECK = true\n", "", 1))}, 3, "real_servers", "1 errors: "},
		{"of another host", []string{"-i", "there", named(t, dir, "a.conf", "@here frob 1\n@there grob 1\n")}, 0, "", "grob"},
		{"no file", []string{"/no/such"}, 1, "", "no such file"},
		{"nothing", nil, 2, "", "the form is ipvsctl convert FILE"},
		{"json", []string{"-o", "json", file(t, good)}, 2, "", "ipvsctl check -o json"},
		{"keywords", []string{"--keywords"}, 0, "\nkeepalived  -  ", ""},
		{"keywords of keepalived", []string{"--keywords", "keepalived"}, 0, "global_defs", ""},
		{"keywords of nobody", []string{"--keywords", "frob"}, 2, "", `not of "frob"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, nil, append([]string{"convert"}, tt.args...)...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, stdout, stderr)
			}
		})
	}
	code, stdout, _ := ctl(t, nil, "convert", "--keywords", "-o", "json")
	var rows []struct{ Dialect, Scope, Name, Fate string }
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 || len(rows) == 0 || rows[0].Dialect == "" || rows[0].Name == "" || rows[0].Fate == "" {
		t.Errorf("%d %v %.1000s", code, err, stdout)
	}
}

// What was converted is valid, and converting it again changes nothing.
func TestConvertTwice(t *testing.T) {
	dir := t.TempDir()
	_, first, _ := ctl(t, nil, "convert", named(t, dir, "rules", rules))
	again := named(t, dir, "ipvsd.toml", first)
	if code, second, stderr := ctl(t, nil, "convert", again); code != 0 || second != first {
		t.Errorf("%d %s\n%s", code, stderr, second)
	}
	if code, _, stderr := ctl(t, nil, "check", again); code != 0 {
		t.Error(stderr)
	}
}

// Warnings are errors if that is asked for, and the places are those of the file that is included.
func TestCheckForeign(t *testing.T) {
	dir := t.TempDir()
	a := named(t, dir, "a.conf", "global_defs {\n  router_id x\n  include b.inc\n}\n")
	named(t, dir, "b.inc", "\n  frob 1\n")
	code, _, stderr := ctl(t, nil, "check", a)
	if want := filepath.Join(dir, "b.inc") + ":2:"; code != 0 || !strings.Contains(stderr, want) || !strings.Contains(stderr, "  2 |   frob 1\n") {
		t.Errorf("%d %s", code, stderr)
	}
	if code, _, stderr := ctl(t, nil, "check", "--strict", a); code != 3 || !strings.Contains(stderr, ":2:") {
		t.Errorf("%d %s", code, stderr)
	}
	d := &fake{}
	if code, _, stderr := ctl(t, d, "plan", "-i", "id", a); code != 0 || string(d.planned.Texts[filepath.Join(dir, "b.inc")]) != "\n  frob 1\n" || d.planned.ConfigID != "id" {
		t.Errorf("%d %s %+v", code, stderr, d.planned)
	}
	if code, _, stderr := ctl(t, d, "reload", "--strict"); code != 0 || !d.strict {
		t.Errorf("%d %s", code, stderr)
	}
}

// What this host lacks may be on the one that the file is for.
func TestConvertOfAnotherHost(t *testing.T) {
	const text = "virtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 198.51.100.1 80 {\n MISC_CHECK {\n misc_path /no/such\n }\n }\n}\n"
	path := named(t, t.TempDir(), "k.conf", text)
	code, stdout, stderr := ctl(t, nil, "convert", path)
	want := path + ":5:12: warning: /no/such can't be run on this host (no such file or directory): keepalived goes without it where that is so\n"
	if code != 0 || !strings.Contains(stdout, `misc_path = "/no/such"`) || !strings.Contains(stderr, want) {
		t.Errorf("%d, %s%s", code, stdout, stderr)
	}
}
