package control_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func (b *backend) Wishes(context.Context) (*status.Wishes, error) {
	return &status.Wishes{Wishes: []status.Wish{{Wish: admin.Wish{
		Server: admin.Server{AddrPort: netip.MustParseAddrPort("198.51.100.1:80")}, What: admin.Drain, Version: 1,
	}}}}, b.err
}

func (b *backend) Order(ctx context.Context, o control.Order) (*status.Wishes, error) {
	b.order = o
	return b.Wishes(ctx)
}

// An order gets there as it was given, with the name of who has opened the socket.
func TestOrder(t *testing.T) {
	b := &backend{}
	client, _ := serve(t, b)
	n := int32(5)
	for _, o := range []control.Order{
		{Verb: control.Drain, Server: "tag:rack1", Service: "tcp 192.0.2.1:80", Reason: "new kernel", Deadline: time.Minute, Expires: time.Hour},
		{Verb: control.Weight, Server: "web1", Weight: &n}, {Verb: control.Weight, Server: "web1"}, {Verb: control.Enable, Server: "198.51.100.1"},
	} {
		s, err := client.Order(t.Context(), o)
		if err != nil || len(s.Wishes) != 1 || s.Wishes[0].What != admin.Drain {
			t.Fatalf("%+v: %v, %+v", o, err, s)
		}
		got := b.order
		if got.Weight != nil && *got.Weight == 5 {
			got.Weight = o.Weight
		}
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		if o.Owner = me.Username; got != o {
			t.Errorf("%+v, want %+v", got, o)
		}
	}
	b.err = errors.New("there is no such server")
	if _, err := client.Order(t.Context(), control.Order{Verb: control.Drain, Server: "x"}); err == nil || err.Error() != "there is no such server" {
		t.Error(err)
	}
	if _, err := client.Wishes(t.Context()); err == nil || err.Error() != "there is no such server" {
		t.Error(err)
	}
}

func TestBadOrder(t *testing.T) {
	b := &backend{}
	_, path := serve(t, b)
	for _, body := range []string{
		"", "{", "null", `{"verb":"drain"}`, `{"verb":"drown","server":"x"}`, `{"verb":"drain","server":"x","owner":"root"}`, `{"verb":"drain","server":"x","weight":3}`,
		`{"verb":"weight","server":"x","weight":-1}`, `{"verb":"weight","server":"x","weight":2147483648}`, `{"verb":"drain","server":"x","deadline":-1}`,
		`{"verb":"disable","server":"x","deadline":1000000000}`, `{"verb":"drain","server":"x","expires":400000000000000000}`,
		`{"verb":"drain","server":"x","deadline":2000000000,"expires":1000000000}`, `{"verb":"enable","server":"x","reason":"y"}`,
		`{"verb":"drain","server":"` + strings.Repeat("x", 17<<10) + `"}`,
	} {
		h := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}}}
		resp, err := h.Post("http://ipvsd/v1/wishes", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		code, why := http.StatusBadRequest, "the order can't be understood: "
		if len(body) > 16<<10 {
			code, why = http.StatusRequestEntityTooLarge, "the body of POST /v1/wishes may have 16384 bytes"
		}
		if resp.StatusCode != code || !strings.HasPrefix(string(text), why) || b.order != (control.Order{}) {
			t.Errorf("%.80s: %d %s", body, resp.StatusCode, text)
		}
	}
}
