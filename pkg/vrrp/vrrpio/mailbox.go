package vrrpio

import "sync/atomic"

// mailbox is where goroutines leave something for one other. Neither side ever waits: the thread must not sleep because somebody
// holds a lock and has no processor.
type mailbox[T any] struct {
	newest atomic.Pointer[letter[T]]
}

type letter[T any] struct {
	content T
	before  *letter[T]
}

// put adds something. It returns whether it was the first since the last take, after which the reader has to be woken.
func (m *mailbox[T]) put(content T) (first bool) {
	l := &letter[T]{content: content}
	for {
		before := m.newest.Load()
		l.before = before
		if m.newest.CompareAndSwap(before, l) {
			return before == nil // l is the reader's by now
		}
	}
}

// take calls f with all that was put since the last time, the oldest first.
func (m *mailbox[T]) take(f func(T)) {
	var oldest *letter[T]
	for l := m.newest.Swap(nil); l != nil; {
		l.before, oldest, l = oldest, l, l.before
	}
	for ; oldest != nil; oldest = oldest.before {
		f(oldest.content)
	}
}
