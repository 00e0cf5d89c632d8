package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// connectionsOf returns the states of the entries in a file.
func connectionsOf(ctx context.Context, path string, q connection.Query) (states string, err error) {
	for c, err := range connectionsIn(ctx, path, q) {
		if err != nil {
			return states, err
		}
		states += c.State + " "
	}
	return states, nil
}

func TestConnectionsIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ip_vs_conn")
	_, err := connectionsOf(t.Context(), path, connection.Query{})
	if !errors.Is(err, ipvs.ErrUnavailable) || !strings.HasPrefix(err.Error(), path+" isn't there: this kernel has no IPVS: load the module") {
		t.Errorf("without the module: %v", err)
	}
	const text = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C6336402 C174 C0000207 0063 0A000002 0063 CLOSE             9
UDP C6336402 BB1D C0000201 13C4 0A000002 13C4 UDP             299
TCP C6336402 DD1A C0000201 0050 0A000002 0050 CLOSE_WAIT       59
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, path string
		ctx        context.Context
		q          connection.Query
		want       string
		err        string // a part of it
	}{
		{"all", path, t.Context(), connection.Query{}, "CLOSE UDP CLOSE_WAIT ", ""},
		{"some", path, t.Context(), connection.Query{Service: "tcp"}, "CLOSE CLOSE_WAIT ", ""},
		{"a bad query", path, t.Context(), connection.Query{State: "x"}, "", "state: "},
		{"nobody waits", path, ended, connection.Query{}, "", context.Canceled.Error()},
		{"no file", t.TempDir(), t.Context(), connection.Query{}, "", "is a directory"},
	} {
		got, err := connectionsOf(tt.ctx, tt.path, tt.q)
		if got != tt.want || tt.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q %v, want %q %s", tt.name, got, err, tt.want, tt.err)
		}
	}
}
