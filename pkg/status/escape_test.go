package status_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// No text that others have a say in moves the cursor of a terminal: names of groups and files, reasons, what other directors answer.
func TestTextEscapes(t *testing.T) {
	const evil = "\x1b]0;title\a\u009b2J\r\u202e"
	s := status.Snapshot{RouterID: evil, Version: evil, WishesRecord: evil, SourcesRecord: evil}
	s.Config.File, s.Config.Rejected = evil, "ipvsd.toml:4:\n\tprotocol = "+evil
	s.Table.Error, s.Table.Record = evil, evil
	s.Table.Refused = []status.Refused{{Reason: evil}}
	s.Services = []status.Service{{Group: evil, Servers: []status.Server{{Off: true, Name: evil}, {Health: health.Down, Error: evil}}}}
	w := status.Wishes{Record: evil, Directors: []status.Director{{Name: evil, Error: evil}}}
	var b strings.Builder
	if err := errors.Join(s.Text(&b, status.Style{}), w.Text(&b, status.Style{})); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.ContainsAny(text, "\x1b\a\r\u009b\u202e") || !strings.Contains(text, "\tprotocol") {
		t.Errorf("%q", text)
	}
}
