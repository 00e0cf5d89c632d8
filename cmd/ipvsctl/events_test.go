package main

import (
	"context"
	"iter"

	"github.com/ipvsd/ipvsd/pkg/event"
)

func (d *fake) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return d.feed.Watch(ctx, q)
}
