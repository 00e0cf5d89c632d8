package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// connector returns one that runs until the test ends.
func connector(t testing.TB) *probe.Connector {
	t.Helper()
	k, err := probe.NewConnector()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return k
}

// connectBy runs a check and returns its error's text.
func connectBy(t testing.TB, k *probe.Connector, c health.Check) string {
	t.Helper()
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	ended := make(chan error, 1)
	abandon, err := k.Connect(c, func(err error, _ time.Time) { ended <- err })
	if err != nil {
		return text(err)
	}
	select {
	case err := <-ended:
		return text(err)
	case <-time.After(c.Timeout):
		return text(abandon())
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// A socket that is used again comes from another port, and resets each of its connections.
func TestConnectorUsesSocketsAgain(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := listen(t, at)
		k := connector(t)
		before := descriptors(t)
		ports := map[uint16]bool{}
		for range 20 {
			if err := connectBy(t, k, health.Check{Target: addrOf(l), Timeout: time.Minute}); err != "" {
				t.Fatal(err)
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			ports[conn.RemoteAddr().(*net.TCPAddr).AddrPort().Port()] = true
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the server reads %v; want connection reset by peer", err)
			}
			conn.Close()
		}
		if more := descriptors(t) - before; more != 1 {
			t.Errorf("%d more descriptors than before; want 1", more)
		}
		if len(ports) < 10 {
			t.Errorf("20 connections came from the ports %v", ports)
		}
	}
}

// Each server gets its own verdict, whatever the socket saw before.
func TestConnectorMixesFates(t *testing.T) {
	k := connector(t)
	up, refused, hung := acceptor(t), nobody(t), hanging(t)
	var group sync.WaitGroup
	for i := range 3000 {
		c := health.Check{Target: []netip.AddrPort{up, refused, hung}[i%3], Timeout: time.Minute}
		want := []string{"", "connection refused", "no answer within 20ms"}[i%3]
		if i%3 == 2 {
			c.Timeout = 20 * time.Millisecond
		}
		group.Go(func() {
			if got := connectBy(t, k, c); got != want {
				t.Errorf("%v: %q; want %q", c.Target, got, want)
			}
		})
		if i%100 == 99 {
			group.Wait()
		}
	}
}

// Servers that hang up at once, in any way, have accepted all the same, and must not disturb the next probe by the same socket.
func TestConnectorIsNotMisledByWhatComesLater(t *testing.T) {
	k := connector(t)
	l := listen(t, "127.0.0.1:0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("hello\n"))
			conn.Close()
		}
	}()
	talker, refused := addrOf(l), nobody(t)
	for range 3000 {
		if got := connectBy(t, k, health.Check{Target: talker, Timeout: time.Minute}); got != "" {
			t.Fatalf("the server that talks: %s", got)
		}
		if got := connectBy(t, k, health.Check{Target: refused, Timeout: time.Minute}); got != "connection refused" {
			t.Fatalf("the one that isn't there: %q", got)
		}
	}
}

func TestConnectorWakes(t *testing.T) {
	k := connector(t)
	rang := make(chan string)
	k.Wake(time.Hour, func() { rang <- "late" })
	start := time.Now()
	k.Wake(20*time.Millisecond, func() { rang <- "first" })
	if got := <-rang; got != "first" || time.Since(start) < 20*time.Millisecond {
		t.Errorf("%s after %v", got, time.Since(start))
	}
	for range 100 {
		k.Wake(-1, func() { rang <- "again" })
		if got := <-rang; got != "again" {
			t.Errorf("it rang %s", got)
		}
	}
}

// An answer that came in time counts, even if nobody looked until later.
func TestConnectorAbandonsNoConnection(t *testing.T) {
	k, err := probe.NewConnector() // nobody runs it
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[netip.AddrPort]string{
		addrOf(listen(t, "127.0.0.1:0")): "<nil>",
		nobody(t):                        "connection refused",
		hanging(t):                       "no answer within 1m0s",
	} {
		abandon, err := k.Connect(health.Check{Target: target, Timeout: time.Minute}, func(error, time.Time) { t.Error("done was called") })
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time after the end
			got := "<nil>"
			if err := abandon(); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%v: %s; want %s", target, got, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Run(ctx)
	if _, err := k.Connect(health.Check{Target: nobody(t)}, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after its end: %v", err)
	}
}

// 10,000 probes of each fate leave neither goroutines nor more descriptors than a connector may keep.
func TestConnectorLeavesNothing(t *testing.T) {
	goroutines, before := runtime.NumGoroutine(), descriptors(t)
	ctx, cancel := context.WithCancel(t.Context())
	k, err := probe.NewConnector()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	l6 := listen(t, "[::1]:0")
	go func() {
		for {
			conn, err := l6.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	checks := []health.Check{
		{Target: acceptor(t)},
		{Target: addrOf(l6)},
		{Target: nobody(t)},
		{Target: hanging(t), Timeout: time.Nanosecond},
		{Target: acceptor(t), Source: netip.MustParseAddrPort("127.0.0.9:0")},
		{Target: nobody(t), Interface: "nosuch0"},
		{Target: nobody(t), Source: netip.MustParseAddrPort("192.0.2.77:0")},
		{Target: netip.MustParseAddrPort("[fe80::1%nosuch0]:80")},
	}
	most := 0
	for _, c := range checks {
		if c.Timeout == 0 {
			c.Timeout = time.Minute
		}
		for range 100 {
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() { connectBy(t, k, c) })
			}
			group.Wait()
		}
		most = max(most, descriptors(t))
	}
	servers := 6 // descriptors of listeners, and what they have accepted but not closed yet
	if more := most - before; more > probe.MostIdle+servers+100 {
		t.Errorf("%d descriptors more than before", more)
	}
	cancel()
	<-ended
	// Only the servers' goroutines are left, as soon as the last ones have got to their end.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines+3 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > goroutines+3 {
		t.Errorf("%d goroutines before and %d after", goroutines, after)
	}
	// The epoll descriptor and all sockets are gone.
	if more := descriptors(t) - before; more > servers+100 {
		t.Errorf("%d descriptors more than before are left", more)
	}
}

// What this host lacks is not held against the server.
func TestWantOfDescriptorsIsLocal(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	target := addrOf(listen(t, "127.0.0.1:0"))
	k := connector(t)
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, byProbe := probe.Probe(t.Context(), health.Check{Target: target, Spec: health.TCP{}, Timeout: time.Minute})
	_, byConnector := k.Connect(health.Check{Target: target, Timeout: time.Minute}, func(error, time.Time) {})
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{byProbe, byConnector} {
		if !probe.Local(err) {
			t.Errorf("%v is not local", err)
		}
	}
}
