package vipnl

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// Each report is a line that says what happened, but a fight fills no disk.
func TestKeeperLog(t *testing.T) {
	var log strings.Builder
	k := NewKeeper(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, r := range []Report{
		{What: Failed, Owner: "VI", Object: "192.0.2.1/24 dev eth0", Err: errors.New("no permission")},
		{What: Settled, Owner: "VI", Object: "192.0.2.1/24 dev eth0"},
		{What: Fought, Object: "192.0.2.9/24 dev eth0"},
		{What: Conflict, Owner: "VI", Object: "2001:db8::1/64 dev eth0"},
	} {
		k.tell(r)
	}
	for _, want := range []string{
		`level=WARN msg="the kernel refuses it: it is tried again" instance=VI object="192.0.2.1/24 dev eth0" err="no permission"`,
		`level=INFO msg="it is there now, after it had been refused" instance=VI object="192.0.2.1/24 dev eth0"`,
		`level=WARN msg="somebody else removes it again and again: from now on it is put back once a second" instance=- object="192.0.2.9/24 dev eth0"`,
		`level=WARN msg="another host has this address: it is tried again" instance=VI object="2001:db8::1/64 dev eth0"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line %s in\n%s", want, log.String())
		}
	}
	log.Reset()
	const hour = 3600
	for n := range hour {
		k.tell(Report{What: PutBack, Owner: "VI", Object: "192.0.2.1/24 dev eth0", Times: n + 1})
	}
	lines := strings.Count(log.String(), `level=WARN msg="somebody else removed it: put back" instance=VI object="192.0.2.1/24 dev eth0" times=`)
	if lines != 14 { // 1 to 5, then 8, 16 and so on to 2048
		t.Errorf("%d lines of an hour's fight:\n%s", lines, log.String())
	}
}
