package daemon

import (
	"context"
	"iter"

	"github.com/ipvsd/ipvsd/pkg/event"
)

// Events returns what has happened, in the goroutine of whoever asks: it does not wait for the owner, nor the owner for it.
func (o *owner) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return o.events.Watch(ctx, q)
}
