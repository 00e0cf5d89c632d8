package track

import (
	"context"
	"reflect"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// part is a watcher's goroutine while it runs. The zero value is one that does not.
type part struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (p *part) start(ctx context.Context, run func(context.Context)) {
	ctx, p.cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	p.done = done
	go func() {
		defer close(done)
		run(ctx)
	}()
}

// stop returns when the goroutine has ended.
func (p *part) stop() {
	if p.cancel != nil {
		p.cancel()
		<-p.done
		*p = part{}
	}
}

// kind is all objects of one kind, by name, and the watcher that they share. It is replaced when they change.
type kind[T any] struct {
	of     vrrp.ObjectKind
	wanted map[string]T
	news   chan struct{} // an interface or an address has changed
	part
}

// change has other objects be watched, and says whether they are others. The watcher is also given what there was before.
func (k *kind[T]) change(ctx context.Context, objects map[vrrp.Object]bool, all map[string]T,
	run func(ctx context.Context, wanted, before map[string]T, news <-chan struct{}),
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
	k.stop()
	before, news := k.wanted, make(chan struct{}, 1)
	k.wanted, k.news = wanted, news
	if len(wanted) > 0 {
		k.start(ctx, func(ctx context.Context) { run(ctx, wanted, before, news) })
	}
	return true
}

// poke tells the watcher that an interface or an address has changed.
func (k *kind[T]) poke() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}
