package control_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
)

func (b *backend) Exchange(_ context.Context, m admin.Message) (*admin.Message, error) {
	b.heard = m
	m.Digest = "answered"
	return &m, b.err
}

// A message gets there as it was sent, with who has sent it, and so does its answer.
func TestExchange(t *testing.T) {
	b := &backend{}
	client, path := serve(t, b)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	server, err := admin.ParseServer("198.51.100.1:80")
	if err != nil {
		t.Fatal(err)
	}
	m, err := admin.State{}.Set(admin.Wish{Server: server, What: admin.Drain, Since: at}).Message(at)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Exchange(t.Context(), m)
	if err != nil || answer.Digest != "answered" || !reflect.DeepEqual(answer.State, m.State) {
		t.Errorf("%v, %+v", err, answer)
	}
	from := b.heard.From
	b.heard.From = ""
	if from == "" || !reflect.DeepEqual(b.heard, m) {
		t.Errorf("from %q: %+v, want %+v", from, b.heard, m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b.heard = admin.Message{}
	for name, body := range map[string]string{
		"nothing": "", "half of it": string(text[:len(text)/2]), "a later state": strings.Replace(string(text), `{"version":1,`, `{"version":2,`, 1),
		"another wish": strings.Replace(string(text), `"drain"`, `"drown"`, 1),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://ipvsd/v1/wishes/exchange", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || b.heard.From != "" {
			t.Errorf("%s: %s, %+v", name, resp.Status, b.heard)
		}
	}
}

// An answer that doesn't end is not taken in for as long as there is time.
func TestEndlessAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := []byte(strings.Repeat(" ", 1<<20))
		for range 200 {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	}))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	if _, err := control.NewClient(path).Exchange(t.Context(), admin.Message{}); err == nil || !strings.Contains(err.Error(), "has more than 67108864 bytes") {
		t.Errorf("%v", err)
	}
}
