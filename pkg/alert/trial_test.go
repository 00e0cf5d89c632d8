package alert

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// A test goes once to everybody, those of virtual servers and webhooks for one kind of events too; nobody is nobody.
func TestTrial(t *testing.T) {
	c, problems := config.Load("f", []byte(strings.Replace(text, "servicename =", `notification_email = "shop@example.org"
servicename =`, 1)))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	mails, posts := NewDesk(&c.GlobalDefs, "host1").Trial(at, c.VirtualServers)
	var got []string
	for _, m := range mails {
		got = append(got, m.Via.Server+" "+m.Recipients()+" "+m.Subject)
		if !strings.Contains(m.Text, "Time: 2026-11-22T12:00:00Z\nHost: host1\n") || m.Via.From != "ipvsd@host1" {
			t.Errorf("from %s: %s", m.Via.From, m.Text)
		}
	}
	for _, p := range posts {
		got = append(got, p.To.Name+" "+string(p.Body))
	}
	const event = ` {"director":"lb1","seq":0,"at":"2026-11-22T12:00:00Z","event":"TEST","reason":"ipvsctl alert test asked for it"}`
	want := []string{
		"localhost:25 ops@example.org, Night <night@example.org> [lb1] Test of alerts", "localhost:25 shop@example.org [lb1] Test of alerts",
		"192.0.2.25:587 web@example.org [lb1] Test of alerts",
		"all" + event, "vrrp" + event, "lvs" + event,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if mails, posts := NewDesk(&config.GlobalDefs{}, "host1").Trial(at, nil); len(mails)+len(posts) != 0 {
		t.Errorf("of nothing: %v %v", mails, posts)
	}
}

// The example in README.md is valid, and tells who it says.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "**Be told.**")
	_, rest, begins := strings.Cut(rest, "```toml\n")
	example, _, ends := strings.Cut(rest, "```")
	if !found || !begins || !ends {
		t.Fatal("there is no example")
	}
	c, problems := config.Load("README.md", []byte(example))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	mails, posts := NewDesk(&c.GlobalDefs, "host1").Trial(time.Now(), c.VirtualServers)
	if len(mails) != 1 || mails[0].Via.Server != "mail.example.org:587" || mails[0].Via.User != "lb1" || mails[0].Recipients() != "ops@example.org" {
		t.Errorf("mails: %+v", mails)
	}
	if len(posts) != 1 || posts[0].To.Name != "CHAT" {
		t.Errorf("webhooks: %+v", posts)
	}
}
