package probe_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// sipAnswer answers a request as RFC 3261, 8.2.6 wants it, with a status.
func sipAnswer(request []byte, status string) []byte {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(request)))
	line, err := r.ReadLine()
	header, headerErr := r.ReadMIMEHeader()
	if err != nil || headerErr != nil || !strings.HasPrefix(line, "OPTIONS sip:") || !strings.HasSuffix(line, " SIP/2.0") {
		return []byte("SIP/2.0 400 Bad Request\r\n\r\n")
	}
	return fmt.Appendf(nil, "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=1\r\ni: %s\r\nCSeq: %s\r\nl: 4\r\n\r\nv=0\n", status,
		header.Get("Via"), header.Get("From"), header.Get("To"), header.Get("Call-Id"), header.Get("Cseq"))
}

// sipServer answers requests over a stream with some statuses.
func sipServer(statuses ...string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		var request bytes.Buffer
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			request.WriteString(line)
			if line != "\r\n" {
				continue
			}
			for _, status := range statuses {
				if _, err := c.Write(sipAnswer(request.Bytes(), status)); err != nil {
					return
				}
			}
			request.Reset()
		}
	}
}

func TestSIPFaults(t *testing.T) {
	faultsUDP(t, of(health.SIP{User: "ipvsd"}), func(b []byte) []byte { return sipAnswer(b, "200 OK") })
}

func TestSIPFaultsOverTCP(t *testing.T) {
	faults(t, of(health.SIP{User: "ipvsd", TCP: true}), sipServer("200 OK"))
}

func TestSIPFaultsInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	faultsTLS(t, id, of(health.SIP{TCP: true, TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca}}), sipServer("200 OK"))
}

func TestSIP(t *testing.T) {
	tcp := health.SIP{TCP: true}
	verdicts(t, []verdict{
		{"OK", tcp, sipServer("200 OK"), ""},
		{"after a while", tcp, sipServer("100 Trying", "200 OK"), ""},
		{"another success", tcp, sipServer("202 Accepted"), "the answer to OPTIONS is 202 Accepted"},
		{"busy", tcp, sipServer("503 Service Unavailable"), "the answer to OPTIONS is 503 Service Unavailable"},
		{"not found", tcp, sipServer("404 Not Found"), "the answer to OPTIONS is 404 Not Found"},
		{"another request", tcp, says("SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"), "a response to another request"},
		{"HTTP", tcp, says("HTTP/1.1 200 OK\r\n\r\n"), `no response of SIP: "HTTP/1.1 200 OK"`},
	})
}

// Each probe is a new call, and goes on after an answer that was lost or is another's.
func TestSIPOverUDP(t *testing.T) {
	var lock sync.Mutex
	seen := map[string]int{}
	var last string
	at, end := serverUDP(t, func(b []byte, send func([]byte) error) {
		lock.Lock()
		defer lock.Unlock()
		seen[string(b)]++
		if seen[string(b)] == 1 { // lost
			send([]byte(last)) // the answer to the probe before
			return
		}
		answer := sipAnswer(b, "200 OK")
		last = string(answer)
		send(answer)
	})
	defer end()
	for range 2 {
		if _, text, trace := toldAt(t, health.SIP{User: "ipvsd"}, at); text != "" {
			t.Errorf("%s\n%s", text, strings.Join(trace, "\n"))
		}
	}
	lock.Lock()
	defer lock.Unlock()
	if len(seen) != 2 {
		t.Errorf("%d different requests; want 2", len(seen))
	}
	for request := range seen {
		for _, want := range []string{"OPTIONS sip:ipvsd@" + at.String() + " SIP/2.0\r\n", "Via: SIP/2.0/UDP 127.0.0.1:", ";branch=z9hG4bK",
			"From: <sip:ipvsd@127.0.0.1:", ";tag=", "Max-Forwards: 70\r\n", "CSeq: 1 OPTIONS\r\n", "Content-Length: 0\r\n\r\n"} {
			if !strings.Contains(request, want) {
				t.Errorf("no %q in\n%s", want, request)
			}
		}
	}
}

func FuzzSIP(f *testing.F) {
	f.Add("SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")
	f.Add("SIP/2.0 100 Trying\r\ni: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nabc")
	f.Add("SIP/2.0 200 OK\r\nCall-ID\r\n 1\r\nl: 99999999999\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		status, _, err := probe.ReadSIP(bufio.NewReader(strings.NewReader(text)), "1")
		if err == nil && (status < 100 || status > 999) {
			t.Errorf("status %d", status)
		}
	})
}
