package engine_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// listen returns a listener that nobody accepts from: the kernel completes the connections by itself.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func addrOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// A real server is stopped and started under the engine.
func TestEngineFollowsARealServer(t *testing.T) {
	connector, err := probe.NewConnector()
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string][]engine.Option{"by goroutines": nil, "by a connector": {engine.ConnectBy(connector)}} {
		t.Run(name, func(t *testing.T) { follow(t, opts) })
	}
}

func follow(t *testing.T, opts []engine.Option) {
	l := listen(t, "127.0.0.1:0")
	changes := make(chan health.State, 10)
	last := health.Unchecked
	e := engine.New(probe.Probe, func(r engine.Report) {
		if r.Checker.State != last {
			last = r.Checker.State
			changes <- last
		}
	}, opts...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	e.Change(nil, []health.ID{health.Check{
		Spec:    health.TCP{},
		Target:  addrOf(l),
		Timeout: time.Minute,
		Policy:  health.Policy{DelayLoop: time.Millisecond, Retry: 3, DelayBeforeRetry: time.Millisecond},
	}.ID()})
	expect := func(want health.State) {
		t.Helper()
		if got := <-changes; got != want {
			t.Fatalf("the server went %v; want %v", got, want)
		}
	}
	// Nobody accepts, but the backlog has room for thousands.
	expect(health.Up)
	l.Close()
	expect(health.Down)
	listen(t, addrOf(l).String())
	expect(health.Up)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v; want context canceled", err)
	}
}
