package event_test

import (
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// one has everything that an event can have, and what must not end a frame.
var one = event.Event{
	Epoch: "e1", Sequence: 7, At: noon, Kind: event.Server, Service: "tcp 192.0.2.1:80", Server: "198.51.100.1:80", Instance: "VI_1", Group: "VG_1",
	Object: "interface eth0", From: "up", To: "down", Reason: "TCP_CHECK: \"no\"\n\nid: e9-9\r\u2028\x00\xff", Who: "root",
}

// items are one of each.
var items = []event.Item{
	{Begin: &event.Begin{Epoch: "e1", Last: 7, Restarted: true, Skipped: 3, Incomplete: true}, Position: event.Position{Epoch: "e1", Sequence: 6}},
	{Event: &one, Position: one.Position()},
	{Missed: 12, Position: event.Position{Epoch: "e1", Sequence: 19}},
	{Position: event.Position{Epoch: "e1", Sequence: 20}},
	{},
	{End: true},
}

func written(list []event.Item) (b []byte) {
	for i := range list {
		b = list[i].AppendTo(b)
	}
	return b
}

func read(t *testing.T, text string) (list []event.Item) {
	t.Helper()
	r := event.NewReader(strings.NewReader(text))
	for {
		item, err := r.Next()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item)
	}
}

func TestStream(t *testing.T) {
	text := written(items)
	golden.Check(t, "testdata/stream.golden", text)
	got := read(t, string(text))
	if got[1].Event.Reason = one.Reason; !reflect.DeepEqual(got, items) { // which is not all UTF-8
		t.Errorf("%+v", got)
	}
}

// A client understands a daemon that is newer than itself, and other writers of such streams.
func TestForeignStream(t *testing.T) {
	got := read(t, ": a comment\nretry: 7\n\nevent: other\ndata: x\n\nnews: 1\ndata:{\"sequence\":\ndata: 7,\"new\":1}\nid:e1-7\n\ndata: cut off")
	want := []event.Item{{}, {Event: &event.Event{Sequence: 7}, Position: event.Position{Epoch: "e1", Sequence: 7}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"data: {\n\n", "id: x\n\n", "event: begin\n\n", "event: missed\ndata: []\n\n", "data: " + strings.Repeat("x", 1<<20), strings.Repeat("data: "+strings.Repeat(" ", 99)+"\n", 1<<13)} {
		if item, err := event.NewReader(strings.NewReader(text)).Next(); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%.20q is %+v, %v", text, item, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(string(written(items)))
	f.Fuzz(func(_ *testing.T, text string) {
		r := event.NewReader(strings.NewReader(text))
		for {
			item, err := r.Next()
			if err != nil {
				return
			}
			if item.Event != nil {
				item.Event.Text()
			}
		}
	})
}

func TestText(t *testing.T) {
	var b strings.Builder
	for _, e := range []event.Event{
		one,
		{Kind: event.Daemon, To: "running", Object: "v1"},
		{Kind: event.Server, Service: "tcp 192.0.2.1:80", Server: "198.51.100.1:80", From: "up", To: "down", Reason: "TCP_CHECK: connection refused"},
		{Kind: event.Weight, Service: "tcp 192.0.2.1:80", Server: "198.51.100.1:80", From: "3", To: "1", Reason: "MISC_CHECK"},
		{Kind: event.Quorum, Service: "tcp 192.0.2.1:80", From: "up", To: "down", Reason: "live weight 0, quorum 1"},
		{Kind: event.Wish, Server: "198.51.100.1:80", To: "drain", Reason: "new kernel", Who: "root"},
		{Kind: event.Wish, Server: "198.51.100.1:80", From: "drain", Who: "root"},
		{Kind: event.Router, Instance: "VI_1", From: "BACKUP", To: "MASTER", Reason: "no adverts"},
		{Kind: event.Reload, Object: "/etc/ipvsd/ipvsd.toml", To: "accepted"},
		{Kind: event.Drift, Reason: "add tcp 192.0.2.1:80"},
		{Kind: event.Tracked, Object: "interface eth0", To: "down", Reason: "no carrier"},
		{},
	} {
		e.At = noon
		b.WriteString(e.Text() + "\n")
	}
	golden.Check(t, "testdata/text.golden", []byte(b.String()))
}

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}
