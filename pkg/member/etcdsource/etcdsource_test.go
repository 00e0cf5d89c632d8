package etcdsource

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// etcd is Debian's etcd on loopback, with its data in a directory.
type etcd struct {
	t       *testing.T
	dir     string
	address string
	process *exec.Cmd
	log     *bytes.Buffer
}

func newEtcd(t *testing.T) *etcd {
	t.Helper()
	e := &etcd{t: t, dir: t.TempDir(), address: "http://" + freeAddress(t)}
	t.Cleanup(func() { e.stop() })
	return e
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (e *etcd) start() {
	e.t.Helper()
	peer := "http://" + freeAddress(e.t)
	e.log = new(bytes.Buffer)
	e.process = exec.Command("etcd", "--data-dir", filepath.Join(e.dir, "data"), "--listen-client-urls", e.address, "--advertise-client-urls", e.address,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	e.process.Stdout, e.process.Stderr = e.log, e.log
	e.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.process.Start(); err != nil {
		e.t.Fatalf("%v: run scripts/install etcd-server", err)
	}
}

func (e *etcd) stop() {
	if e.process != nil {
		_ = e.process.Process.Kill()
		_ = e.process.Wait()
		e.process = nil
	}
}

// do does something in etcd, as soon as that is there.
func (e *etcd) do(f func(context.Context, *clientv3.Client) error) {
	e.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{e.address}, DialTimeout: time.Minute, Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	if err := f(ctx, client); err != nil {
		e.t.Fatalf("%v\n%s", err, e.log)
	}
}

func (e *etcd) put(key, value string) {
	e.t.Helper()
	e.do(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Put(ctx, key, value)
		return err
	})
}

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

// What is put and deleted below the prefix is told at once; an etcd that goes is an error, and one that comes back answers again.
func TestRun(t *testing.T) {
	t.Parallel()
	e := newEtcd(t)
	r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.address})
	r.await("error") // it isn't there yet
	e.start()
	r.await("")
	e.put("/web/web1", "10.0.0.1:80")
	r.await("10.0.0.1:80=web1")
	e.put("/webb", "10.0.0.9:80")
	e.put("/web/rack2/web2", `{"address": "10.0.0.2", "weight": 3, "tags": ["web"]}`)
	r.await("10.0.0.1:80=web1 10.0.0.2:0=web2*3web")
	e.put("/web/web1", "web1.example.org:80")
	r.await(`10.0.0.1:80=web1 10.0.0.2:0=web2*3web warning: /web/web1: "web1.example.org:80" is no address, with or without a port; it counts as it was before`)
	e.do(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Delete(ctx, "/web/web1")
		return err
	})
	r.await("10.0.0.2:0=web2*3web")
	e.stop()
	r.await("error")
	e.start()
	r.await("10.0.0.2:0=web2*3web")
	e.put("/web/web3", "[2001:db8::3]:80")
	r.await("10.0.0.2:0=web2*3web 2001:db8::3:80=web3")
}

// Who must log in does, with the password of the file, and says so where it is the wrong one.
func TestLogin(t *testing.T) {
	t.Parallel()
	e := newEtcd(t)
	e.start()
	e.put("/web/web1", "10.0.0.1:80")
	e.do(func(ctx context.Context, c *clientv3.Client) error {
		for _, user := range []struct{ name, password, role string }{{"root", "top", "root"}, {"ipvsd", "s3cret", "reader"}} {
			if _, err := c.UserAdd(ctx, user.name, user.password); err != nil {
				return err
			}
			if _, err := c.RoleAdd(ctx, user.role); err != nil {
				return err
			}
			if _, err := c.UserGrantRole(ctx, user.name, user.role); err != nil {
				return err
			}
		}
		if _, err := c.RoleGrantPermission(ctx, "reader", "/web/", clientv3.GetPrefixRangeEnd("/web/"), clientv3.PermissionType(clientv3.PermRead)); err != nil {
			return err
		}
		_, err := c.AuthEnable(ctx)
		return err
	})
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong\n")
	r := read(t, member.Source{Kind: member.Etcd, Name: "/web/", At: e.address, Access: member.Access{User: "ipvsd", Secret: file}})
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
