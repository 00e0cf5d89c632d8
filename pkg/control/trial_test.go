package control_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func (b *backend) Trial(ctx context.Context) (*status.Trials, error) {
	if b.block != nil {
		b.block <- struct{}{}
		<-ctx.Done()
	}
	return &status.Trials{Trials: []status.Trial{{To: "webhook CHAT", Error: "status 404"}}}, b.err
}

// What was answered comes back; of two at once the second is refused.
func TestTrial(t *testing.T) {
	c, _ := serve(t, &backend{})
	got, err := c.Trial(t.Context())
	if err != nil || len(got.Trials) != 1 || got.Trials[0].Error != "status 404" {
		t.Fatalf("%+v, %v", got, err)
	}

	b := &backend{block: make(chan struct{})}
	c, _ = serve(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := c.Trial(ctx)
		first <- err
	}()
	<-b.block
	if _, err := c.Trial(t.Context()); err == nil || !strings.Contains(err.Error(), "another test of alerts is under way") {
		t.Errorf("a second one: %v", err)
	}
	cancel()
	if err := <-first; err == nil {
		t.Error("one that was given up has an answer")
	}
}
