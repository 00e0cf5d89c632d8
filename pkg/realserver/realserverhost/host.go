// Package realserverhost makes a machine a real server as package realserver says, and puts it back as it was. It works in the network
// namespace of the process, keeps a record of what was before in a file, and starts no goroutines. Two calls at once wait for each other.
package realserverhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/realserver"
)

const (
	procSys = "/proc/sys/"
	record  = "realserver.json"
)

// Look returns what the machine is like.
func Look() (*realserver.Host, error) {
	h := &realserver.Host{Sysctls: map[string]int{}}
	for _, name := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
		files, _ := filepath.Glob(procSys + "net/ipv4/conf/*/" + name) // the pattern is good
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read sysctl: %w", err)
			}
			n, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				return nil, fmt.Errorf("sysctl %s: %w", file, err)
			}
			h.Sysctls[strings.TrimPrefix(file, procSys)] = n
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		a := l.Attrs()
		names[a.Index] = a.Name
		h.Links = append(h.Links, realserver.Link{
			Name: a.Name, Up: a.Flags&net.FlagUp != 0, Ethernet: a.EncapType == "ether" && a.RawFlags&unix.IFF_NOARP == 0,
		})
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addresses {
		ones, _ := a.Mask.Size()
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			h.Addresses = append(h.Addresses, realserver.Address{Link: names[a.LinkIndex], Prefix: netip.PrefixFrom(ip.Unmap(), ones)})
		}
	}
	return h, nil
}

// Prepare does what the machine lacks for the VIPs, and returns what that was: nothing if it was prepared before. With dry it only returns it.
func Prepare(stateDir string, vips []realserver.VIP, dry bool) ([]realserver.Step, error) {
	unlock, err := lock(stateDir, dry)
	if err != nil {
		return nil, err
	}
	defer unlock()
	h, err := Look()
	if err != nil {
		return nil, err
	}
	if err := realserver.Fits(vips, h); err != nil {
		return nil, err
	}
	steps := realserver.Steps(vips, h)
	for _, s := range steps {
		if s.Remove && !dry {
			return nil, fmt.Errorf("%s is on %s, where this machine answers for it: take it away first (%s)", s.Prefix.Addr(), s.Link, s)
		}
	}
	r, err := Read(stateDir)
	if dry && errors.Is(err, fs.ErrPermission) { // who only looks needs no rights
		return steps, nil
	}
	if err != nil || dry {
		return steps, err
	}
	r.Note(vips, steps, h)
	if err := write(stateDir, r); err != nil { // first: we may be killed at any time
		return nil, err
	}
	for _, s := range steps {
		if err := take(s); err != nil {
			return nil, fmt.Errorf("%s: %w; ipvsctl realserver undo takes back what was done", s, err)
		}
	}
	return steps, nil
}

// Undo puts back what Prepare changed for these VIPs, all of them if none is named, and returns what that was.
func Undo(stateDir string, addrs []netip.Addr, dry bool) (realserver.Undoing, error) {
	unlock, err := lock(stateDir, dry)
	if err != nil {
		return realserver.Undoing{}, err
	}
	defer unlock()
	r, err := Read(stateDir)
	if err != nil {
		return realserver.Undoing{}, err
	}
	for _, a := range addrs {
		if !slices.ContainsFunc(r.VIPs, func(v realserver.VIP) bool { return v.Addr == a }) {
			return realserver.Undoing{}, fmt.Errorf("%s: this machine was not prepared for it, as far as %s says", a, filepath.Join(stateDir, record))
		}
	}
	h, err := Look()
	if err != nil {
		return realserver.Undoing{}, err
	}
	made := slices.Clone(r.Made)
	u := r.Undo(addrs, h)
	if dry {
		return u, nil
	}
	for _, a := range u.Addresses {
		if err := changeAddress(a, netlink.AddrDel); err != nil {
			return u, err
		}
	}
	for _, name := range u.Down {
		if err := lower(name, slices.Contains(made, name)); err != nil {
			return u, err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(u.Sysctls)) {
		if err := set(path, u.Sysctls[path]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return u, err
		}
	}
	return u, write(stateDir, r)
}

// Read returns the record, an empty one if there is none.
func Read(stateDir string) (*realserver.Record, error) {
	r := &realserver.Record{}
	text, err := os.ReadFile(filepath.Join(stateDir, record))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("what was before, %s: %w", filepath.Join(stateDir, record), err)
	}
	return r, nil
}

func write(stateDir string, r *realserver.Record) error {
	name := filepath.Join(stateDir, record)
	if len(r.VIPs) == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(name+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	return err
}

// lock keeps others off the record; who only looks needs none.
func lock(stateDir string, dry bool) (unlock func(), err error) {
	if dry {
		return func() {}, nil
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	d, err := os.Open(stateDir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", stateDir, err), d.Close())
	}
	return func() { _ = d.Close() }, nil
}

func take(s realserver.Step) error {
	switch {
	case s.Sysctl != "":
		return set(s.Sysctl, s.Value)
	case s.Prefix.IsValid():
		return changeAddress(realserver.Address{Link: s.Link, Prefix: s.Prefix}, netlink.AddrAdd)
	}
	return raise(s.Link)
}

func set(path string, value int) error {
	if err := os.WriteFile(procSys+path, []byte(strconv.Itoa(value)), 0o644); err != nil {
		return fmt.Errorf("set sysctl to %d: %w", value, err)
	}
	return nil
}

func changeAddress(a realserver.Address, change func(netlink.Link, *netlink.Addr) error) error {
	l, err := netlink.LinkByName(a.Link)
	if err != nil {
		return fmt.Errorf("interface %s: %w", a.Link, err)
	}
	ip := a.Prefix.Addr()
	bits := ip.BitLen()
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)}}
	if ip.Is6() { // used at once, and nobody's source
		addr.Flags, addr.ValidLft, addr.PreferedLft = unix.IFA_F_NODAD, math.MaxUint32, 0
	}
	if err := change(l, addr); err != nil {
		return fmt.Errorf("%s on %s: %w", a.Prefix, a.Link, err)
	}
	return nil
}

// raise brings a link up. To ask for one of a tunnel's kind has the kernel load the module, with which the kernel's own comes.
func raise(name string) error {
	l, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		switch name {
		case "tunl0":
			err = netlink.LinkAdd(&netlink.Iptun{LinkAttrs: attrs})
		case "ip6tnl0":
			err = netlink.LinkAdd(&netlink.Ip6tnl{LinkAttrs: attrs})
		default:
			return fmt.Errorf("there is no interface %s", name)
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("make %s (modprobe ipip, or ip6_tunnel): %w", name, err)
		}
		l, err = netlink.LinkByName(name)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return netlink.LinkSetUp(l)
}

// lower takes a link down, and away if it was made here. The kernel's own tunnels can't be taken away: they go with their module.
func lower(name string, made bool) error {
	l, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkSetDown(l)
	}
	if err == nil && made {
		if e := netlink.LinkDel(l); e != nil && !errors.Is(e, unix.EPERM) && !errors.Is(e, unix.EOPNOTSUPP) {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("take %s down: %w", name, err)
	}
	return nil
}
