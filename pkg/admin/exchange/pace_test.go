package exchange

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
)

// busy is an etcd where somebody writes all the time.
type busy struct{ asked *atomic.Int64 }

func (b busy) Exchange(_ context.Context, m admin.Message) (*admin.Message, error) {
	b.asked.Add(1)
	return &admin.Message{Digest: m.Digest}, nil
}

func (busy) Watch(ctx context.Context, changed func()) {
	each := time.NewTicker(time.Millisecond)
	defer each.Stop()
	for {
		select {
		case <-each.C:
			changed()
		case <-ctx.Done():
			return
		}
	}
}

func (busy) Close() error { return nil }

// quiet has no wishes.
type quiet struct{}

func (quiet) Wanted(context.Context) (admin.Message, error) { return admin.Message{}, nil }

func (quiet) Hear(context.Context, string, admin.Message) (admin.Message, error) {
	return admin.Message{}, nil
}

// An etcd that tells of news all the time is asked now and then, and left at once.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := busy{new(atomic.Int64)}
		x := New(slog.New(slog.DiscardHandler), quiet{}, func(Party) Director { return b })
		x.Follow([]Party{other("etcd", "http://10.0.0.5:2379")})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { x.Run(ctx); close(ended) }()
		time.Sleep(10 * time.Second)
		if n := b.asked.Load(); n < 10 || n > 21 {
			t.Errorf("asked %d times in 10 seconds", n)
		}
		cancel()
		<-ended
	})
}
