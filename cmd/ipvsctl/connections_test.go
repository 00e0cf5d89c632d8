package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
)

func (d *fake) Connections(_ context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		f, err := q.Filter()
		if err != nil {
			yield(connection.Connection{}, err)
			return
		}
		for _, c := range entries {
			if f.Match(&c) && !yield(c, nil) {
				return
			}
		}
		if d.err != nil {
			yield(connection.Connection{}, d.err)
		}
	}
}

var entries = []connection.Connection{
	{
		Protocol: "tcp", Client: netip.MustParseAddrPort("192.0.2.10:40000"), Virtual: netip.MustParseAddrPort("192.0.2.1:80"),
		Server: netip.MustParseAddrPort("198.51.100.1:80"), State: "ESTABLISHED", Expires: 14*time.Minute + 59*time.Second,
	},
	{
		Protocol: "tcp", Client: netip.MustParseAddrPort("[2001:db8::10]:40000"), Virtual: netip.MustParseAddrPort("[2001:db8::1]:80"),
		Server: netip.MustParseAddrPort("198.51.100.1:80"), State: "TIME_WAIT", Expires: time.Minute,
	},
	{
		Protocol: "udp", Client: netip.MustParseAddrPort("192.0.2.10:0"), Virtual: netip.MustParseAddrPort("192.0.2.1:5060"),
		Server: netip.MustParseAddrPort("198.51.100.2:5060"), State: "NONE", Engine: "sip", EngineData: "a\x1b[31m",
	},
	{
		Protocol: "ip", Client: netip.MustParseAddrPort("192.0.2.11:0"), Virtual: netip.MustParseAddrPort("0.0.0.7:0"),
		Server: netip.MustParseAddrPort("198.51.100.2:0"), State: "ASSURED",
	},
}

const listed = `
SERVICE                     CLIENT                 SERVER                 STATE        EXPIRES  ENGINE
tcp 192.0.2.1:80            192.0.2.10:40000       198.51.100.1:80        ESTABLISHED   14m59s
tcp [2001:db8::1]:80        [2001:db8::10]:40000   198.51.100.1:80        TIME_WAIT       1m0s
udp 192.0.2.1:5060          192.0.2.10:0           198.51.100.2:5060      NONE              0s  sip "a\x1b[31m"
fwmark 7                    192.0.2.11:0           198.51.100.2:0         ASSURED           0s
`

const summarized = `
entries: 4

fwmark 7          1
  198.51.100.2:0  1  ASSURED 1

tcp 192.0.2.1:80   1
  198.51.100.1:80  1  ESTABLISHED 1

udp 192.0.2.1:5060   1
  198.51.100.2:5060  1  NONE 1

tcp [2001:db8::1]:80  1
  198.51.100.1:80     1  TIME_WAIT 1

clients with the most
  192.0.2.10    2
  192.0.2.11    1
  2001:db8::10  1
`

func TestConnections(t *testing.T) {
	first := strings.Join(strings.SplitAfter(listed, "\n")[:3], "")
	for _, tt := range []struct {
		name           string
		err            error
		args           string
		code           int
		stdout, stderr string // a part of the latter
	}{
		{"all", nil, "", 0, listed, ""},
		{"the first", nil, "-n 1", 0, first, ""},
		{"some", nil, "--service 192.0.2.1:80 --server 198.51.100.1:80 --client 192.0.2.0/24 --state established --family inet", 0, first, ""},
		{"none", nil, "--client 192.0.2.99", 0, "\n", ""},
		{"a list that breaks off", errors.New("no luck"), "--service 192.0.2.1:80", 1, first, "ipvsctl: the list of connections broke off: no luck"},
		{"a summary", nil, "--summary", 0, summarized, ""},
		{"a summary without clients", nil, "--summary --top 0 --state TIME_WAIT", 0,
			"\nentries: 1\n\ntcp [2001:db8::1]:80  1\n  198.51.100.1:80     1  TIME_WAIT 1\n", ""},
		{"a summary that breaks off", errors.New("no luck"), "--summary", 1, "\n", "ipvsctl: no luck"},
		{"a bad service", nil, "--service www", 2, "\n", `ipvsctl: --service: "www" is not an address`},
		{"a bad state", nil, "--state x --summary", 2, "\n", `ipvsctl: --state: "x" is none: they are`},
		{"a bad limit", nil, "-n -1", 2, "\n", "numbers from 0 on"},
		{"a limit of a summary", nil, "-n 1 --summary", 2, "\n", "without --limit"},
		{"clients of a list", nil, "--top 1", 2, "\n", "--top goes with --summary"},
		{"an argument", nil, "x", 2, "\n", "the form is ipvsctl connections"},
	} {
		code, stdout, stderr := ctl(t, &fake{err: tt.err}, append([]string{"connections"}, strings.Fields(tt.args)...)...)
		if code != tt.code || "\n"+stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%s: exit code %d, want %d\nstdout: %s\nstderr: %s\nwant: %s", tt.name, code, tt.code, stdout, stderr, tt.stdout)
		}
	}
}

func TestConnectionsJSON(t *testing.T) {
	code, stdout, _ := ctl(t, &fake{}, "connections", "-o", "json")
	d := json.NewDecoder(strings.NewReader(stdout))
	for _, want := range entries {
		var got connection.Connection
		if err := d.Decode(&got); err != nil || got != want {
			t.Errorf("%v %+v, want %+v", err, got, want)
		}
	}
	if n := strings.Count(stdout, "\n"); code != 0 || n != len(entries) || d.More() {
		t.Errorf("exit code %d, %d lines", code, n)
	}
	code, stdout, _ = ctl(t, &fake{}, "connections", "--summary", "-o", "json")
	var s connection.Summary
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 || s.Entries != 4 || len(s.Services) != 4 || len(s.Clients) != 3 {
		t.Errorf("exit code %d, %v %+v", code, err, s)
	}
}
