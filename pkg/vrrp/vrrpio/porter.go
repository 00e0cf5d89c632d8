package vrrpio

import (
	"time"
)

// porter opens and closes sockets for the thread, which must not wait for it: joining a multicast group takes the kernel's lock on all
// interfaces.
type porter struct {
	net  network
	log  *scribe
	tell func(func(*loop)) // the thread

	errands mailbox[func()]
	bell    chan struct{}
	wanted  map[spec]bool // not open yet; true: that it can't be opened was logged
}

func newPorter(net network, log *scribe, tell func(func(*loop))) *porter {
	return &porter{net: net, log: log, tell: tell, bell: make(chan struct{}, 1), wanted: map[spec]bool{}}
}

// send has the porter's goroutine call a function.
func (p *porter) send(f func()) {
	p.errands.put(f)
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// open has a socket opened, now or as soon as it can be.
func (p *porter) open(s spec) { p.send(func() { p.wanted[s] = false }) }

// forget ends the attempts to open one.
func (p *porter) forget(s spec) { p.send(func() { delete(p.wanted, s) }) }

func (p *porter) close(s socket) { p.send(s.close) }

// run works until the thread has ended, with the error that it returns.
func (p *porter) run(over <-chan error) error {
	again := time.NewTimer(retry)
	defer again.Stop()
	for {
		select {
		case err := <-over:
			p.errands.take(func(f func()) { f() }) // what is to be closed
			return err
		case <-p.bell:
			p.errands.take(func(f func()) { f() })
		case <-again.C:
		}
		for s, logged := range p.wanted {
			socket, err := p.net.open(s)
			if err == nil {
				delete(p.wanted, s)
			} else if p.wanted[s] = true; !logged {
				p.log.warn("a VRRP socket can't be opened, which is tried again", "interface", s.device, "address", s.bound, "err", err)
			}
			p.tell(func(l *loop) { l.opened(s, socket, err) })
		}
		if len(p.wanted) > 0 {
			again.Reset(retry)
		}
	}
}
