//go:build kernel

package vipnl_test

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

// TestKernelSilence: where the host is silent it neither resets nor answers, and other ports and addresses do as always. The address may
// come later. Who listens already goes on, and what is silent no more is as before.
func TestKernelSilence(t *testing.T) {
	b := lab.NewBridge(t, "switch", 1500)
	h, client := lab.NewHost(t, "director"), lab.NewHost(t, "client")
	h.Connect(b, "eth0", "192.0.2.1/24", "2001:db8::1/64")
	client.Connect(b, "eth0", "192.0.2.100/24", "2001:db8::100/64")
	serve(t, h, "hello") // at port 80 of all addresses
	s := vipnl.NewSilencer()
	silence := func(at ...string) {
		t.Helper()
		var list []netip.AddrPort
		for _, a := range at {
			list = append(list, netip.MustParseAddrPort(a))
		}
		on(t, h, func() error { return s.Silence(list) })
	}
	expect := func(when, url, want string) {
		t.Helper()
		out, err := client.Output("curl", "--silent", "--show-error", "--max-time", "2", url)
		got := out
		switch {
		case err == nil:
		case strings.Contains(err.Error(), "exit status 7"):
			got = "reset"
		case strings.Contains(err.Error(), "exit status 28"):
			got = "silence"
		default:
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s: %q, want %q", when, url, got, want)
		}
	}
	expect("at first", "http://192.0.2.1:81/", "reset")
	silence("192.0.2.1:81", "192.0.2.9:81", "[2001:db8::9]:81", "192.0.2.1:80")
	h.AddAddress("eth0", "192.0.2.9/32")
	h.AddAddress("eth0", "2001:db8::9/128")
	expect("silent", "http://192.0.2.1:81/", "silence")
	expect("silent", "http://192.0.2.9:81/", "silence")
	expect("silent", "http://[2001:db8::9]:81/", "silence")
	expect("another port", "http://192.0.2.9:82/", "reset")
	expect("another address", "http://[2001:db8::1]:81/", "reset")
	expect("somebody listens", "http://192.0.2.1:80/", "hello")
	silence("192.0.2.9:81", "192.0.2.9:83")
	expect("still", "http://192.0.2.9:81/", "silence")
	expect("new", "http://192.0.2.9:83/", "silence")
	expect("no more", "http://192.0.2.1:81/", "reset")
	expect("no more", "http://[2001:db8::9]:81/", "reset")
	silence()
	expect("at the end", "http://192.0.2.9:81/", "reset")

	// What can't be is an error, and all else is silent.
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := was
	few.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	err := s.Silence([]netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:81")})
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); e != nil {
		t.Fatal(e)
	}
	if err == nil || !strings.Contains(err.Error(), "silence 192.0.2.9:81: socket: too many open files") {
		t.Errorf("%v", err)
	}
	silence("192.0.2.9:81")
	expect("tried again", "http://192.0.2.9:81/", "silence")
	silence()
}
