// Package etcdsource reads members from the keys of an etcd below a prefix. Each is set to an address, or to a table in JSON. A watch
// tells when something changes; what there is then is read as a whole, as it is every few seconds besides: a watch alone would not
// tell that etcd has gone.
//
// Run is the goroutine of one source. The client library has its own, which end with it.
package etcdsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/member/access"
)

const (
	// relook is how often all keys are read without being told.
	relook = 10 * time.Second
	// settle is how long after a change they are read: keys often change together.
	settle = 50 * time.Millisecond
	// patience is how long one answer may take.
	patience = 5 * time.Second
	// firstRetry and lastRetry are when etcd is asked again after it failed: twice as late each time.
	firstRetry, lastRetry = time.Second, 30 * time.Second
)

// Run reads the keys until the context is done, and posts what they say.
func Run(ctx context.Context, source member.Source, post func(member.Report)) {
	r := reader{source: source, post: post}
	retry := firstRetry
	for {
		answered, err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		post(member.Report{Source: source, Err: plainly(err)})
		if answered {
			retry = firstRetry
		}
		if !rest(ctx, retry) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// rest waits, and says whether the context allows to go on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
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
	client, err := r.connect(ctx)
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
			if !rest(ctx, settle) {
				return true, ctx.Err()
			}
		}
		if _, err := r.read(ctx, client); err != nil {
			return true, err
		}
	}
}

func (r *reader) connect(ctx context.Context) (*clientv3.Client, error) {
	secret, err := access.Secret(r.source.Access)
	if err != nil {
		return nil, err
	}
	c := clientv3.Config{
		Context: ctx, Endpoints: strings.Split(r.source.At, ","), Username: r.source.User, Password: secret,
		DialTimeout: patience, DialKeepAliveTime: relook, DialKeepAliveTimeout: patience, Logger: zap.NewNop(),
	}
	if strings.HasPrefix(r.source.At, "https://") {
		if c.TLS, err = access.TLS(r.source.Access); err != nil {
			return nil, err
		}
	}
	return clientv3.New(c)
}

// read reads all keys, posts what they say, and returns the revision that they are of.
func (r *reader) read(ctx context.Context, client *clientv3.Client) (revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := client.Get(ctx, r.source.Name, clientv3.WithPrefix(), clientv3.WithLimit(member.MaxMembers))
	if err != nil {
		return 0, err
	}
	if a.More {
		return 0, fmt.Errorf("there are more than %d keys", member.MaxMembers)
	}
	there := make(map[string]bool, len(a.Kvs))
	for _, kv := range a.Kvs {
		key := string(kv.Key)
		there[key] = true
		list, err := parse(key, kv.Value)
		r.shelf.Put(key, list, err)
	}
	r.shelf.Keep(func(key string) bool { return there[key] })
	r.post(r.shelf.Report(r.source))
	return a.Header.Revision, nil
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

// plainly says what went wrong without what gRPC adds.
func plainly(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", patience)
	}
	text := err.Error()
	if _, desc, found := strings.Cut(text, "desc = "); found {
		text = desc
	}
	return cmp.Or(text, "it failed")
}
