// Package etcd connects to an etcd: with what the files say that tell who asks, and bounds for all that it answers. What is read there, and
// what is written, is for those who use it.
//
// The client library has goroutines of its own, which end with Close.
package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/member/access"
)

const (
	// Patience is how long one answer may take.
	Patience = 5 * time.Second
	// alive is how often a connection that says nothing is tried.
	alive = 10 * time.Second
	// largest is how large an answer may be, in bytes. What etcd takes at once is no larger than 1.5 MB, but a page has many keys.
	largest = 16 << 20
	// tries is how often the library tries something before it says what is wrong.
	tries = 3
	// page is how many keys are asked for at once.
	page = 1000
)

// Connect returns a client for endpoints, of which there may be several with commas between them. The files are read now.
func Connect(ctx context.Context, endpoints string, a member.Access) (*clientv3.Client, error) {
	secret, err := access.Secret(a)
	if err != nil {
		return nil, err
	}
	c := clientv3.Config{
		Context: ctx, Endpoints: strings.Split(endpoints, ","), Username: a.User, Password: secret,
		DialTimeout: Patience, DialKeepAliveTime: alive, DialKeepAliveTimeout: Patience, MaxCallRecvMsgSize: largest,
		MaxUnaryRetries: tries, DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(atOnce)}, Logger: zap.NewNop(),
	}
	if strings.Contains(endpoints, "https://") {
		if c.TLS, err = access.TLS(a); err != nil {
			return nil, err
		}
	}
	return clientv3.New(c)
}

// atOnce has a call fail when there is no connection. The library would have it wait for one, and at the end nobody would hear why there is
// none: a refusal, a certificate.
func atOnce(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	return invoke(ctx, method, request, reply, c, append(options, grpc.WaitForReady(false))...)
}

// Key is a key and what it is set to.
type Key struct {
	Name     string
	Value    []byte
	Revision int64 // of its last change
}

// All reads the keys that begin with a prefix, as they were at one moment, and returns the revision of that. More than so many, or more
// bytes than are allowed, are an error.
func All(ctx context.Context, client *clientv3.Client, prefix string, most, bytes int) (list []Key, revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	from, end, size := prefix, clientv3.GetPrefixRangeEnd(prefix), 0
	for {
		options := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(page)}
		if revision != 0 {
			options = append(options, clientv3.WithRev(revision))
		}
		a, err := client.Get(ctx, from, options...)
		if status.Code(err) == codes.ResourceExhausted {
			return nil, 0, fmt.Errorf("the keys below %s are too large: %d of them in more than %d MB", prefix, page, largest>>20)
		}
		if err != nil {
			return nil, 0, err
		}
		if revision == 0 {
			revision = a.Header.Revision
		}
		for _, kv := range a.Kvs {
			size += len(kv.Key) + len(kv.Value)
			list = append(list, Key{string(kv.Key), kv.Value, kv.ModRevision})
		}
		switch {
		case len(list) > most, a.Count > int64(most) && from == prefix:
			return nil, 0, fmt.Errorf("there are more than %d keys below %s", most, prefix)
		case size > bytes:
			return nil, 0, fmt.Errorf("the keys below %s are larger than %d MB", prefix, bytes>>20)
		case !a.More || len(a.Kvs) == 0:
			return list, revision, nil
		}
		from = list[len(list)-1].Name + "\x00"
	}
}

// Plainly says what went wrong without what gRPC adds.
func Plainly(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", Patience)
	}
	text := err.Error()
	if i := strings.LastIndex(text, "desc = "); i >= 0 {
		text = strings.Trim(text[i+len("desc = "):], `"`)
	}
	return cmp.Or(text, "it failed")
}

// Retry is when something is tried again that has failed: each time twice as late. The zero Retry is that it has not.
type Retry struct{ last time.Duration }

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Rest waits, and says whether the context allows to go on.
func (r *Retry) Rest(ctx context.Context) bool {
	r.last = max(firstRetry, min(2*r.last, lastRetry))
	return Rest(ctx, r.last)
}

// Rest waits for so long, and says whether the context allows to go on.
func Rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
