// Package etcdsource reads members from the keys of an etcd below a prefix. Each is set to an address, or to a table in JSON. A watch
// tells when something changes; what there is then is read as a whole, as it is every few seconds besides: a watch alone would not
// tell that etcd has gone.
//
// Run is the goroutine of one source. The client library has its own, which end with it.
package etcdsource

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ipvsd/ipvsd/pkg/etcd"
	"github.com/ipvsd/ipvsd/pkg/member"
)

const (
	// relook is how often all keys are read without being told.
	relook = 10 * time.Second
	// settle is how long after a change they are read: keys often change together.
	settle = 50 * time.Millisecond
	// maxBytes is how large all keys may be together.
	maxBytes = 64 << 20
)

// Run reads the keys until the context is done, and posts what they say.
func Run(ctx context.Context, source member.Source, post func(member.Report)) {
	r := reader{source: source, post: post}
	var retry etcd.Retry
	for {
		answered, err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		post(member.Report{Source: source, Err: etcd.Plainly(err)})
		if answered {
			retry = etcd.Retry{}
		}
		if !retry.Rest(ctx) {
			return
		}
	}
}

// reader is what is known of the keys.
type reader struct {
	source member.Source
	post   func(member.Report)
	shelf  member.Shelf
}

// session reads the keys by one client until that fails, and says whether there was an answer.
func (r *reader) session(ctx context.Context) (answered bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := etcd.Connect(ctx, r.source.At, r.source.Access)
	if err != nil {
		return false, err
	}
	defer client.Close()
	revision, err := r.read(ctx, client)
	if err != nil {
		return false, err
	}
	// Without a leader etcd would go on to show what it knows, and never hear of anything.
	watch := client.Watch(clientv3.WithRequireLeader(ctx), r.source.Name, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	for {
		again := time.NewTimer(relook)
		select {
		case <-ctx.Done():
			again.Stop()
			return true, ctx.Err()
		case <-again.C:
		case w, open := <-watch:
			again.Stop()
			switch {
			case !open:
				return true, errors.New("the watch has ended")
			case w.Err() != nil:
				return true, fmt.Errorf("watch: %w", w.Err())
			}
			if !etcd.Rest(ctx, settle) {
				return true, ctx.Err()
			}
		}
		if _, err := r.read(ctx, client); err != nil {
			return true, err
		}
	}
}

// read reads all keys, posts what they say, and returns the revision that they are of.
func (r *reader) read(ctx context.Context, client *clientv3.Client) (revision int64, err error) {
	keys, revision, err := etcd.All(ctx, client, r.source.Name, member.MaxMembers, maxBytes)
	if err != nil {
		return 0, err
	}
	there := make(map[string]bool, len(keys))
	for _, k := range keys {
		there[k.Name] = true
		list, err := parse(k.Name, k.Value)
		r.shelf.Put(k.Name, list, err)
	}
	r.shelf.Keep(func(key string) bool { return there[key] })
	r.post(r.shelf.Report(r.source))
	return revision, nil
}

// parse reads what a key is set to. A server without a name has that of its key.
func parse(key string, value []byte) ([]member.Member, error) {
	list, err := member.ParseValue(value)
	for i := range list {
		if list[i].Name == "" {
			list[i].Describe(path.Base(key))
		}
	}
	return list, err
}
