package probe_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// FuzzHTTPAnswer has what package net/http understands be understood in the same way, or not at all: it takes more for a status
// line, and longer headers.
func FuzzHTTPAnswer(f *testing.F) {
	for _, b := range behaviours {
		f.Add([]byte(b.answer))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		status, body, size, err := probe.ParseHTTP(text)
		if err == nil && (status < 101 || status > 999 || size > int64(len(text)) || int64(len(body)) != min(size, 1<<20)) {
			t.Errorf("%d, %d of %d bytes", status, len(body), size)
		}
		in := bufio.NewReader(bytes.NewReader(text))
		response, wrong := http.ReadResponse(in, nil)
		for n := 0; wrong == nil && response.StatusCode < 200 && response.StatusCode != 101 && n < 7; n++ {
			response, wrong = http.ReadResponse(in, nil)
		}
		if wrong != nil || response.StatusCode < 101 || response.StatusCode > 599 {
			return // of others no body is read
		}
		want, wrong := io.ReadAll(response.Body)
		if wrong != nil {
			return
		}
		if status != 0 && (err != nil || status != response.StatusCode || !bytes.Equal(body, want)) {
			t.Errorf("%d %q %v; net/http says %d %q", status, body, err, response.StatusCode, want)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": null}]}`), "a.1.b")
	f.Add([]byte(`[[], "x"]`), "0.0")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		if !json.Valid(document) {
			return
		}
		if value, err := probe.Lookup(document, path); err == nil && !json.Valid(value) {
			t.Errorf("%q at %s is %q", document, path, value)
		}
	})
}
