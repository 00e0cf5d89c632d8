package health

import (
	"iter"
	"slices"
	"unique"
)

// List is a list that never changes. Other than a slice it can be compared with ==, and thus be part of a Check. The zero value
// is the empty list.
type List[T comparable] struct{ head unique.Handle[link[T]] }

type link[T comparable] struct {
	item T
	rest List[T]
}

// ListOf returns a list of the items.
func ListOf[T comparable](items ...T) (l List[T]) {
	for _, item := range slices.Backward(items) {
		l = List[T]{unique.Make(link[T]{item, l})}
	}
	return l
}

// All returns the items in order.
func (l List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for l != (List[T]{}) {
			k := l.head.Value()
			if !yield(k.item) {
				return
			}
			l = k.rest
		}
	}
}
