package lab

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseTable(t *testing.T) {
	const listing = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.1.202:80 rr persistent 360 mask 255.255.255.0
  -> 10.0.100.2:80                Masq    1      3          14
  -> 10.0.100.3:80                Masq    0      0          0
FWM  7 wlc
FWM  8 IPv6 mh (mh-port)
  -> [2001:db8::2]:0              Tunnel  2147483647 0          0
`
	want := []Row{
		{"TCP 192.168.1.202:80", "", []string{"rr", "persistent", "360", "mask", "255.255.255.0"}},
		{"TCP 192.168.1.202:80", "10.0.100.2:80", []string{"Masq", "1", "3", "14"}},
		{"TCP 192.168.1.202:80", "10.0.100.3:80", []string{"Masq", "0", "0", "0"}},
		{"FWM 7", "", []string{"wlc"}},
		{"FWM 8 IPv6", "", []string{"mh", "(mh-port)"}},
		{"FWM 8 IPv6", "[2001:db8::2]:0", []string{"Tunnel", "2147483647", "0", "0"}},
	}
	rows, err := parseTable(listing)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	if n := rows[1].Int(3); n != 14 {
		t.Errorf("InActConn %d, want 14", n)
	}
	if n := rows[1].Int(4); n != -1 {
		t.Errorf("a field that isn't there: %d, want -1", n)
	}
	if s, want := rows[5].String(), "-> [2001:db8::2]:0 Tunnel 2147483647 0 0"; s != want {
		t.Errorf("%q, want %q", s, want)
	}
	if _, err := parseTable("what is this?\n"); err == nil {
		t.Error("no error for a strange line")
	}
}

func TestParseAnswer(t *testing.T) {
	answer, err := parseAnswer("web1 192.168.1.10:4711\n")
	if err != nil || answer.Server != "web1" || answer.Client.String() != "192.168.1.10:4711" {
		t.Errorf("%v, %v", answer, err)
	}
	if _, err := parseAnswer("<html>"); err == nil {
		t.Error("no error for another page")
	}
}

func TestPoll(t *testing.T) {
	calls := 0
	third := func() error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	if err := Poll(time.Hour, third); err != nil || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
	never := errors.New("never")
	if err := Poll(time.Nanosecond, func() error { return never }); !errors.Is(err, never) {
		t.Errorf("%v, want the last error", err)
	}
}
