package vipnl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vishvananda/netlink"
)

// table is a source in memory.
type table struct {
	mu     sync.Mutex
	addrs  map[netip.Addr]bool
	err    error
	lists  int
	listen chan netlink.AddrUpdate
}

func (s *table) subscribe(done <-chan struct{}) (<-chan netlink.AddrUpdate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	c := make(chan netlink.AddrUpdate)
	s.listen = c
	go func() {
		<-done
		if s.listens(c) {
			c <- netlink.AddrUpdate{} // there is always one more
		}
		s.lose(c)
	}()
	return c, nil
}

func (s *table) List() (map[netip.Addr]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	return maps.Clone(s.addrs), s.err
}

// set changes the table, and tells the listener, if there is one, n times.
func (s *table) set(n int, err error, addrs ...string) {
	s.mu.Lock()
	s.err = err
	s.addrs = make(map[netip.Addr]bool)
	for _, a := range addrs {
		s.addrs[netip.MustParseAddr(a)] = true
	}
	c := s.listen
	s.mu.Unlock()
	for range n {
		c <- netlink.AddrUpdate{}
	}
}

func (s *table) listens(c chan netlink.AddrUpdate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listen == c
}

// lose closes the listener's channel, as the library does when the socket overruns.
func (s *table) lose(c chan netlink.AddrUpdate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listen == c {
		close(c)
		s.listen = nil
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(table)
		s.set(0, nil, "192.0.2.1")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var got []string
		began := time.Now()
		go func() {
			defer close(ended)
			watch(ctx, s, func(addrs map[netip.Addr]bool, err error) {
				sorted := slices.SortedFunc(maps.Keys(addrs), netip.Addr.Compare)
				got = append(got, fmt.Sprint(time.Since(began), " ", sorted, " ", err))
			})
		}()
		at := func(d time.Duration) {
			time.Sleep(d - time.Since(began))
			synctest.Wait()
		}
		at(time.Second)
		s.set(3, nil, "192.0.2.1", "2001:db8::1") // three pieces of news, one report
		at(2 * time.Second)
		s.set(1, nil, "192.0.2.1", "2001:db8::1") // nothing that we look at
		at(3 * time.Second)
		s.set(0, nil, "192.0.2.2") // the news is lost
		s.lose(s.listen)
		at(4 * time.Second)
		s.set(1, errors.New("no memory"))
		at(5 * time.Second)
		s.set(0, nil)
		at(6 * time.Second)
		cancel()
		<-ended
		want := []string{
			"0s [192.0.2.1] <nil>",
			"1.01s [192.0.2.1 2001:db8::1] <nil>",
			"3.25s [192.0.2.2] <nil>",
			"4.01s [] read the addresses: no memory",
			"4.26s [] watch the addresses: no memory",
			"4.51s [] watch the addresses: no memory",
			"4.76s [] watch the addresses: no memory",
			"5.01s [] <nil>",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
		if s.lists != 6 {
			t.Errorf("the addresses were read %d times", s.lists)
		}
	})
}

// What comes while Watch ends keeps nobody waiting.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(table)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			watch(ctx, s, func(map[netip.Addr]bool, error) {})
		}()
		synctest.Wait()
		cancel()
		<-ended
		synctest.Wait()
		if s.listen != nil {
			t.Error("it still listens")
		}
	})
}
