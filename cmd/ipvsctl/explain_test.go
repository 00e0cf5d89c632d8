package main

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/choice"
	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func TestExplain(t *testing.T) {
	d := &fake{table: status.Kernel{Services: []status.KernelService{{
		Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.80:80")), Scheduler: "fo", Options: []string{"fo"}, Granularity: 32,
		Servers: []status.KernelServer{{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}, {Addr: netip.MustParseAddrPort("10.0.0.2:80"), Weight: 2, Rank: 1}},
	}}}}
	code, out, errs := ctl(t, d, "explain", "198.51.100.9", "tcp", "192.0.2.80:80")
	if code != 0 || !strings.HasPrefix(out, "198.51.100.9 to tcp 192.0.2.80:80 (fo): 10.0.0.2:80\n") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	var a choice.Answer
	code, out, errs = ctl(t, d, "explain", "198.51.100.9:4000", "tcp 192.0.2.80:80", "-o", "json")
	if err := json.Unmarshal([]byte(out), &a); code != 0 || err != nil || a.Server.String() != "10.0.0.2:80" || a.Client.Port() != 4000 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	for _, args := range [][]string{
		{"198.51.100.9"}, {"here", "tcp", "192.0.2.80:80"}, {"198.51.100.9", "tcp"}, {"2001:db8::1", "tcp", "192.0.2.80:80"},
		{"198.51.100.9", "fwmark", "7", "fwmark", "8"}, {"[fe80::1%eth0]:80", "tcp", "[2001:db8::80]:80"},
	} {
		if code, out, _ := ctl(t, d, append([]string{"explain"}, args...)...); code != exitUsage {
			t.Errorf("%q: %d %s", args, code, out)
		}
	}
	if code, _, errs := ctl(t, d, "explain", "198.51.100.9", "tcp", "192.0.2.81:80"); code != exitFailure || !strings.Contains(errs, "not in the kernel's table") {
		t.Errorf("%d %s", code, errs)
	}
}

// What the machine is like that tests run on is not known: what is found of it must go with the exit code.
func TestDoctor(t *testing.T) {
	for _, d := range []*fake{nil, {}} {
		code, out, errs := ctl(t, d, "doctor", "--listen", "0s", "-o", "json", "--state-dir", t.TempDir())
		var r doctor.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != map[bool]int{true: exitChanges}[len(r.Findings) > 0] {
			t.Errorf("%d %v %s %s", code, err, out, errs)
		}
		var f doctor.Facts
		code, out, errs = ctl(t, d, "doctor", "--facts", "--listen", "0s", "-o", "json", "--state-dir", t.TempDir())
		if err := json.Unmarshal([]byte(out), &f); err != nil || code != 0 || f.Release == "" || len(f.Links) == 0 || (f.Daemon != nil) != (d != nil) {
			t.Errorf("%d %v %s %s", code, err, out, errs)
		}
	}
	for _, args := range [][]string{{"--listen", "-1s"}, {"--facts"}, {"now"}} {
		if code, _, errs := ctl(t, nil, append([]string{"doctor"}, args...)...); code != exitUsage {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
}

func TestRealServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	code, out, errs := ctl(t, nil, "realserver", "verify", "--vip", "2001:db8::80", "--state-dir", dir)
	if code != exitChanges || !strings.HasSuffix(out, "\nip address add 2001:db8::80/128 dev lo nodad preferred_lft 0\n") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	var s steps
	code, out, errs = ctl(t, nil, "realserver", "prepare", "--dry-run", "--vip", "2001:db8::80", "--state-dir", dir, "-o", "json")
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil || len(s.Steps) != 1 || !strings.Contains(s.Keep, "DuplicateAddressDetection=none") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, out, errs := ctl(t, nil, "realserver", "undo", "--dry-run", "--state-dir", dir); code != 0 || out != "There is nothing to undo.\n" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, errs := ctl(t, nil, "realserver", "undo", "--dry-run", "--vip", "192.0.2.80", "--state-dir", dir); code != exitFailure || !strings.Contains(errs, "not prepared for it") {
		t.Errorf("%d %s", code, errs)
	}
	for _, args := range [][]string{
		{"prepare"}, {"prepare", "--vip", "here"}, {"prepare", "--vip", "127.0.0.1"}, {"verify", "--vip", "192.0.2.80", "--method", "NAT"},
		{"prepare", "--vip", "192.0.2.80", "--method", "TUN", "--interface", "lo"}, {"verify", "192.0.2.80"}, {"undo", "--vip", "x"},
	} {
		if code, out, _ := ctl(t, nil, append([]string{"realserver"}, args...)...); code != exitUsage {
			t.Errorf("%q: %d %s", args, code, out)
		}
	}
}
