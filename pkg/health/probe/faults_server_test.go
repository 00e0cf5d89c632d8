package probe_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// judge runs one probe and compares what comes of it. It has to end in time, to say why if the server fails, to take no more
// memory than it should, and to leave neither goroutines nor descriptors.
func judge(t *testing.T, want outcome, limit time.Duration, c health.Check) {
	t.Helper()
	c.Timeout = limit
	for name, run := range waysOf(c) {
		t.Log(name)
		judgeOne(t, want, c, run)
	}
}

// judgeOne is judge of one way to make the check.
func judgeOne(t *testing.T, want outcome, c health.Check, run probe.Func) {
	t.Helper()
	limit := c.Timeout
	goroutines, descriptors := runtime.NumGoroutine(), len(openFiles(t))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	_, err := run(ctx, c)
	cancel()
	took := time.Since(start)
	runtime.ReadMemStats(&after)

	timedOut := err != nil && strings.Contains(err.Error(), limit.String())
	switch want {
	case passes:
		if err != nil {
			t.Errorf("%v; want that it passes", err)
		}
	case fails:
		if err == nil || timedOut {
			t.Errorf("%v after %v; want that it fails before its time is over", err, took)
		}
	case late:
		if !timedOut || took < limit {
			t.Errorf("%v after %v; want that it fails after %v, and says so", err, took, limit)
		}
	case fallsShort:
		if err == nil {
			t.Error("it passes; want that it fails")
		}
	case either:
	}
	t.Logf("%v after %v", err, took)
	if err != nil && (err.Error() == "" || len(err.Error()) > 400 || strings.Contains(err.Error(), "EOF") ||
		strings.Contains(err.Error(), "context") || strings.Contains(err.Error(), "closed network connection") ||
		strings.Contains(err.Error(), c.Target.String())) {
		t.Errorf("%q does not say what is wrong", err)
	}
	if took > limit+grace {
		t.Errorf("it ended after %v; its limit is %v", took, limit)
	}
	if ate := after.TotalAlloc - before.TotalAlloc; ate > appetite {
		t.Errorf("it took %d MiB", ate>>20)
	}
	lab.WaitFor(t, grace, "what a probe leaves", func() error {
		if now := runtime.NumGoroutine(); now > goroutines {
			stacks := make([]byte, 1<<20)
			return fmt.Errorf("%d goroutines before, %d after:\n%s", goroutines, now, stacks[:runtime.Stack(stacks, true)])
		}
		if now := openFiles(t); len(now) > descriptors {
			return fmt.Errorf("%d descriptors before, %d after: %s", descriptors, len(now), strings.Join(now, " "))
		}
		return nil
	})
}

// openFiles returns what the descriptors of this process are.
func openFiles(t *testing.T) (list []string) {
	t.Helper()
	const dir = "/proc/self/fd"
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, _ := os.Readlink(filepath.Join(dir, name.Name()))
		list = append(list, file)
	}
	return list
}

// server returns the address of one that has serve for each connection, and what ends it.
func server(t *testing.T, serve func(net.Conn)) (at netip.AddrPort, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		group sync.WaitGroup
		lock  sync.Mutex
		open  = map[net.Conn]bool{}
	)
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			lock.Lock()
			open[c] = true
			lock.Unlock()
			group.Go(func() {
				serve(c)
				c.Close()
				lock.Lock()
				delete(open, c)
				lock.Unlock()
			})
		}
	})
	end = func() {
		l.Close()
		lock.Lock()
		for c := range open {
			c.Close()
		}
		lock.Unlock()
		group.Wait()
	}
	return addrOf(l), end
}

// serverUDP returns the address of a server that sends what answer returns for each datagram, and what ends it. It goes on with
// the answers until they end or the server does.
func serverUDP(t testing.TB, answer func(request []byte, send func([]byte) error)) (at netip.AddrPort, end func()) {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil { // and not that an earlier answer was refused
				answer(b[:n], func(b []byte) error {
					_, err := c.WriteToUDPAddrPort(b, from)
					return err
				})
			}
		}
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort(), func() { c.Close(); group.Wait() }
}

// says returns a server that sends a text, and then hears what there is to be heard.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		if half, can := c.(interface{ CloseWrite() error }); can {
			half.CloseWrite()
		}
		io.Copy(io.Discard, c)
	}
}

// floods returns a server that sends 1 GB of a text as fast as it can.
func floods(text string) func(net.Conn) {
	b := []byte(text)
	return func(c net.Conn) {
		for range (1 << 30) / len(b) {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
}

// noise returns random bytes, which are the same in each run.
func noise(seed byte, n int) string {
	b := make([]byte, n)
	mathrand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// tap is a good server's connection that spoils what it sends.
type tap struct {
	net.Conn
	bytewise bool          // each byte by itself
	pause    time.Duration // before each
	endless  bool          // again and again
	limited  bool          // no more than cut bytes, then it is closed or, with stall, silent
	stall    bool
	cut      int
	sent     *atomic.Int64 // counts
}

func (t *tap) Write(b []byte) (int, error) {
	if t.sent != nil {
		t.sent.Add(int64(len(b)))
	}
	switch {
	case t.bytewise:
		for i := range b {
			if t.pause > 0 {
				<-time.After(t.pause)
			}
			if _, err := t.Conn.Write(b[i : i+1]); err != nil {
				return i, err
			}
		}
		return len(b), nil
	case t.endless:
		long := bytes.Repeat(b, 1+(16<<10)/len(b))
		for {
			if _, err := t.Conn.Write(long); err != nil {
				return 0, err
			}
		}
	case t.limited && t.cut < len(b):
		now := t.cut
		t.cut = 0
		t.Conn.Write(b[:now])
		if !t.stall {
			t.Conn.(*net.TCPConn).CloseWrite()
		}
		io.Copy(io.Discard, t.Conn)
		return now, io.ErrClosedPipe
	case t.limited:
		t.cut -= len(b)
	}
	return t.Conn.Write(b)
}

// identity is a server's certificate for localhost, 127.0.0.1, ::1, and www.example.org, and a file with the authority that
// signed it.
type identity struct {
	cert tls.Certificate
	ca   string
}

// newIdentity returns one that is valid from now until a moment.
func newIdentity(t testing.TB, until time.Time) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www.example.org"},
		NotBefore: until.AddDate(-10, 0, 0), NotAfter: until,
		DNSNames:    []string{"localhost", "www.example.org"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca}
}
