package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/status"
)

func (b *backend) Upgrade(ctx context.Context) (*status.Upgrade, error) {
	if ctx.Done() != nil {
		return nil, errors.New("it depends on the client")
	}
	return &status.Upgrade{From: "v1", To: "v2", PID: 7}, b.err
}

func TestUpgrade(t *testing.T) {
	b := new(backend)
	c, _ := serve(t, b)
	got, err := c.Upgrade(t.Context())
	if err != nil || *got != (status.Upgrade{From: "v1", To: "v2", PID: 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	b.err = errors.New("it ended: exit status 1")
	if _, err := c.Upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("a refused one: %v", err)
	}
}
