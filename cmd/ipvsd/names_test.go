package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/ipvsd/ipvsd/pkg/config/dialect"
)

// as runs a command line under a name.
func as(t *testing.T, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), &process{name: name, stdout: &out, stderr: &errs}, args)
	return code, out.String(), errs.String()
}

// What keepalived's own command line does without a daemon.
func TestAsKeepalived(t *testing.T) {
	good := foreign(t, "-A -f 1\n")
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"version", []string{"-v"}, 0, "", "Keepalived v2.2.7 "},
		{"help", []string{"--help"}, 0, "", "/etc/keepalived/keepalived.conf"},
		{"signal", []string{"--signum=JSON"}, 0, "36\n", ""},
		{"no signal", []string{"--signum", "HUP"}, 1, "", "Unknown sigfunc HUP\n"},
		{"genhash", []string{"-T"}, 1, "", "md5sum"},
		{"no option", []string{"--frob"}, 1, "", "unknown flag: --frob"},
		{"no file", []string{"-n", "-f", "/no/such.conf"}, 6, "", "there is no configuration"},
		{"test", []string{"-t", "-f", good}, 0, "", ""},
		{"test with everything", []string{"--config-test", "-lDdRaxmVIXBPCGS", "3", "-u", "022", "--all", "-M", "--perf=run", "-A", "x", "--use-file", good}, 0, "", ""},
		{"test of a bad file", []string{"-t", "-f", foreign(t, "-Q\n")}, 5, "", "rules:1:1: "},
		{"test with a file missing, told", []string{"-t", "-f", foreign(t, "include /no/such.conf\n")}, 0, "", "there is no file /no/such.conf"},
		{"test with a file missing, refused", []string{"-t", "-e", "-f", foreign(t, "include /no/such.conf\n")}, 5, "", "there is no file /no/such.conf"},
		{"bad file", []string{"-n", "-f", foreign(t, "-Q\n")}, 2, "", "rules:1:1: "},
		{"facility", []string{"-n", "-S", "8", "-f", good}, 1, "", "--log-facility 8"},
		{"umask", []string{"-n", "-u", "01000", "-f", good}, 1, "", "--umask 01000"},
	} {
		code, stdout, stderr := as(t, keepalived, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%s: exit code %d, want %d\nstdout: %s\nstderr: %s", tt.name, code, tt.code, stdout, stderr)
		}
	}
}

// ipvsd takes keepalived's options, and shows its own only.
func TestOptionsOfBoth(t *testing.T) {
	_, help, _ := as(t, "ipvsd", "--help")
	for option, shown := range map[string]bool{"--file": true, "--dump-dir": true, "--snmp": false, "--vrrp": false} {
		if strings.Contains(help, option+" ") != shown {
			t.Errorf("%s shown: %v\n%s", option, !shown, help)
		}
	}
	if code, _, stderr := as(t, "ipvsd", "-t", "-P", "-x", "-r", "/run/v.pid", "-f", foreign(t, "-A -f 1\n")); code != 0 {
		t.Error(stderr)
	}
}

// Every option that does nothing says why, or is what happens anyway.
func TestNoted(t *testing.T) {
	k := new(keepalivedOptions)
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	k.flags(f, true)
	if err := f.Parse([]string{"-xD", "--core-dump-pattern", "-A", "/s"}); err != nil {
		t.Fatal(err)
	}
	got := ""
	for option, why := range k.noted() {
		if why == "" {
			t.Errorf("%s: no reason", option)
		}
		got += option + " "
	}
	if got != "--snmp --snmp-agent-socket --core-dump-pattern " {
		t.Errorf("got %s", got)
	}
}

// ldirectord's command line, as far as it needs no daemon.
func TestAsLdirectord(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "unit-test-"+strconv.Itoa(os.Getpid())+".cf")
	if err := os.WriteFile(conf, []byte("supervised\nchecktimeout=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		code   int
		output string // a part of it
	}{
		{[]string{"-h"}, 0, "usage: "},
		{[]string{"--version"}, 0, "ldirectord (it is ipvsd "},
		{nil, 255, "usage: "},
		{[]string{conf}, 255, "usage: "},
		{[]string{conf, "frob"}, 255, "usage: "},
		{[]string{"a", "b", "status"}, 255, "usage: "},
		{[]string{"/no/such.cf", "status"}, 1, "Config file /no/such.cf not found\n"},
		{[]string{conf, "status"}, 3, "ldirectord is stopped for " + conf + "\n"},
		{[]string{"-d", "--", conf, "status"}, 3, "ldirectord is stopped"},
		{[]string{conf, "stop"}, 0, ""},
		{[]string{conf, "try-restart"}, 0, ""},
		{[]string{conf, "reload"}, 1, ""},
	} {
		code, stdout, stderr := as(t, ldirectord, tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.output) {
			t.Errorf("%q: exit code %d, want %d\n%s%s", tt.args, code, tt.code, stdout, stderr)
		}
	}
}

// A pid file that is left of a process that has ended, or is another's by now, is stale.
func TestStale(t *testing.T) {
	d := director{process: &process{stdout: new(bytes.Buffer)}, file: "x.cf", pidFile: filepath.Join(t.TempDir(), "pid")}
	for text, stale := range map[string]bool{"": true, "x\n": true, "1\n": true, "-1\n": true, "999999999\n": true, strconv.Itoa(os.Getpid()) + "\n": true} {
		if err := os.WriteFile(d.pidFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, got := d.running(); pid != 0 || got != stale {
			t.Errorf("%q: %d %v", text, pid, got)
		}
		if code := d.status(t.Context()); code != 1 {
			t.Errorf("%q: status %d", text, code)
		}
	}
	for text, want := range map[string]bool{"supervised\n": true, " supervised = yes\n": true, "supervised=no\n": false, "x=1\n": false} {
		d.file = filepath.Join(t.TempDir(), "x.cf")
		if err := os.WriteFile(d.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := d.supervised(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Lines go to syslog with their level, and the log to the file that is named.
func TestLogFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	for range 2 {
		w, end, err := (&process{stderr: new(bytes.Buffer)}).log(&options{logFile: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		end()
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "line\nline\n" {
		t.Errorf("%q %v", text, err)
	}
}

// A number in a file that is left may be another program's by now.
func TestIsLdirectord(t *testing.T) {
	for line, want := range map[string]bool{
		"/usr/sbin/ldirectord web.cf start": true, "ldirectord start": true, "/usr/bin/perl -w /usr/sbin/ldirectord web.cf start": true,
		"vim /usr/sbin/ldirectord": false, "vim /etc/ha.d/ldirectord.cf": false, "perl -e 1": false, "perl": false,
	} {
		if got := isLdirectord(strings.Fields(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	if isLdirectord([]string{""}) {
		t.Error("a process of the kernel has no command line")
	}
}

// What a message says about ipvsd's own options is true.
func TestRemarksNameOptions(t *testing.T) {
	f := command(&process{name: "ipvsd"}).Flags()
	options := regexp.MustCompile(`--([a-z-]+)`)
	for _, d := range dialect.Dialects {
		for _, k := range dialect.Keywords(d) {
			for _, m := range options.FindAllStringSubmatch(k.Remark, -1) {
				if f.Lookup(m[1]) == nil {
					t.Errorf("%s %s: there is no option %s\n%s", k.Scope, k.Name, m[0], k.Remark)
				}
			}
		}
	}
}
