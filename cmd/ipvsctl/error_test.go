package main

import (
	"bytes"
	"strings"
	"testing"
)

// What goes wrong is told in words that do nothing to a terminal, whoever chose them.
func TestErrorIsPrintable(t *testing.T) {
	t.Parallel()
	var out, told bytes.Buffer
	code := run(t.Context(), []string{"status", "--socket", t.TempDir() + "/\x1b[2J\x1b]0;x\x07"}, &out, &told)
	if code != exitFailure || !strings.HasPrefix(told.String(), "ipvsctl: ") || strings.ContainsAny(told.String(), "\x1b\x07") {
		t.Errorf("%d: %q", code, told.String())
	}
}
