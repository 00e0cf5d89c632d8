package vipnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// port is what a frame needs to know of the interface that it leaves by.
type port struct {
	mac      [6]byte
	ethernet bool // frames are Ethernet's
	arp      bool // not IFF_NOARP
	up       bool // administratively, and it has a carrier
}

// ports knows the interfaces of a network namespace, and whether they forward, without asking for each frame.
type ports struct {
	news *netlink.Conn // what changes
	ask  *netlink.Conn
	up   func(index int)

	mu     sync.Mutex
	known  map[int]port
	router map[int]bool // forwards IPv6; the news of it comes before that of a new interface
}

// openPorts reads the interfaces. Watch tells of what changes after it was called.
func openPorts(up func(index int)) (*ports, error) {
	p := &ports{up: up, known: make(map[int]port), router: make(map[int]bool)}
	var err error
	if p.news, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	if p.ask, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err == nil {
		err = errors.Join(p.news.JoinGroup(unix.RTNLGRP_LINK), p.news.JoinGroup(unix.RTNLGRP_IPV6_NETCONF))
	}
	if err == nil {
		_, err = p.list()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read interfaces: %w", err), p.close())
	}
	return p, nil
}

func (p *ports) close() error {
	var err error
	for _, c := range []*netlink.Conn{p.news, p.ask} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// watch follows what changes, until close.
func (p *ports) watch() error {
	for {
		messages, err := p.news.Receive()
		var back []int
		if errors.Is(err, unix.ENOBUFS) { // more than the socket holds
			back, err = p.list()
		} else if err == nil {
			back = p.learn(messages)
		}
		if err != nil {
			return fmt.Errorf("watch interfaces: %w", err)
		}
		for _, index := range back {
			p.up(index)
		}
	}
}

// list reads all interfaces, and returns those that are up and were not.
func (p *ports) list() (back []int, err error) {
	messages, err := p.request(netlink.Dump, 0)
	return p.learn(messages), err
}

// request asks for one interface or, in a dump, for all.
func (p *ports) request(flags netlink.HeaderFlags, index int) ([]netlink.Message, error) {
	about := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(about[4:], uint32(index))
	links, err := p.ask.Execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | flags}, Data: about})
	if err != nil {
		return nil, err
	}
	about = []byte{unix.AF_INET6, 0, 0, 0}
	if index != 0 {
		about = binary.NativeEndian.AppendUint16(about, 8) // length of the attribute
		about = binary.NativeEndian.AppendUint16(about, netconfIndex)
		about = binary.NativeEndian.AppendUint32(about, uint32(index))
	}
	forwarding, err := p.ask.Execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETNETCONF, Flags: netlink.Request | flags}, Data: about})
	if err != nil { // a kernel or an interface without IPv6 has no such thing
		forwarding = nil
	}
	return append(links, forwarding...), nil
}

// get returns an interface, and whether it forwards IPv6.
func (p *ports) get(index int) (known port, router bool, err error) {
	find := func() (ok bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		known, ok = p.known[index]
		router = p.router[index]
		return ok
	}
	if find() {
		return known, router, nil
	}
	// It was just made, and the news of it is under way.
	messages, err := p.request(0, index)
	if err != nil {
		return known, router, err
	}
	p.learn(messages)
	if !find() {
		err = unix.ENODEV
	}
	return known, router, err
}

// ours reports whether an interface of this host has the MAC.
func (p *ports) ours(mac [6]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.known {
		if known.mac == mac {
			return true
		}
	}
	return false
}

// learn takes in what the kernel says of interfaces, and returns those that frames reach neighbours by, and did not or as another.
func (p *ports) learn(messages []netlink.Message) (back []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			if index, up := p.learnLink(m); up {
				back = append(back, index)
			}
		case unix.RTM_NEWNETCONF:
			p.learnForwarding(m.Data)
		}
	}
	return back
}

func (p *ports) learnLink(m netlink.Message) (index int, back bool) {
	if len(m.Data) < unix.SizeofIfInfomsg || m.Data[0] != unix.AF_UNSPEC { // a bridge tells of its ports, too
		return 0, false
	}
	kind, flags := binary.NativeEndian.Uint16(m.Data[2:]), binary.NativeEndian.Uint32(m.Data[8:])
	index = int(binary.NativeEndian.Uint32(m.Data[4:]))
	attributes, err := netlink.NewAttributeDecoder(m.Data[unix.SizeofIfInfomsg:])
	if err != nil {
		return 0, false
	}
	is := port{ethernet: kind == unix.ARPHRD_ETHER, arp: flags&unix.IFF_NOARP == 0, up: link{flags: flags}.up()}
	for attributes.Next() {
		if attributes.Type() == unix.IFLA_ADDRESS && len(attributes.Bytes()) == len(is.mac) {
			is.mac = [6]byte(attributes.Bytes())
		}
	}
	if m.Header.Type == unix.RTM_DELLINK {
		delete(p.known, index)
		delete(p.router, index)
		return index, false
	}
	was, known := p.known[index]
	p.known[index] = is
	return index, known && is.up && (!was.up || was.mac != is.mac)
}

// Attributes of struct netconfmsg (linux/netconf.h).
const (
	netconfIndex      = 1
	netconfForwarding = 2
)

func (p *ports) learnForwarding(data []byte) {
	if len(data) < 4 || data[0] != unix.AF_INET6 {
		return
	}
	attributes, err := netlink.NewAttributeDecoder(data[4:])
	if err != nil {
		return
	}
	index, forwarding, told := 0, false, false
	for attributes.Next() {
		switch attributes.Type() {
		case netconfIndex:
			index = int(attributes.Int32())
		case netconfForwarding:
			forwarding, told = attributes.Int32() != 0, true
		}
	}
	if told && index > 0 { // others are those of all, and of interfaces to come
		p.router[index] = forwarding
	}
}
