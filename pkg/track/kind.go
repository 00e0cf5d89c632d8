package track

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// kind is all objects of one kind, by name, and the watcher that they share. It is replaced when they change.
type kind[T any] struct {
	of     vrrp.ObjectKind
	wanted map[string]T
	news   chan struct{} // an interface or an address has changed
	cancel context.CancelFunc
}

// change has other objects be watched, and says whether they are others. Nobody waits here for the old
// one to end, which may hang in reading a file: what it still sees counts no more.
func (k *kind[T]) change(ctx context.Context, running *sync.WaitGroup, objects map[vrrp.Object]bool, all map[string]T,
	watch func(ctx context.Context, wanted map[string]T, news <-chan struct{}),
) bool {
	wanted := make(map[string]T)
	for o := range objects {
		if thing, ok := all[o.Name]; ok && o.Kind == k.of {
			wanted[o.Name] = thing
		}
	}
	if reflect.DeepEqual(wanted, k.wanted) {
		return false
	}
	if k.cancel != nil {
		k.cancel()
	}
	news := make(chan struct{}, 1)
	ctx, k.cancel = context.WithCancel(ctx)
	k.wanted, k.news = wanted, news
	if len(wanted) > 0 {
		running.Go(func() { watch(ctx, wanted, news) })
	}
	return true
}

// interval is how often all is looked at or asked that does not tell by itself.
const interval = time.Second

// pause waits for an interval, and says whether the context is still there after that.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(interval):
		return true
	}
}

// poke tells the watcher that an interface or an address has changed.
func (k *kind[T]) poke() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}
