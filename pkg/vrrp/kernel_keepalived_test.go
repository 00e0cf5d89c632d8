//go:build kernel

package vrrp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is for a keepalived on a slow kernel.
const patience = 90 * time.Second

// link is two hosts with a cable between them: keepalived runs on one.
type link struct {
	keepalived, other *lab.Host
	local, peer       netip.Addr // their link-local addresses
}

func newLink(t *testing.T) *link {
	t.Helper()
	bridge := lab.NewBridge(t, "sw", 1500)
	l := &link{keepalived: lab.NewHost(t, "kd"), other: lab.NewHost(t, "other")}
	l.keepalived.Connect(bridge, "eth0", "192.0.2.1/24", "2001:db8::1/64")
	l.other.Connect(bridge, "eth0", "192.0.2.2/24", "192.0.2.3/24", "2001:db8::2/64", "2001:db8::3/64")
	l.local, l.peer = linkLocal(t, l.keepalived), linkLocal(t, l.other)
	return l
}

// linkLocal waits until the kernel is sure of the address.
func linkLocal(t *testing.T, h *lab.Host) (addr netip.Addr) {
	t.Helper()
	lab.WaitFor(t, patience, "link-local address", func() error {
		out, err := h.Output("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link", "-tentative")
		if err != nil {
			return err
		}
		fields := strings.Fields(out)
		if len(fields) < 4 {
			return errors.New("there is none yet")
		}
		prefix, err := netip.ParsePrefix(fields[3])
		addr = prefix.Addr()
		return err
	})
	return addr
}

// start starts keepalived with a /tmp of its own, where it finds its configuration and leaves its files.
func (l *link) start(t *testing.T, conf string) (process *lab.Process, tmp string) {
	t.Helper()
	tmp = t.TempDir()
	if err := os.WriteFile(filepath.Join(tmp, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	process = l.keepalived.Start("unshare", "-m", "sh", "-c", `mount --bind "$0" /tmp && exec keepalived "$@"`, tmp, "--vrrp", "--dont-fork",
		"--log-console", "--log-detail", "--use-file", "/tmp/conf", "--pid", "/tmp/pid", "--vrrp_pid", "/tmp/vrrp.pid")
	process.WaitLog(patience, "Startup complete")
	return process, tmp
}

// capture is a tcpdump that writes packets to a file.
type capture struct {
	file    string
	process *lab.Process
}

func (l *link) capture(t *testing.T) *capture {
	t.Helper()
	c := &capture{file: filepath.Join(t.TempDir(), "pcap")}
	c.process = l.other.Start("tcpdump", "-Z", "root", "-n", "-U", "--immediate-mode", "-i", "eth0", "-w", c.file,
		"ip proto 112 or ip proto 51 or ip6 proto 112")
	c.process.WaitLog(patience, "listening on")
	return c
}

// packets returns what was captured until now.
func (c *capture) packets() ([]Packet, error) {
	data, err := os.ReadFile(c.file)
	if err != nil {
		return nil, err
	}
	const fileHeader, recordHeader, ethernet = 24, 16, 14
	if len(data) < fileHeader {
		return nil, nil
	}
	var packets []Packet
	for data = data[fileHeader:]; len(data) >= recordHeader; {
		length := int(binary.LittleEndian.Uint32(data[8:])) + recordHeader
		if len(data) < length {
			break // tcpdump is writing it
		}
		p, err := parseFrame(data[recordHeader+ethernet : length])
		if err != nil {
			return nil, err
		}
		packets, data = append(packets, p), data[length:]
	}
	return packets, nil
}

// parseFrame makes of the content of an Ethernet frame what a raw socket would give.
func parseFrame(ip []byte) (Packet, error) {
	if ip[0]>>4 == 4 {
		p, ok := ParseIPv4(bytes.Clone(ip[:binary.BigEndian.Uint16(ip[2:])]))
		if !ok {
			return p, fmt.Errorf("no IPv4 packet: %x", ip)
		}
		return p, nil
	}
	if class := binary.BigEndian.Uint16(ip) >> 4 & 0xFF; class != tos {
		return Packet{}, fmt.Errorf("traffic class %#x: %x", class, ip)
	}
	return Packet{
		Data: bytes.Clone(ip[40 : 40+int(binary.BigEndian.Uint16(ip[4:]))]),
		From: netip.AddrFrom16([16]byte(ip[8:])), To: netip.AddrFrom16([16]byte(ip[24:])), TTL: ip[7],
	}, nil
}
