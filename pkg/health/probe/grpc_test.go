package probe_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// oneConn is a listener that has one connection.
type oneConn struct {
	net.Conn
	given bool
	ended chan struct{}
}

func (o *oneConn) Accept() (net.Conn, error) {
	if o.given {
		<-o.ended
		return nil, net.ErrClosed
	}
	o.given = true
	return &watchedConn{o.Conn, o.ended}, nil
}
func (o *oneConn) Close() error   { return nil }
func (o *oneConn) Addr() net.Addr { return o.LocalAddr() }

// watchedConn tells when it is closed.
type watchedConn struct {
	net.Conn
	closed chan struct{}
}

func (w *watchedConn) Close() error {
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return w.Conn.Close()
}

// grpcServer is the gRPC library's server with its health service, or without one.
func grpcServer(states map[string]healthpb.HealthCheckResponse_ServingStatus) func(net.Conn) {
	return func(c net.Conn) {
		server := grpc.NewServer()
		if states != nil {
			service := grpchealth.NewServer()
			for name, state := range states {
				service.SetServingStatus(name, state)
			}
			healthpb.RegisterHealthServer(server, service)
		}
		once := &oneConn{Conn: c, ended: make(chan struct{})}
		go func() {
			<-once.ended
			server.Stop()
		}()
		server.Serve(once)
	}
}

var serving = map[string]healthpb.HealthCheckResponse_ServingStatus{"shop": healthpb.HealthCheckResponse_SERVING,
	"mail": healthpb.HealthCheckResponse_NOT_SERVING}

func TestGRPCFaults(t *testing.T) { faults(t, of(health.GRPC{Service: "shop"}), grpcServer(serving)) }

func TestGRPC(t *testing.T) {
	verdicts(t, []verdict{
		{"the server", health.GRPC{}, grpcServer(serving), ""},
		{"a service", health.GRPC{Service: "shop", Authority: "shop.example.org"}, grpcServer(serving), ""},
		{"one that is down", health.GRPC{Service: "mail"}, grpcServer(serving), "the service is NOT_SERVING"},
		{"one that isn't there", health.GRPC{Service: "bank"}, grpcServer(serving), "the server doesn't know the service: unknown service"},
		{"no health service", health.GRPC{}, grpcServer(nil), "the server has no grpc.health.v1.Health: unknown service grpc.health.v1.Health"},
	})
}

func TestGRPCInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	l := listen(t, "127.0.0.1:0")
	authorities := make(chan string, 1)
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&id.cert)), grpc.UnaryInterceptor(
		func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			about, _ := metadata.FromIncomingContext(ctx)
			authorities <- strings.Join(about.Get(":authority"), " ")
			return next(ctx, request)
		}))
	healthpb.RegisterHealthServer(server, grpchealth.NewServer())
	go server.Serve(l)
	defer server.Stop()
	spec := health.GRPC{Authority: "shop.example.org", TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca, SNI: "www.example.org"}}
	if _, text, trace := toldAt(t, spec, addrOf(l)); text != "" {
		t.Errorf("%s\n%s", text, strings.Join(trace, "\n"))
	}
	if got := <-authorities; got != "shop.example.org" {
		t.Errorf("authority %q", got)
	}
	spec.TLS.Name = "another.example.org"
	if _, text, _ := toldAt(t, spec, addrOf(l)); !strings.HasSuffix(text, "not for another.example.org") {
		t.Error(text)
	}
}

func FuzzServing(f *testing.F) {
	f.Add([]byte{8, 1})
	f.Add([]byte{8, 2, 8, 1, 0x12, 1, 'x'})
	f.Add([]byte{8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, message []byte) {
		status, err := probe.ParseServing(message)
		if (status == "") != (err != nil) || status == "SERVING" && !bytes.Contains(message, []byte{8}) {
			t.Errorf("%q, %v", status, err)
		}
	})
}
