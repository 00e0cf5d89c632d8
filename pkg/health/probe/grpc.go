package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// grpcLimit is how much a server may say, in bytes: a number and the frames and headers around it.
const grpcLimit = 64 << 10

// GRPC asks the server's grpc.health.v1.Health. It is one request over HTTP/2, which needs no more than what the
// checks of web servers have. The gRPC library would make ipvsd larger by 60 %.
func GRPC(ctx context.Context, c health.Check, s health.GRPC) (f health.Finding, err error) {
	conn, err := dialTLS(ctx, c, grpcLimit, s.TLS, &f, nil, "h2")
	if err != nil {
		return f, err
	}
	defer conn.Close()
	if secured, is := conn.(*tls.Conn); is && secured.ConnectionState().NegotiatedProtocol != "h2" {
		return f, errors.New("TLS: the server does not offer HTTP/2")
	}
	client, scheme, err := http2Client(ctx, conn, c)
	if err != nil {
		return f, err
	}
	defer client.Close()
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s.Service)
	request := &http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Scheme: scheme, Host: c.Target.String(), Path: "/grpc.health.v1.Health/Check"},
		Host:   cmp.Or(s.Authority, c.Target.String()),
		Header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"ipvsd"}},
		Body:   io.NopCloser(bytes.NewReader(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))),
	}
	step(ctx, "Check of service %q", s.Service)
	response, err := client.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return f, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return f, err
	}
	status, err := grpcStatus(response, body)
	if err != nil {
		return f, err
	}
	step(ctx, "status %s", status)
	if status != "SERVING" {
		return f, fmt.Errorf("the service is %s", status)
	}
	return f, nil
}

// grpcStatus returns what a response says of the service, or why it doesn't.
func grpcStatus(response *http.Response, body []byte) (string, error) {
	kind, code := response.Header.Get("Content-Type"), response.Trailer.Get("Grpc-Status")
	switch {
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("no answer of gRPC: HTTP status %s", response.Status)
	case !strings.HasPrefix(kind, "application/grpc"):
		return "", fmt.Errorf("no answer of gRPC: content type %.80q", kind)
	}
	text := response.Trailer.Get("Grpc-Message")
	if code == "" { // an error may be all that there is
		code, text = response.Header.Get("Grpc-Status"), response.Header.Get("Grpc-Message")
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	switch code {
	case "0":
	case "":
		return "", errors.New("no answer of gRPC: the status is missing")
	case "5":
		return "", fmt.Errorf("the server doesn't know the service: %s", text)
	case "12":
		return "", fmt.Errorf("the server has no grpc.health.v1.Health: %s", text)
	default:
		return "", fmt.Errorf("gRPC status %s: %s", code, text)
	}
	if len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
		return "", errors.New("no answer of gRPC: not one message")
	}
	return parseServing(body[5:])
}

// parseServing returns the status in a HealthCheckResponse.
func parseServing(message []byte) (string, error) {
	var status uint64
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return "", fmt.Errorf("no answer of gRPC: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if number == 1 && kind == protowire.VarintType {
			status, n = protowire.ConsumeVarint(message)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return "", fmt.Errorf("no answer of gRPC: %w", protowire.ParseError(n))
		}
		message = message[n:]
	}
	if names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}; status < uint64(len(names)) {
		return names[status], nil
	}
	return "", fmt.Errorf("no answer of gRPC: status %d", status)
}
