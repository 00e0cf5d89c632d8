package control

import (
	"context"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/fault"
)

// together answers those who ask at about the same time with one answer, which was found out after all of them had asked. However many ask,
// it is found out once at a time: each time is work for the owner of the state, and for the kernel.
type together[T any] struct {
	find func(context.Context) (T, error)
	turn chan struct{} // of capacity 1: one at a time
	mu   sync.Mutex
	next *found[T] // for who asks now; nil: nobody has asked since the last one was begun
}

// found is an answer to several.
type found[T any] struct {
	done  chan struct{} // closed when it is there
	value T
	err   error
}

func newTogether[T any](find func(context.Context) (T, error)) *together[T] {
	return &together[T]{find: find, turn: make(chan struct{}, 1)}
}

// ask returns the answer. The context ends the wait for it, not the work: others may wait, too.
func (t *together[T]) ask(ctx context.Context) (T, error) {
	t.mu.Lock()
	f := t.next
	if f == nil {
		f = &found[T]{done: make(chan struct{})}
		t.next = f
		go t.answer(f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func (t *together[T]) answer(f *found[T]) {
	t.turn <- struct{}{}
	t.mu.Lock()
	t.next = nil
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			f.err = fault.Of(p) // which ends requests, as net/http has it, and not the daemon
		}
		<-t.turn
		close(f.done)
	}()
	f.value, f.err = t.find(ctx)
}
