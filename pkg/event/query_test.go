package event_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
)

func TestPicks(t *testing.T) {
	server := event.Event{Kind: event.Server, Service: "tcp 192.0.2.1:80", Server: "198.51.100.1:80"}
	six := event.Event{Kind: event.Server, Service: "tcp [2001:db8::1]:80", Server: "[2001:db8::2]:80"}
	router := event.Event{Kind: event.Router, Instance: "VI_1"}
	group := event.Event{Kind: event.SyncGroup, Group: "VG_1"}
	for _, c := range []struct {
		q    event.Query
		e    *event.Event
		want bool
	}{
		{event.Query{}, &server, true},
		{event.Query{Service: "tcp 192.0.2.1:80"}, &server, true},
		{event.Query{Service: "tcp 192.0.2.1:8"}, &server, false},
		{event.Query{Service: "tcp 192.0.2.1:80"}, &router, false},
		{event.Query{Server: "198.51.100.1"}, &server, true},
		{event.Query{Server: "198.51.100.1:80"}, &server, true},
		{event.Query{Server: "198.51.100.1:8"}, &server, false},
		{event.Query{Server: "198.51.100"}, &server, false},
		{event.Query{Server: "2001:db8::2"}, &six, true},
		{event.Query{Server: "[2001:db8::2]:80"}, &six, true},
		{event.Query{Server: "2001:db8::"}, &six, false},
		{event.Query{Server: "198.51.100.1"}, &router, false},
		{event.Query{Instance: "VI_1"}, &router, true},
		{event.Query{Instance: "VG_1"}, &group, true},
		{event.Query{Instance: "VI_1"}, &server, false},
		{event.Query{Kinds: []event.Kind{event.Router, event.Server}}, &server, true},
		{event.Query{Kinds: []event.Kind{event.Router}}, &server, false},
		{event.Query{Kinds: []event.Kind{event.Server}, Service: "tcp 192.0.2.2:80"}, &server, false},
	} {
		if got := c.q.Picks(c.e); got != c.want {
			t.Errorf("%+v picks %+v: %v", c.q, *c.e, got)
		}
	}
}

func TestQueryAsParameters(t *testing.T) {
	three := 3
	for _, q := range []event.Query{
		{}, {Follow: true},
		{
			After: event.Position{Epoch: "e1", Sequence: 7}, Since: noon.Add(time.Millisecond), Last: &three, Service: "group WEB tcp", Server: "[2001:db8::1]:80",
			Instance: "VI 1", Kinds: []event.Kind{event.Drift, event.Server}, Follow: true,
		},
	} {
		got, err := event.ParseQuery(q.Values(), noon)
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%v became %+v, %v", q.Values(), got, err)
		}
	}
}

func TestParseQuery(t *testing.T) {
	q, err := event.ParseQuery(url.Values{"since": {"10m"}, "kind": {"server, quorum", "server"}}, noon)
	if err != nil || !q.Since.Equal(noon.Add(-10*time.Minute)) || !q.Follow || len(q.Kinds) != 2 {
		t.Errorf("%+v, %v", q, err)
	}
	for text, want := range map[string]string{
		"since=yesterday":         `how long ago`,
		"since=-10m":              `how long ago`,
		"since=":                  `how long ago`,
		"kind=sever":              `there is no kind "sever": it can be daemon, reload, server`,
		"kind=":                   `there is no kind ""`,
		"after=7":                 `no position`,
		"last=-1":                 `a number from 0 on`,
		"last=x":                  `a number from 0 on`,
		"follow=maybe":            `true or false`,
		"server_name=x":           `parameter "server_name": it can be after`,
		"service=x&service=y":     `there can be one`,
		strings.Repeat("x", 9999): `it can be after`,
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := event.ParseQuery(v, noon); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("after=e1-7&since=10m&last=3&service=tcp+192.0.2.1%3A80&server=::1&kind=server&follow=1")
	f.Add("since=2026-01-31T14:00:00.5%2B01:00")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := event.ParseQuery(v, noon)
		if err != nil {
			return
		}
		again, err := event.ParseQuery(q.Values(), noon)
		again.Since, q.Since = again.Since.UTC(), q.Since.UTC()
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("%q: %+v became %+v, %v", text, q, again, err)
		}
		q.Picks(&event.Event{Server: text})
	})
}
