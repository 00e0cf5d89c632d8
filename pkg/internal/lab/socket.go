package lab

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// requestLimit is for one request of HTTP's client.
const requestLimit = 10 * time.Second

// From is the host with another address of its own as the source of all connections and queries.
func (h *Host) From(source netip.Addr) *Host {
	other := *h
	other.source = source
	return &other
}

// DialContext connects from the host. The address is an IP address and a port: names are not looked up there.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.Do(func() (err error) {
		var from net.Dialer
		if h.source.IsValid() {
			from.LocalAddr = &net.TCPAddr{IP: h.source.AsSlice()}
		}
		conn, err = from.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens on the host, at an IP address and a port.
func (h *Host) Listen(network, address string) (listener net.Listener, err error) {
	err = h.Do(func() (err error) {
		listener, err = net.Listen(network, address)
		return err
	})
	return listener, err
}

// ListenPacket receives datagrams on the host, at an IP address and a port.
func (h *Host) ListenPacket(network, address string) (conn net.PacketConn, err error) {
	err = h.Do(func() (err error) {
		conn, err = net.ListenPacket(network, address)
		return err
	})
	return conn, err
}

// HTTP returns a client on the host that makes a new connection for each request, so that each is scheduled anew.
func (h *Host) HTTP() *http.Client {
	return &http.Client{
		Timeout:   requestLimit,
		Transport: &http.Transport{DialContext: h.DialContext, DisableKeepAlives: true},
	}
}
