package etcdboard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/etcd"
	"github.com/ipvsd/ipvsd/pkg/etcd/etcdtest"
	"github.com/ipvsd/ipvsd/pkg/internal/authority"
	"github.com/ipvsd/ipvsd/pkg/member"
)

const prefix = "/lb/wishes/"

const one, two = "198.51.100.1:80", "198.51.100.2:80"

func server(text string) admin.Server {
	return admin.Server{AddrPort: netip.MustParseAddrPort(text)}
}

func drain(at, reason string, since time.Time) admin.Wish {
	return admin.Wish{Server: server(at), What: admin.Drain, Owner: "alice", Reason: reason, Since: since}
}

// says is what a message has, with those that were ended: "198.51.100.1:80 disk".
func says(m *admin.Message) string {
	if m.State == nil {
		return "the same"
	}
	var list []string
	for _, w := range m.State.All() {
		list = append(list, w.Server.String()+" "+w.Service+w.Reason)
	}
	if n := m.State.Len() - len(list); n > 0 {
		list = append(list, fmt.Sprintf("%d over", n))
	}
	return strings.Join(list, ", ")
}

func told(t *testing.T, b *Board, s admin.State) *admin.Message {
	t.Helper()
	m, err := s.Message(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := b.Exchange(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func asked(t *testing.T, b *Board) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := b.Exchange(ctx, admin.Message{At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return says(answer)
}

func newBoard(t *testing.T, e *etcdtest.Server) *Board {
	t.Helper()
	b := New(member.Source{Kind: member.Etcd, Name: prefix, At: e.Address, Access: e.Access})
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Of two wishes about the same the newer stays, whoever comes first; the end of one is one, too. What is the same is not sent back.
func TestNewest(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	e.Put("/lb/other", "no wish")
	a, b := newBoard(t, e), newBoard(t, e)
	if got := asked(t, a); got != "" {
		t.Errorf("at first %q", got)
	}
	now := time.Now()
	old := admin.State{}.Set(drain(one, "old", now.Add(-time.Minute)), drain(two, "disk", now))
	if got := says(told(t, a, old)); got != "the same" {
		t.Errorf("what was written: %q", got)
	}
	m := admin.State{}.Set(drain(one, "new", now))
	if got := says(told(t, b, m)); got != one+" new, "+two+" disk" {
		t.Errorf("what is newer and what was there: %q", got)
	}
	if got := says(told(t, a, old)); got != one+" new, "+two+" disk" {
		t.Errorf("what is older does nothing: %q", got)
	}
	ended, _ := m.Clear("bob", now.Add(time.Second), m.All()[0].Key())
	told(t, b, ended)
	if got := asked(t, a); got != two+" disk, 1 over" {
		t.Errorf("ended: %q", got)
	}
	// A service has any name, and a weight is something else than a drain.
	w := drain(two, "", now)
	w.What, w.Weight, w.Service = admin.Weight, 3, "group ä/b %2F tcp"
	told(t, a, admin.State{}.Set(w))
	if got := asked(t, b); got != two+" disk, "+two+" group ä/b %2F tcp, 1 over" {
		t.Errorf("with a weight: %q", got)
	}
}

// Directors that write at once lose nothing that another one wrote, in many batches.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	now := time.Now()
	var all admin.State
	var writing sync.WaitGroup
	for d := range 4 {
		var list []admin.Wish
		for n := range 250 {
			w := drain(fmt.Sprintf("10.0.%d.%d:80", (d*150+n)/200, (d*150+n)%200), fmt.Sprintf("of %d", d), now.Add(time.Duration(d*n%7)*time.Second))
			list = append(list, w)
		}
		s := admin.State{}
		for _, w := range list { // each with the version of its own time
			var err error
			if s, _, err = s.Merge(admin.State{}.Set(w), now); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if all, _, err = all.Merge(s, now); err != nil {
			t.Fatal(err)
		}
		b := newBoard(t, e)
		writing.Go(func() {
			m, err := s.Message(now)
			for err == nil {
				if _, err = b.Exchange(t.Context(), m); err == nil || !strings.Contains(err.Error(), "quicker") {
					break
				}
				err = nil // the exchange of wishes tries again, too
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	m, err := all.Message(now)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := newBoard(t, e).Exchange(t.Context(), admin.Message{At: now})
	if err != nil || answer.Digest != m.Digest {
		t.Errorf("%v: got %d of %d", err, answer.State.Len(), all.Len())
	}
}

// What ends some time has a lease that lasts 30 days longer, and what does not has none.
func TestLeases(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	b := newBoard(t, e)
	now := time.Now()
	ends, goes := drain(one, "ends", now), drain("198.51.100.3:80", "goes", now)
	ends.Expires = now.Add(time.Hour)
	s := admin.State{}.Set(ends, drain(two, "stays", now), goes)
	s, _ = s.Clear("bob", now, goes.Key())
	told(t, b, s)
	ttl := make(map[string]int64)
	e.Do(func(ctx context.Context, c *clientv3.Client) error {
		a, err := c.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range a.Kvs {
			if kv.Lease != 0 {
				l, err := c.TimeToLive(ctx, clientv3.LeaseID(kv.Lease))
				if err != nil {
					return err
				}
				ttl[strings.TrimPrefix(string(kv.Key), prefix)] = (l.GrantedTTL + 3599) / 3600
			}
		}
		return nil
	})
	if len(ttl) != 2 || ttl[one] != 721 || ttl["198.51.100.3:80"] != 720 {
		t.Errorf("hours: %v", ttl)
	}
	e.Do(func(ctx context.Context, c *clientv3.Client) error { // whoever removes a key by hand
		_, err := c.Delete(ctx, prefix, clientv3.WithPrefix())
		return err
	})
	told(t, b, s)
	if got := asked(t, b); got != one+" ends, "+two+" stays, 1 over" {
		t.Errorf("written again: %q", got)
	}
}

// What is no wish is refused, and the key named; nothing is overwritten.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	b := newBoard(t, e)
	told(t, b, admin.State{}.Set(drain(one, "disk", time.Now())))
	later := `{"version": 2, "wishes": []}`
	for value, want := range map[string]string{
		later:                          "it has version 2; this ipvsd reads 1",
		`{"version": 1, "wishes": []}`: "has 0 wishes, not one",
		"drain, please":                "invalid character",
		fmt.Sprintf(`{"version": 1, "wishes": [{"server": %q, "what": "drain", "since": "2026-11-22T12:00:00Z", "version": 1}]}`, two): "has a wish that is named " + two,
	} {
		e.Put(prefix+"198.51.100.9:80", value)
		m, err := admin.State{}.Set(drain("198.51.100.9:80", "mine", time.Now())).Message(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Exchange(t.Context(), m); err == nil || !strings.Contains(err.Error(), "below "+prefix+": 198.51.100.9:80") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
	e.Put(prefix+"198.51.100.9:80", later)
	e.Do(func(ctx context.Context, c *clientv3.Client) error {
		a, err := c.Get(ctx, prefix+"198.51.100.9:80")
		if err == nil && (len(a.Kvs) != 1 || string(a.Kvs[0].Value) != later) {
			err = fmt.Errorf("it was overwritten: %s", a.Kvs)
		}
		return err
	})
}

// A change by one director is heard of by another one that watches, also after etcd was gone, and who asks then is told that it is.
func TestWatch(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	a, b := newBoard(t, e), newBoard(t, e)
	heard := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		b.Watch(ctx, func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	}()
	hears := func(want string) {
		t.Helper()
		limit := time.After(2 * time.Minute)
		for got := ""; ; {
			select {
			case <-heard:
				if got = asked(t, b); got == want {
					return
				}
			case <-limit:
				t.Fatalf("never heard of %q, but of %q", want, got)
			}
		}
	}
	hears("")
	s := admin.State{}.Set(drain(one, "disk", time.Now()))
	told(t, a, s)
	hears(one + " disk")
	e.Stop()
	for _, limit := range []time.Duration{time.Minute, time.Nanosecond} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		if _, err := b.Exchange(ctx, admin.Message{At: time.Now()}); err == nil || limit == time.Minute && !gone.MatchString(err.Error()) {
			t.Errorf("etcd is gone: %v", err)
		}
		cancel()
	}
	e.Start()
	told(t, a, s.Set(drain(two, "net", time.Now())))
	hears(one + " disk, " + two + " net")
	cancel()
	<-watching
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Exchange(t.Context(), admin.Message{At: time.Now()}); err == nil || !strings.Contains(err.Error(), "not in the configuration") {
		t.Errorf("closed: %v", err)
	}
}

// An etcd that says nothing delays nobody for longer than he wants to wait, not even while it is logged in to.
func TestFrozen(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	e.Admit("ipvsd", "s3cret", prefix, clientv3.PermissionType(clientv3.PermReadWrite))
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := New(member.Source{Kind: member.Etcd, Name: prefix, At: e.Address, Access: member.Access{User: "ipvsd", Secret: file}})
	defer b.Close()
	told(t, b, admin.State{}.Set(drain(one, "disk", time.Now())))
	e.Freeze()
	for range 2 { // with a connection, and without one
		limit := errors.New("the limit")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, limit)
		if _, err := b.Exchange(ctx, admin.Message{At: time.Now()}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), limit) {
			t.Errorf("%v", err)
		}
		cancel()
	}
	e.Thaw()
	if got := asked(t, b); got != one+" disk" {
		t.Errorf("thawed: %q", got)
	}
}

// By TLS both show certificates; who is not known, or may not, is told so.
func TestAccess(t *testing.T) {
	t.Parallel()
	ca, stranger := authority.New(t), authority.New(t)
	e := etcdtest.NewTLS(t, ca)
	e.Start()
	b := newBoard(t, e)
	told(t, b, admin.State{}.Set(drain(one, "disk", time.Now())))
	if got := asked(t, b); got != one+" disk" {
		t.Errorf("%q", got)
	}
	wrong := e.Access
	wrong.CA = stranger.File
	other := New(member.Source{Kind: member.Etcd, Name: prefix, At: e.Address, Access: wrong})
	defer other.Close()
	if _, err := other.Exchange(t.Context(), admin.Message{At: time.Now()}); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("%v", err)
	}
	may := etcdtest.New(t)
	may.Start()
	may.Admit("ipvsd", "s3cret", "/elsewhere/", clientv3.PermissionType(clientv3.PermReadWrite))
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	denied := New(member.Source{Kind: member.Etcd, Name: prefix, At: may.Address, Access: member.Access{User: "ipvsd", Secret: file}})
	defer denied.Close()
	if _, err := denied.Exchange(t.Context(), admin.Message{At: time.Now()}); err == nil || err.Error() != "etcdserver: permission denied" {
		t.Errorf("%v", err)
	}
}

// More keys than a page are read as of one moment, and no more than are allowed.
func TestPages(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	e.Do(func(ctx context.Context, c *clientv3.Client) error {
		for n := 0; n < 2100; n += batch {
			var puts []clientv3.Op
			for i := range batch {
				puts = append(puts, clientv3.OpPut(fmt.Sprintf("/many/%04d", n+i), "x"))
			}
			if _, err := c.Txn(ctx).Then(puts...).Commit(); err != nil {
				return err
			}
		}
		keys, _, err := etcd.All(ctx, c, "/many/", 2100, 1<<20)
		if err != nil || len(keys) != 2100 || !slices.IsSortedFunc(keys, func(a, b etcd.Key) int { return strings.Compare(a.Name, b.Name) }) {
			return fmt.Errorf("%w: %d keys", err, len(keys))
		}
		if _, _, err := etcd.All(ctx, c, "/many/", 2099, 1<<20); err == nil || !strings.Contains(err.Error(), "more than 2099 keys") {
			t.Errorf("%v", err)
		}
		if _, _, err := etcd.All(ctx, c, "/many/", 2100, 1<<14); err == nil || !strings.Contains(err.Error(), "are larger than") {
			t.Errorf("%v", err)
		}
		return nil
	})
}
