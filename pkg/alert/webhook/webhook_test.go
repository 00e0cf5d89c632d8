package webhook

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A body arrives signed, at a server whose certificate is valid and nowhere else.
func TestSend(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan string, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- r
		body <- string(text)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	s.Config.ErrorLog = nil
	p := alert.Post{Body: []byte(`{"event":"UP"}`), To: config.Webhook{
		URL: s.URL + "/hidden", Timeout: time.Minute, SecretFile: file(t, "key\r\nmore\n"),
		CA: file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))),
	}}
	if err := Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r := <-got
	// printf '{"event":"UP"}' | openssl dgst -sha256 -hmac key
	const signed = "sha256=8d9e713f957352e9ab87187372d381638aa89eb387ebafe4f6493af8083ebc0d"
	if r.Method != "POST" || r.URL.Path != "/hidden" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get(Signature) != signed {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	if b := <-body; b != `{"event":"UP"}` {
		t.Errorf("the body is %q", b)
	}
	p.To.CA = ""
	if err := Send(t.Context(), p); err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with a certificate that nobody trusts: %v", err)
	}
}

// What another attempt would end with too is given up at once.
func TestErrors(t *testing.T) {
	for status, hopeless := range map[int]bool{301: true, 400: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		}))
		err := Send(t.Context(), alert.Post{To: config.Webhook{URL: s.URL, Timeout: time.Minute}})
		s.Close()
		var permanent interface{ Permanent() bool }
		if err == nil || errors.As(err, &permanent) != hopeless {
			t.Errorf("status %d: %v", status, err)
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for what, to := range map[string]config.Webhook{
		"secret_file": {URL: gone.URL, SecretFile: "/nonexistent"},
		"tls_ca":      {URL: gone.URL, CA: file(t, "no certificate")},
		"refused":     {URL: gone.URL + "/hidden"},
	} {
		to.Timeout = time.Minute
		if err := Send(t.Context(), alert.Post{To: to}); err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Send(ctx, alert.Post{To: config.Webhook{URL: gone.URL, Timeout: time.Minute}}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A pipe that nobody writes to holds up neither what is told nor the end of the daemon.
func TestSecretInPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []config.Webhook{{SecretFile: pipe}, {CA: pipe}} {
		to.URL, to.Timeout = "https://192.0.2.1/", time.Minute
		done := make(chan error, 1)
		go func() { done <- Send(t.Context(), alert.Post{To: to}) }()
		select {
		case err := <-done:
			if err == nil || !strings.HasSuffix(err.Error(), pipe+" is not a regular file") {
				t.Errorf("got %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it is held up")
		}
	}
}

// An address that is a secret stands in a file, and no error has it.
func TestAddressInFile(t *testing.T) {
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.URL.Path
	}))
	defer s.Close()
	p := alert.Post{Body: []byte("{}"), To: config.Webhook{URLFile: file(t, s.URL+"/hunter2\r\nmore\n"), Timeout: time.Minute}}
	if err := Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if path := <-got; path != "/hunter2" {
		t.Errorf("it asks for %q", path)
	}
	for _, text := range []string{"", "hunter2", "ftp://x/hunter2", "http://x/hunter2 \x7f", "http://127.0.0.1:1/hunter2"} {
		p.To.URLFile = file(t, text+"\n")
		if err := Send(t.Context(), p); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
