package etcdsource

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ipvsd/ipvsd/pkg/etcd/etcdtest"
	"github.com/ipvsd/ipvsd/pkg/internal/authority"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// told are the reports of a reader.
type told struct {
	t    *testing.T
	mu   sync.Mutex
	last string
	all  []string
	news chan struct{}
}

func read(t *testing.T, source member.Source) *told {
	t.Helper()
	r := &told{t: t, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(ctx, source, r.post)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

func (r *told) post(rep member.Report) {
	var words []string
	for _, m := range rep.Members {
		word := fmt.Sprintf("%s:%d=%s", m.Addr, m.Port, m.Name)
		if m.Weight != nil {
			word += fmt.Sprintf("*%d", *m.Weight)
		}
		words = append(words, word+strings.Join(m.Tags, ","))
	}
	if rep.Warning != "" {
		words = append(words, "warning: "+rep.Warning)
	}
	if rep.Err != "" {
		words = append(words, "error")
	}
	r.mu.Lock()
	r.last = strings.Join(words, " ")
	r.all = append(r.all, r.last+rep.Err)
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// await waits for a report.
func (r *told) await(want string) {
	r.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		r.mu.Lock()
		last, all := r.last, strings.Join(r.all, "\n")
		r.mu.Unlock()
		if last == want {
			return
		}
		select {
		case <-r.news:
		case <-limit:
			r.t.Fatalf("never heard of %q, but of\n%s", want, all)
		}
	}
}

// awaitError waits for an error.
func (r *told) awaitError(want string) {
	r.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		r.mu.Lock()
		all := strings.Join(r.all, "\n")
		r.mu.Unlock()
		if strings.Contains(all, want) {
			return
		}
		select {
		case <-r.news:
		case <-limit:
			r.t.Fatalf("never heard of %q, but of\n%s", want, all)
		}
	}
}

// What is put and deleted below the prefix is told at once; an etcd that goes is an error, and one that comes back answers again.
func TestRun(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.Address})
	r.await("error") // it isn't there yet
	e.Start()
	r.await("")
	e.Put("/web/web1", "10.0.0.1:80")
	r.await("10.0.0.1:80=web1")
	e.Put("/webb", "10.0.0.9:80")
	e.Put("/web/rack2/web2", `{"address": "10.0.0.2", "weight": 3, "tags": ["web"]}`)
	r.await("10.0.0.1:80=web1 10.0.0.2:0=web2*3web")
	e.Put("/web/web1", "web1.example.org:80")
	r.await(`10.0.0.1:80=web1 10.0.0.2:0=web2*3web warning: /web/web1: "web1.example.org:80" is no address, with or without a port; it counts as it was before`)
	e.Do(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Delete(ctx, "/web/web1")
		return err
	})
	r.await("10.0.0.2:0=web2*3web")
	e.Stop()
	r.await("error")
	e.Start()
	r.await("10.0.0.2:0=web2*3web")
	e.Put("/web/web3", "[2001:db8::3]:80")
	r.await("10.0.0.2:0=web2*3web 2001:db8::3:80=web3")
}

// Who must log in does, with the password of the file, and says so where it is the wrong one.
func TestLogin(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	e.Put("/web/web1", "10.0.0.1:80")
	e.Admit("ipvsd", "s3cret", "/web/", clientv3.PermissionType(clientv3.PermRead))
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong\n")
	r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.Address, Access: member.Access{User: "ipvsd", Secret: file}})
	r.await("error")
	r.mu.Lock()
	all := strings.Join(r.all, "\n")
	r.mu.Unlock()
	if !strings.Contains(all, "authentication failed") || strings.Contains(all, "wrong") {
		t.Errorf("got %s", all)
	}
	write("s3cret\n")
	r.await("10.0.0.1:80=web1")
}

// Over TLS etcd and its reader know each other by their certificates. Who shows none hears nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := authority.New(t), authority.New(t)
	e := etcdtest.NewTLS(t, ca)
	e.Start()
	e.Put("/web/web1", "10.0.0.1:80")
	certificate, key := ca.Issue("ipvsd")
	strange, its := stranger.Issue("ipvsd")
	for name, try := range map[string]struct {
		access member.Access
		want   string
	}{
		"both known":          {member.Access{CA: ca.File, Certificate: certificate, Key: key}, ""},
		"nothing shown":       {member.Access{CA: ca.File}, "error"}, // whether it is heard why is chance
		"a stranger's shown":  {member.Access{CA: ca.File, Certificate: strange, Key: its}, "error"},
		"etcd is a stranger":  {member.Access{CA: stranger.File, Certificate: certificate, Key: key}, "certificate signed by unknown authority"},
		"the file is no more": {member.Access{CA: ca.File, Certificate: certificate + ".gone", Key: key}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.Address, Access: try.access})
			if try.want == "" {
				r.await("10.0.0.1:80=web1")
			} else {
				r.awaitError(try.want)
			}
		})
	}
}

// More than is allowed is an error, and not read to its end; who was there stays.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	e := etcdtest.New(t)
	e.Start()
	e.Put("/web/web1", "10.0.0.1:80")
	r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.Address})
	r.await("10.0.0.1:80=web1")
	large := strings.Repeat(" ", 1<<20) + "10.0.0.2:80"
	for n := range 20 {
		e.Put(fmt.Sprintf("/web/large%d", n), large)
	}
	r.awaitError("the keys below /web/ are too large: 1000 of them in more than 16 MB")
}
