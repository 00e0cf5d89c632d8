package vrrpio

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// network is what the loop needs of the world: kernel is it, and a switch in memory in tests. What is not said to be another's
// is called by the thread only.
type network interface {
	// open makes a socket. Run's goroutine calls it, and it may take long.
	open(s spec) (socket, error)
	// listen has receive hand out the packets of a socket.
	listen(s socket, deliver func(vrrp.Packet)) error
	// ignore ends that, before somebody closes the socket.
	ignore(s socket)

	// wait returns when a packet came, when it was woken, or when it is time. The zero time never comes.
	wait(until time.Time) error
	// receive delivers what has come. It may leave something for the next time.
	receive()
	// now returns the time, and for how long the host has been up and for how long it was suspended since it booted.
	now() (now time.Time, up, suspended time.Duration)

	// wake makes wait return. Anybody may call it, also after close.
	wake()
	close()
}

// socket is one of a network.
type socket interface {
	// send sends the first of some datagrams. It returns how many left; an error is about the next one.
	send(batch []datagram) (int, error)
	// close is called by Run's goroutine, and may take long.
	close()
}

// datagram is an advert that is to leave.
type datagram struct {
	data     []byte
	from, to netip.Addr
	ttl      uint8 // of IPv6 unicast; 0: the kernel's default

	in  *instance
	due time.Time
}

// spec says which packets a socket receives and how it sends. Sockets of the same one are the same.
type spec struct {
	ipv6     bool
	protocol int        // of IP
	device   string     // interface or VRF; empty: any
	index    int        // of the device: made anew, it is another one
	bound    netip.Addr // multicast group, or own address
	buffer   int        // bytes of the receive buffer; 0: the kernel's
}
