package doctorhost

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/socket"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/doctor"
)

// The filter lets through what listen is about, and nothing of what a busy director sees.
func TestWanted(t *testing.T) {
	vm, err := bpf.NewVM(wanted())
	if err != nil {
		t.Fatal(err)
	}
	const (
		ether = "01005e000012020000000001"
		ip4   = ether + "0800" + "450000280001000040PP0000c0a80165DD000001"
		ip6   = ether + "86dd" + "600000000018PP40" + "fe800000000000000000000000000001" + "DD020000000000000000000000000012"
	)
	of := func(text, protocol, destination string) string {
		return strings.NewReplacer("PP", protocol, "DD", destination).Replace(text)
	}
	for _, c := range []struct {
		name, frame string
		want        bool
	}{
		{"ARP", ether + "0806" + strings.Repeat("00", 28), true},
		{"VLAN", ether + "8100" + strings.Repeat("00", 28), false},
		{"advert", of(ip4, "70", "e0"), true}, {"advert to one", of(ip4, "70", "0a"), true}, {"advert, AH", of(ip4, "33", "e0"), true},
		{"TCP", of(ip4, "06", "0a"), false}, {"UDP", of(ip4, "11", "0a"), false}, {"multicast", of(ip4, "11", "e0"), true},
		{"IPv6 advert", of(ip6, "70", "ff"), true}, {"IPv6 AH", of(ip6, "33", "ff"), true}, {"IPv6 TCP", of(ip6, "06", "20"), false},
		{"IPv6 UDP", of(ip6, "11", "20"), false}, {"IPv6 multicast", of(ip6, "11", "ff"), true},
		{"echo", of(ip6, "3a", "20") + "80", false}, {"advertisement", of(ip6, "3a", "20") + "88", true},
	} {
		b, err := hex.DecodeString(c.frame)
		if err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(b)
		if err != nil || n > 0 != c.want {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
	}
}

// Frames of VLANs are left to the VLANs' interfaces. What the kernel tells of a tag is put in as numbers: only it has them.
func TestUntagged(t *testing.T) {
	for _, c := range []struct {
		present, tag uint32
		want         int
	}{{0, 0, 1}, {0, 10, 1}, {1, 10, 0}, {1, 0x6000, 1}, {1, 0x600a, 0}} {
		program := append(untagged(), bpf.RetConstant{Val: 1})
		for i, instruction := range program {
			if x, is := instruction.(bpf.LoadExtension); is {
				program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: map[bpf.Extension]uint32{bpf.ExtVLANTagPresent: c.present, bpf.ExtVLANTag: c.tag}[x.Num]}
			}
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := vm.Run(make([]byte, 64)); err != nil || n != c.want {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
	}
	if _, err := bpf.Assemble(append(untagged(), wanted()...)); err != nil {
		t.Error(err)
	}
}

// Listening ends when it is to, whatever deadline the caller has, and when the caller ends it.
func TestHearEnds(t *testing.T) {
	s, err := socket.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0, "silence", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing was written
	e := &ear{socket: s, facts: &doctor.Facts{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := e.hear(ctx, time.Now().Add(time.Millisecond)); err != nil {
		t.Error(err)
	}
	time.AfterFunc(time.Millisecond, cancel)
	if err := e.hear(ctx, time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSolicit(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	frame, ok := solicit(netip.MustParseAddr("2001:db8::a1:b2c3").As16(), netip.MustParseAddr("fe80::1").As16(), mac)
	if !ok || hex.EncodeToString(frame[:6]) != "3333ffa1b2c3" {
		t.Fatalf("%x", frame)
	}
	message, ok := doctor.OverhearNeighbour(frame)
	if !ok || len(message) != 32 || message[0] != 135 {
		t.Fatalf("%x", message)
	}
	sum := uint32(len(message)) + 58
	for b := append(append([]byte{}, frame[22:54]...), message...); len(b) > 0; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum != 0xffff {
		t.Errorf("the checksum is wrong: %#x", sum)
	}
}

func TestListed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "modules.dep")
	text := "kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/a.ko\nkernel/net/netfilter/ipvs/ip_vs_rr.ko: x\nkernel/net/ip6-tunnel.ko:\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := listed(file); !got["ip_vs"] || !got["ip_vs_rr"] || !got["ip6_tunnel"] || len(got) != 3 {
		t.Errorf("%v", got)
	}
	if got := listed(file + "x"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestUnit(t *testing.T) {
	for text, want := range map[string]string{
		"0::/system.slice/keepalived.service\n":                                         "keepalived.service",
		"12:pids:/system.slice/x.service/sub\n1:name=\n":                                "x.service",
		"0::/user.slice/user@1000.service/app.slice/a.scope\n":                          "",
		"0::/user.slice/user@1000.service/app.slice/sshd.service\n":                     "",
		"0::/system.slice/containerd.service/kubepods-pod1:cri-containerd:keepalived\n": "",
		"": "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := unit(dir); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Whatever the machine is like, there are facts, and none when nobody waits for them.
func TestGather(t *testing.T) {
	f, err := Gather(t.Context(), Options{At: time.Unix(1, 0)})
	if err != nil || f.Release == "" || len(f.Links) == 0 || f.Listened != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Gather(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
