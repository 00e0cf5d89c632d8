package control

import (
	"cmp"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MaxConns is how many connections clients may have by TCP, unless Server.Room says that there is room for fewer.
const MaxConns = 2048

// Limits of clients by TCP, each known by its address, an IPv6 one by its network.
const (
	maxConnsEach = 256  // connections of one client
	perSecond    = 50   // requests of one client
	burst        = 200  // of them, at once
	wrongCosts   = 20   // so many requests count for one that shows a wrong secret
	maxClients   = 4096 // whose rates are remembered
)

// clientOf returns what a client is known by.
func clientOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		p, _ := a.Prefix(64) // which an IPv6 address has
		return p.String()
	}
	return a.String()
}

// rates are how many requests clients may still make. The zero value is ready.
type rates struct {
	mu sync.Mutex
	of map[string]*rate.Limiter
}

// allow says whether a client may make a request now.
func (r *rates) allow(client string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limiter(client).Allow()
}

func (r *rates) limiter(client string) *rate.Limiter {
	l := r.of[client]
	if l == nil {
		if len(r.of) >= maxClients {
			r.forget()
		}
		if r.of == nil {
			r.of = make(map[string]*rate.Limiter)
		}
		l = rate.NewLimiter(perSecond, burst)
		r.of[client] = l
	}
	return l
}

// punish takes from a client what a wrong secret costs, on credit if it has to be: who has nothing left must not guess for free. There is an
// end to the credit, since others may have the same address.
func (r *rates) punish(client string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.limiter(client); l.Tokens() > -burst {
		l.ReserveN(time.Now(), wrongCosts)
	}
}

// forget drops clients that were quiet, or all of them if there are none.
func (r *rates) forget() {
	for client, l := range r.of {
		if l.Tokens() >= burst {
			delete(r.of, client)
		}
	}
	if len(r.of) >= maxClients {
		clear(r.of)
	}
}

// crowd limits the connections of listeners. The zero value is ready.
type crowd struct {
	mu   sync.Mutex
	most int // 0: MaxConns
	all  int
	of   map[string]int
}

// enter says whether one more connection of a client may come.
func (c *crowd) enter(client string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= cmp.Or(c.most, MaxConns) || c.of[client] >= maxConnsEach {
		return false
	}
	if c.of == nil {
		c.of = make(map[string]int)
	}
	c.all++
	c.of[client]++
	return true
}

func (c *crowd) leave(client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[client]--; c.of[client] == 0 {
		delete(c.of, client)
	}
}

// limited is a listener that closes connections which are too many: who waits would keep others waiting.
type limited struct {
	net.Listener
	crowd *crowd
}

func (l limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(conn.RemoteAddr().String())
		if l.crowd.enter(client) {
			return &counted{Conn: conn, leave: sync.OnceFunc(func() { l.crowd.leave(client) })}, nil
		}
		_ = conn.Close()
	}
}

// counted is a connection of a crowd.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
