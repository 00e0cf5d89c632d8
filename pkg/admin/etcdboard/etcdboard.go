// Package etcdboard has what the operator wants of servers stand in an etcd, where several directors read and write it. To the exchange of
// wishes such a Board is one more director: it is told what is wanted, answers with what it has, and of two wishes about the same it keeps
// the newer, by the law of package admin. That law is all the agreement there is. Each key is replaced only if it is as it was when it was
// read, so that of directors that write at once none undoes what another one wrote.
//
// A key has one wish. Those that end are removed by a lease of etcd when no director remembers them any more: no director removes any, so
// that one whose clock is wrong can't.
//
// A Board has a goroutine while Watch runs, besides those of the client library, which end with Close.
package etcdboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/etcd"
	"github.com/ipvsd/ipvsd/pkg/member"
)

const (
	// maxBytes is how large all keys may be together.
	maxBytes = 256 << 20
	// batch is how many keys are written at once: etcd takes 128, and 1.5 MB.
	batch = 100
	// tries is how often keys are read again which another director wrote meanwhile.
	tries = 5
)

// Board is the keys below a prefix. New starts nothing; its methods may be called concurrently.
type Board struct {
	source member.Source // of which Name is the prefix

	mu     sync.Mutex
	client *clientv3.Client // nil: there is no connection
	end    context.CancelFunc
	closed bool
}

// New returns a Board that has not been connected to.
func New(source member.Source) *Board { return &Board{source: source} }

// Close ends the connection, and that there is one.
func (b *Board) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.hangUp()
}

func (b *Board) hangUp() error {
	c := b.client
	if b.client = nil; c == nil {
		return nil
	}
	defer b.end()
	return c.Close()
}

// connected returns a client: the one that there is, or a new one. The context is that of connecting.
func (b *Board) connected(ctx context.Context) (*clientv3.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errors.New("etcd is not in the configuration any more")
	}
	if b.client != nil {
		return b.client, nil
	}
	life, end := context.WithCancel(context.Background())
	kept := context.AfterFunc(ctx, end)
	c, err := etcd.Connect(life, b.source.At, b.source.Access)
	if !kept() && err == nil {
		err = errors.Join(ctx.Err(), c.Close())
	}
	if err != nil {
		end()
		return nil, err
	}
	b.client, b.end = c, end
	return c, nil
}

// failed forgets a client that has failed: the files by which etcd knows us may have changed.
func (b *Board) failed(c *clientv3.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client == c {
		_ = b.hangUp() // it failed
	}
}

// Exchange has the board take what is newer in a message, and returns what it has then.
func (b *Board) Exchange(ctx context.Context, m admin.Message) (*admin.Message, error) {
	c, err := b.connected(ctx)
	if err == nil {
		var answer *admin.Message
		if answer, err = b.exchange(ctx, c, m); err == nil {
			return answer, nil
		}
		b.failed(c)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // the exchange knows the limit
	}
	return nil, errors.New(etcd.Plainly(err))
}

func (b *Board) exchange(ctx context.Context, c *clientv3.Client, m admin.Message) (*admin.Message, error) {
	for range tries {
		has, revisions, err := b.read(ctx, c)
		if err != nil {
			return nil, err
		}
		written := true
		if m.State != nil {
			var newer []admin.Wish
			if has, newer, err = has.Merge(*m.State, m.At); err != nil {
				return nil, err
			}
			if written, err = b.write(ctx, c, newer, revisions, m.At); err != nil {
				return nil, err
			}
		}
		if !written {
			continue
		}
		answer, err := has.Message(m.At)
		if answer.Digest == m.Digest {
			answer.State = nil
		}
		answer.At = time.Time{} // it has no clock that we know
		return &answer, err
	}
	return nil, fmt.Errorf("other directors were quicker, %d times", tries)
}

// read returns what is on the board, and the revision of each key.
func (b *Board) read(ctx context.Context, c *clientv3.Client) (admin.State, map[string]int64, error) {
	keys, _, err := etcd.All(ctx, c, b.source.Name, admin.MaxWishes, maxBytes)
	if err != nil {
		return admin.State{}, nil, err
	}
	list, revisions := make([]admin.Record, len(keys)), make(map[string]int64, len(keys))
	for i, k := range keys {
		name := strings.TrimPrefix(k.Name, b.source.Name)
		list[i], revisions[name] = admin.Record{Name: name, Text: k.Value}, k.Revision
	}
	s, err := admin.FromRecords(list)
	if err != nil {
		err = fmt.Errorf("below %s: %w", b.source.Name, err)
	}
	return s, revisions, err
}

// write writes wishes, and says whether all are there. Otherwise another director wrote one of them meanwhile.
func (b *Board) write(ctx context.Context, c *clientv3.Client, list []admin.Wish, revisions map[string]int64, now time.Time) (bool, error) {
	leases := make(leases)
	for len(list) > 0 {
		n := min(len(list), batch)
		var same []clientv3.Cmp
		var puts []clientv3.Op
		for i := range list[:n] {
			r, err := list[i].Record()
			if err != nil {
				return false, err
			}
			lease, err := leases.of(ctx, c, list[i].Lasts(now))
			if err != nil {
				return false, err
			}
			key := b.source.Name + r.Name
			same = append(same, clientv3.Compare(clientv3.ModRevision(key), "=", revisions[r.Name]))
			puts = append(puts, clientv3.OpPut(key, string(r.Text), clientv3.WithLease(lease)))
		}
		done, err := c.Txn(ctx).If(same...).Then(puts...).Commit()
		if err != nil || !done.Succeeded {
			return false, err
		}
		list = list[n:]
	}
	return true, nil
}

// leases are those of the wishes that are written at once, by the hours that they last.
type leases map[time.Duration]clientv3.LeaseID

// of returns the lease of a key that is to last so long, rounded up.
func (l leases) of(ctx context.Context, c *clientv3.Client, lasts time.Duration) (clientv3.LeaseID, error) {
	if lasts == 0 {
		return clientv3.NoLease, nil
	}
	hours := (lasts + time.Hour - 1).Truncate(time.Hour)
	if id, granted := l[hours]; granted {
		return id, nil
	}
	granted, err := c.Grant(ctx, int64(hours.Seconds()))
	if err != nil {
		return clientv3.NoLease, err
	}
	l[hours] = granted.ID
	return granted.ID, nil
}

// Watch tells of each change on the board until the context ends, and when it may have missed some.
func (b *Board) Watch(ctx context.Context, changed func()) {
	var retry etcd.Retry
	for {
		if b.watch(ctx, func() { retry = etcd.Retry{}; changed() }); !retry.Rest(ctx) {
			return
		}
	}
}

// watch tells of changes until that fails. Its connection is its own, and nobody waits for it.
func (b *Board) watch(ctx context.Context, changed func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := etcd.Connect(ctx, b.source.At, b.source.Access)
	if err != nil {
		return // the exchange fails, too, and tells why
	}
	defer c.Close()
	// Without a leader etcd would go on to show what it knows, and never hear of anything.
	for w := range c.Watch(clientv3.WithRequireLeader(ctx), b.source.Name, clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
		if w.Err() != nil {
			return
		}
		changed()
	}
}
