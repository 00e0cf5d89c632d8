package vrrpio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// lan is a switch in memory that all hosts of a test are on, with one interface each.
type lan struct {
	mu     sync.Mutex
	ports  []*port
	record *RecordFile       // of the next process
	watch  func(data []byte) // is called with each packet before it arrives; nil: nobody watches
}

// port is a host's network.
type port struct {
	lan *lan

	mu       sync.Mutex
	open     []*memorySocket
	opened   int // how many there were
	closed   int
	slow     time.Duration // to open
	refuse   error         // of open
	full     error         // of listen
	mute     error         // of send
	cut      bool
	queue    []arrival
	busy     time.Duration // for how long wait returns too late
	asleep   time.Duration // the host has been
	began    time.Time
	notified chan struct{}
}

type arrival struct {
	to     *memorySocket
	packet vrrp.Packet
}

type memorySocket struct {
	spec
	port    *port
	deliver func(vrrp.Packet)
	closed  bool
}

func (n *lan) connect() *port {
	p := &port{lan: n, began: time.Now(), notified: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports = append(n.ports, p)
	return p
}

func (p *port) openSocket(s spec) (socket, error) {
	p.mu.Lock()
	slow := p.slow
	p.mu.Unlock()
	time.Sleep(slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return nil, p.refuse
	}
	p.opened++
	return &memorySocket{spec: s, port: p}, nil
}

// portNetwork gives a port the methods of a network.
type portNetwork struct{ *port }

func (p portNetwork) open(s spec) (socket, error) { return p.openSocket(s) }

func (p *port) listen(s socket, deliver func(vrrp.Packet)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full != nil {
		return p.full
	}
	m := s.(*memorySocket)
	m.deliver = deliver
	p.open = append(p.open, m)
	return nil
}

func (p *port) ignore(s socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(m *memorySocket) bool { return m == s })
}

func (p *port) wait(until time.Time) error { //nolint:unparam // it is a network's
	var due <-chan time.Time
	if !until.IsZero() {
		due = time.After(time.Until(until))
	}
	select {
	case <-due:
		p.mu.Lock()
		busy := p.busy
		p.mu.Unlock()
		time.Sleep(busy)
	case <-p.notified:
	}
	return nil
}

func (p *port) receive() {
	p.mu.Lock()
	queue := p.queue
	p.queue = nil
	p.mu.Unlock()
	for _, a := range queue {
		a.to.deliver(a.packet)
	}
}

func (p *port) now() (now time.Time, up, suspended time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = time.Now()
	return now, now.Sub(p.began) + p.asleep, p.asleep
}

func (p *port) wake() {
	select {
	case p.notified <- struct{}{}:
	default:
	}
}

func (p *port) close() {}

func (s *memorySocket) close() {
	s.port.mu.Lock()
	defer s.port.mu.Unlock()
	s.port.closed++
	s.closed = true
}

func (s *memorySocket) send(batch []datagram) (int, error) {
	s.port.mu.Lock()
	err := s.port.mute
	cut := s.port.cut
	if s.closed {
		err = net.ErrClosed
	}
	s.port.mu.Unlock()
	if err != nil {
		return 0, err
	}
	for _, d := range batch {
		if !cut {
			s.port.lan.forward(s.port, d.from, d.to, s.ipv6, bytes.Clone(d.data))
		}
	}
	return len(batch), nil
}

// forward brings a packet to all that listen.
func (n *lan) forward(from *port, source, to netip.Addr, ipv6 bool, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watch != nil {
		n.watch(data)
	}
	for _, p := range n.ports {
		if p != from {
			p.arrive(source, to, ipv6, data)
		}
	}
}

func (p *port) arrive(source, to netip.Addr, ipv6 bool, data []byte) {
	packet := vrrp.Packet{Data: data, From: source, To: to, TTL: 255}
	if !ipv6 {
		packet, _ = vrrp.ParseIPv4(data)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.open {
		if !p.cut && s.ipv6 == ipv6 && s.bound == to {
			p.queue = append(p.queue, arrival{s, packet})
			p.wake()
		}
	}
}

// sockets returns those that are open, and how many there ever were. All others are closed.
func (r *router) sockets() (open []*memorySocket, ever int) {
	r.t.Helper()
	p := r.port
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened-p.closed != len(p.open) {
		r.t.Errorf("%d sockets were opened, %d closed, %d are in use", p.opened, p.closed, len(p.open))
	}
	return slices.Clone(p.open), p.opened
}

// set changes something of a port.
func (p *port) set(f func(p *port)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// router is a Runner on a port.
type router struct {
	*Runner
	*port
	t      *testing.T
	addr   netip.Addr
	log    *lines
	cancel func()
	done   chan struct{}

	mu      sync.Mutex
	actions []vrrp.Action
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the host with the address 192.0.2.N, or fe80::N, on its interface eth0.
func (n *lan) start(t *testing.T, number byte, instances ...vrrp.Instance) *router {
	t.Helper()
	r := n.host(t, number)
	r.Interfaces(eth0(1, number))
	r.Change(instances, nil)
	synctest.Wait()
	return r
}

// host is start without an interface and instances.
func (n *lan) host(t *testing.T, number byte) *router {
	t.Helper()
	return n.process(t, number, false)
}

// process is a runner on a host, which may be held.
func (n *lan) process(t *testing.T, number byte, held bool) *router {
	t.Helper()
	r := &router{t: t, port: n.connect(), addr: netip.AddrFrom4([4]byte{192, 0, 2, number}), log: &lines{}, done: make(chan struct{})}
	r.Runner = New(Options{Log: slog.New(slog.NewTextHandler(r.log, nil)), LogUnknown: true, Held: held, Record: n.record, Report: func(actions []vrrp.Action) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.actions = append(r.actions, actions...)
	}})
	r.network = func() (network, error) { return portNetwork{r.port}, nil }
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = func() {
		cancel()
		<-r.done
	}
	go func() {
		defer close(r.done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	return r
}

func eth0(index int, number byte) []vip.Interface {
	return []vip.Interface{{Name: "eth0", Index: index, Up: true, Multicast: true, Addrs: []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, number}), 24),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: number}), 64),
	}}}
}

// took returns the reported actions since the last call.
func (r *router) took() []vrrp.Action {
	r.mu.Lock()
	defer r.mu.Unlock()
	actions := r.actions
	r.actions = nil
	return actions
}

func (r *router) status(name string) vrrp.Status {
	r.t.Helper()
	all, _, err := r.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s vrrp.Status) bool { return s.Name == name })
	if i < 0 {
		r.t.Fatalf("there is no instance %q", name)
	}
	return all[i]
}

func (r *router) is(name string, want vrrp.State) {
	r.t.Helper()
	if s := r.status(name); s.State != want {
		r.t.Errorf("%v: %s is %v, want %v: %s %v", r.addr, name, s.State, want, s.Reason, s.Faults)
	}
}

var errRefused = errors.New("refused")

// virtual is one of version 3 that says every second that it has 203.0.113.VRID.
func virtual(vrid, priority uint8, change ...func(*vrrp.Instance)) vrrp.Instance {
	in := vrrp.Instance{
		Name: fmt.Sprintf("VI_%d", vrid), VRID: vrid, Version: 3, Interface: "eth0", Priority: priority, Initial: vrrp.Backup,
		AdvertInterval: time.Second, DownTimerAdverts: 3, Preempt: true,
		Multicast: netip.MustParseAddr("224.0.0.18"), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, vrid})},
	}
	for _, f := range change {
		f(&in)
	}
	return in
}
