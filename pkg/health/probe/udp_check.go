package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// defaultPayload is what keepalived 2.2.7 sends where there is no payload.
const defaultPayload = "keepalived check - keepalived ch"

// UDP is keepalived's UDP_CHECK, as 2.2.7 does it: one datagram is sent. An ICMP error fails at once: nobody listens, or there is no
// way to the host. An answer passes, unless Require comes with a Reply that it doesn't begin with, or that it is too short or too
// long for; only then its length matters, and an answer that ends before Reply does is compared as far as it goes. Silence lasts
// until the check's time is over, and passes unless Require is set.
func UDP(ctx context.Context, c health.Check, spec health.UDP) (f health.Finding, err error) {
	conn, err := dialUDP(ctx, c)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	payload := spec.Payload
	if payload == "" {
		payload = defaultPayload
	}
	step(ctx, "sends %d bytes: %q", len(payload), payload)
	if _, err := conn.Write([]byte(payload)); err != nil {
		return f, err
	}
	b := make([]byte, 256)
	if spec.Reply != "" {
		b = make([]byte, max(spec.Max, len(spec.Reply))+1) // a byte more than may come is enough to see
	}
	n, err := conn.Read(b)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && !spec.Require {
			step(ctx, "nothing came, which is as good as an answer")
			return f, nil
		}
		return f, err
	}
	step(ctx, "got %d bytes: %q", n, b[:n])
	return f, compare(b[:n], spec)
}

// compare says what is wrong with an answer.
func compare(answer []byte, spec health.UDP) error {
	switch {
	case !spec.Require || spec.Reply == "":
		return nil
	case len(answer) < spec.Min:
		return fmt.Errorf("an answer of %d bytes; at least %d are required", len(answer), spec.Min)
	case len(answer) > spec.Max:
		return fmt.Errorf("an answer of more than %d bytes", spec.Max)
	}
	for i := range min(len(answer), len(spec.Reply)) {
		if mask := spec.Mask[i]; answer[i]&mask != spec.Reply[i]&mask {
			return fmt.Errorf("byte %d of the answer is %02X, not %02X (mask %02X)", i+1, answer[i], spec.Reply[i], mask)
		}
	}
	return nil
}
