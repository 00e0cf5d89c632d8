package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

const byTalk = "by a talk"

// waysOf are those in which a check can be made, Probe first.
func waysOf(c health.Check) iter.Seq2[string, probe.Func] {
	return func(yield func(string, probe.Func) bool) {
		if yield("by a goroutine", probe.Probe) && new(probe.Connector).Talks(c) {
			yield(byTalk, talk)
		}
	}
}

// talk makes a check by a connector of its own. Its time is up as the context's is.
func talk(ctx context.Context, c health.Check) (f health.Finding, err error) {
	k, err := probe.NewConnector()
	if err != nil {
		return f, err
	}
	run, end := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { k.Run(run); close(over) }()
	ended := make(chan struct{})
	cancel := k.Talk(context.WithoutCancel(ctx), c, func(finding health.Finding, failure error, _ time.Time) {
		f, err = finding, failure
		close(ended)
	})
	stop := context.AfterFunc(ctx, cancel)
	<-ended
	stop()
	end()
	<-over
	return f, err
}

// pageServer answers each request with a text, and returns its address and how many connections it has seen the end of.
func pageServer(t *testing.T, text string) (netip.AddrPort, *atomic.Int32) {
	ended := new(atomic.Int32)
	at, end := server(t, func(c net.Conn) {
		hearRequest(c)
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
		ended.Add(1)
	})
	t.Cleanup(end)
	return at, ended
}

// Each server gets its own verdict, whatever the socket saw before, and few sockets are enough for many talks.
func TestTalksMixFates(t *testing.T) {
	well := ok + "Content-Length: 7\r\n\r\ncontent"
	fine, ended := pageServer(t, well)
	wrong, _ := pageServer(t, "HTTP/1.0 500 X\r\n\r\n")
	silent, _ := pageServer(t, "")
	long, _ := pageServer(t, ok+"Content-Length: 200007\r\n\r\n"+strings.Repeat("x", 200_000)+"content")
	late := 100 * time.Millisecond
	fates := []struct {
		at      netip.AddrPort
		timeout time.Duration
		want    string
	}{
		{fine, patience, ""},
		{nobody(t), patience, "connection refused"},
		{wrong, patience, "/: 500 Internal Server Error; want 200-299"},
		{silent, late, "/: no answer within 100ms"},
		{hanging(t), late, "no answer within 100ms"},
		{long, patience, ""},
	}
	goroutines, before := runtime.NumGoroutine(), descriptors(t)
	k, err := probe.NewConnector()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { k.Run(ctx); close(over) }()
	const rounds, most = 10, 70
	for range rounds {
		var group sync.WaitGroup
		for i := range most {
			fate := fates[i%len(fates)]
			ended := make(chan string, 1)
			c := health.Check{Target: fate.at, Timeout: fate.timeout, Spec: page(regex("content"))}
			cancel := k.Talk(t.Context(), c, func(_ health.Finding, err error, _ time.Time) {
				if err == nil {
					err = errors.New("")
				}
				ended <- err.Error()
			})
			group.Go(func() {
				if fate.timeout == late {
					<-time.After(late)
					cancel()
				}
				if got := <-ended; got != fate.want {
					t.Errorf("%v: %q; want %q", fate.at, got, fate.want)
				}
				cancel() // nothing comes of it
			})
		}
		group.Wait()
	}
	if n := ended.Load(); n < (rounds-1)*most/int32(len(fates)) {
		t.Errorf("the good server saw the end of %d connections of %d", n, rounds*most/len(fates))
	}
	end()
	<-over
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		left, open := runtime.NumGoroutine()-goroutines, descriptors(t)-before
		if left <= 0 && open <= 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines and %d descriptors are left", left, open)
		}
	}
}

// What has come by the end of its time counts, even if nobody looked until then, and it is told whether there was something.
func TestTalksTakeWhatCameInTime(t *testing.T) {
	for text, want := range map[string]string{
		ok + "Content-Length: 7\r\n\r\ncontent": "<nil>",
		ok + "Content-Length: 7\r\n\r\ncont":    "/: no complete answer within 1m0s",
	} {
		heard, answered := make(chan bool), make(chan bool)
		at, end := server(t, func(c net.Conn) {
			hearRequest(c)
			heard <- true
			<-answered
			io.WriteString(c, text)
			answered <- true
			io.Copy(io.Discard, c)
		})
		k, err := probe.NewConnector()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { k.Run(ctx); close(over) }()
		got := make(chan error, 1)
		block, released := make(chan bool), make(chan bool)
		cancel := k.Talk(t.Context(), health.Check{Target: at, Timeout: patience, Spec: page()}, func(_ health.Finding, err error, _ time.Time) { got <- err })
		<-heard
		k.Wake(0, func() { block <- true; <-released }) // the connector is busy
		<-block
		answered <- true
		<-answered
		cancel()
		if err := <-got; fmt.Sprint(err) != want {
			t.Errorf("%v; want %s", err, want)
		}
		close(released)
		stop()
		<-over
		end()
	}
}

// A server may answer before it has heard the whole request, when the news is of both and comes once.
func TestTalksHearAnEarlyAnswer(t *testing.T) {
	const size = 16 << 20 // more than the kernel takes at once
	answered, looked := make(chan bool), make(chan bool)
	at, end := server(t, func(c net.Conn) {
		hearRequest(c)
		io.WriteString(c, ok+"Content-Length: 7\r\n\r\ncontent")
		answered <- true
		<-looked
		io.Copy(io.Discard, c)
	})
	defer end()
	k := connector(t)
	got := make(chan error, 1)
	spec := page(func(u *health.URL) { u.Method, u.Body = "POST", strings.Repeat("x", size) })
	cancel := k.Talk(t.Context(), health.Check{Target: at, Timeout: patience, Spec: spec}, func(_ health.Finding, err error, _ time.Time) { got <- err })
	<-answered
	for range 2 { // at the second time the connector is through with what there was at the first
		woke := make(chan bool)
		k.Wake(0, func() { close(woke) })
		<-woke
	}
	close(looked)
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience / 2):
		cancel()
		t.Errorf("it waited until its time was up, and says %v", <-got)
	}
}

// A connector that ends leaves nothing of the talks that are under way, and begins no more.
func TestTalksEndWithTheirConnector(t *testing.T) {
	silent, _ := pageServer(t, "")
	k, err := probe.NewConnector()
	if err != nil {
		t.Fatal(err)
	}
	var told atomic.Int32
	c := health.Check{Target: silent, Timeout: patience, Spec: page()}
	for range 10 {
		k.Talk(t.Context(), c, func(health.Finding, error, time.Time) { told.Add(1) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Run(ctx)
	if n := told.Load(); n != 10 {
		t.Errorf("%d of 10 probes have ended", n)
	}
	k.Talk(t.Context(), c, func(_ health.Finding, err error, _ time.Time) {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("after its end: %v", err)
		}
		told.Add(1)
	})()
	if n := told.Load(); n != 11 {
		t.Errorf("%d of 11 probes have ended", n)
	}
}

// What could keep a connector from its other probes, or can't give way, is not a talk.
func TestTalks(t *testing.T) {
	encrypted, two := page(), page()
	encrypted.TLS.Mode, two.Protocol = health.Implicit, "2"
	for _, test := range []struct {
		spec health.Spec
		want bool
	}{
		{page(), true},
		{page(regex("^a+$"), digest(md5OfContent), assertion("a", "b")), true},
		{page(regex(`(a+)+\1$`)), false},
		{page(regex(`(`)), false},
		{encrypted, false},
		{two, false},
		{health.TCP{}, false},
		{health.SMTP{}, false},
	} {
		if got := new(probe.Connector).Talks(health.Check{Spec: test.spec}); got != test.want {
			t.Errorf("%+v: %v", test.spec, got)
		}
	}
}
