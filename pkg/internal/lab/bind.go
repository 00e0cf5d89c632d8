package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// namedConf is authoritative for one zone and talks to nobody. TCP is on, as TCP_CHECK wants it.
const namedConf = `
options {
	directory "DIR";
	pid-file none;
	session-keyfile none;
	lock-file none;
	recursion no;
	dnssec-validation no;
	notify no;
	empty-zones-enable no;
	minimal-responses yes;
	listen-on { any; };
	listen-on-v6 { any; };
};
controls { };
zone "lab.local" { type primary; file "DIR/lab.local"; };
`

// The TXT record of whoami says which server answers.
const zone = `$TTL 60
@      IN SOA ns hostmaster 1 3600 600 86400 60
@      IN NS  ns
ns     IN A   192.168.1.200
www    IN A   192.168.1.202
whoami IN TXT "HOST"
`

// NewBind prepares a name server on port 53, UDP and TCP, of a host, at the host's address. It knows the zone lab.local,
// where the TXT record of whoami is the host's name.
func NewBind(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	// AppArmor, where it is on, lets named work here and hardly anywhere else.
	dir := h.files("/var/cache/bind", map[string]string{
		"named.conf": namedConf,
		"lab.local":  strings.ReplaceAll(zone, "HOST", h.Name),
	})
	return &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 53),
		args: []string{"named", "-g", "-n", "1", "-U", "1", "-c", dir + "/named.conf"},
		ready: func() error {
			_, err := h.Query(loopback(53))
			return err
		},
	}
}

// zones is the serial of the last zone that was made.
var zones atomic.Uint32

// Zone has a server of NewBind know these records of lab.local, too, and none of those that it was given so before.
func (s *Server) Zone(records string) {
	s.Host.tb.Helper()
	text := strings.ReplaceAll(zone, "HOST", s.Host.Name)
	text = strings.Replace(text, "hostmaster 1 ", fmt.Sprintf("hostmaster %d ", 1+zones.Add(1)), 1) + records
	file := filepath.Join(filepath.Dir(s.args[len(s.args)-1]), "lab.local")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		s.Host.tb.Fatalf("zone of %s: %v", s.Host.Name, err)
	}
	s.signal(syscall.SIGHUP) // which it takes for rndc reload
}

// queryLimit is how long Query waits for the answer: a resolver's usual patience before it asks a second time (resolv.conf(5), timeout). Less
// and a lab that stands still looks like a lost question.
const queryLimit = 5 * time.Second

// queries is how many queries were made. Each has a port of its own, which the kernel, left alone, does not care for: to
// IPVS a port that was used a moment ago is an old client's, who stays with the server that he had.
var queries atomic.Uint32

// Resolver is a client's socket to a name server: all queries come from one port.
type Resolver struct{ net.Conn }

// NewResolver connects to a name server from a new port. Close it when done.
func (h *Host) NewResolver(server netip.AddrPort) (*Resolver, error) {
	conn, err := h.newPort(server)
	if err != nil {
		return nil, err
	}
	return &Resolver{conn}, nil
}

// newPort connects to a server over UDP, from a port that no query has used before.
func (h *Host) newPort(server netip.AddrPort) (conn net.Conn, err error) {
	const first, last = 10000, 60000
	for {
		from := &net.UDPAddr{IP: h.source.AsSlice(), Port: first + int(queries.Add(1))%(last-first)}
		err = h.Do(func() (err error) {
			conn, err = net.DialUDP("udp", from, net.UDPAddrFromAddrPort(server))
			return err
		})
		if !errors.Is(err, syscall.EADDRINUSE) {
			return conn, err
		}
	}
}

// Query asks a bind9 of the lab for its host's name, with one datagram from a new port.
func (h *Host) Query(server netip.AddrPort) (name string, err error) {
	r, err := h.NewResolver(server)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	return r.Query()
}

// Query asks a bind9 of the lab for its host's name, with one datagram. It does not ask again: what gets lost is an error.
func (r *Resolver) Query() (name string, err error) {
	id := uint16(rand.Uint32())
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id},
		Questions: []dnsmessage.Question{{Name: whoami, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}},
	}
	packet, err := question.Pack()
	if err != nil {
		return "", err
	}
	if err := r.SetDeadline(time.Now().Add(queryLimit)); err != nil {
		return "", err
	}
	if _, err := r.Write(packet); err != nil {
		return "", err
	}
	reply := make([]byte, 1500)
	n, err := r.Read(reply)
	if err != nil {
		return "", err
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(reply[:n]); err != nil {
		return "", fmt.Errorf("dns %s: %w", r.RemoteAddr(), err)
	}
	if answer.ID != id || len(answer.Answers) != 1 {
		return "", fmt.Errorf("dns %s: an answer with %s and %d records", r.RemoteAddr(), answer.RCode, len(answer.Answers))
	}
	txt, ok := answer.Answers[0].Body.(*dnsmessage.TXTResource)
	if !ok || len(txt.TXT) != 1 {
		return "", fmt.Errorf("dns %s: %v is not the name of a host", r.RemoteAddr(), answer.Answers[0].Body)
	}
	return txt.TXT[0], nil
}

var whoami = dnsmessage.MustNewName("whoami.lab.local.")
