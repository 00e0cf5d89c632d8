package vrrpio

import (
	"slices"
	"sync"
	"testing"
)

func TestMailbox(t *testing.T) {
	var m mailbox[int]
	for i := range 3 {
		if first := m.put(i); first != (i == 0) {
			t.Errorf("put %d: first is %v", i, first)
		}
	}
	var got []int
	take := func(i int) { got = append(got, i) }
	m.take(take)
	m.take(take)
	if !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
	if !m.put(3) {
		t.Error("it is not the first after a take")
	}
}

// Nothing is lost, what one goroutine puts stays in order, and who puts the first tells the reader.
func TestMailboxOfMany(t *testing.T) {
	const writers, each = 8, 2000
	var m mailbox[[2]int]
	bell := make(chan struct{}, writers*each)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if m.put([2]int{w, i}) {
					bell <- struct{}{}
				}
			}
		})
	}
	var next [writers]int
	for n := 0; n < writers*each; {
		<-bell
		m.take(func(v [2]int) {
			if next[v[0]] != v[1] {
				t.Errorf("writer %d: %d instead of %d", v[0], v[1], next[v[0]])
			}
			next[v[0]], n = v[1]+1, n+1
		})
	}
	wg.Wait()
}
