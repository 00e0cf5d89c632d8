package teller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
)

// Mails and events go out in the order of the news, by the settings that were in force; what is down is told again; at the end nothing
// waits for a mail server that doesn't answer.
func TestTeller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(slog.New(slog.DiscardHandler))
		sent := make(chan string, 100)
		hangs := false
		w.mail = func(ctx context.Context, m alert.Mail) error {
			if hangs {
				<-ctx.Done()
				return ctx.Err()
			}
			sent <- m.Via.Server + " " + m.Subject
			return nil
		}
		w.post = func(_ context.Context, p alert.Post) error {
			if p.To.Name == "bad" {
				return errors.New("refused")
			}
			sent <- p.To.Name + " " + string(p.Body)
			return nil
		}
		want := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for len(sent) > 0 {
				got = append(got, <-sent)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		c, problems := config.Load("f", []byte(`
[global_defs]
router_id = "lb1"
smtp_server = "a"
notification_email = "ops"
smtp_alert_repeat = 60
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
TCP_CHECK = true
real_servers = ["198.51.100.1:80"]
`))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		hooked := c.GlobalDefs
		hooked.Webhooks = []config.Webhook{{Name: "bad", Attempts: 3, VRRP: true, LVS: true}, {Name: "good", Attempts: 3, LVS: true}}
		vs := c.VirtualServers[0]
		news := alert.News{
			About: alert.AServer, Name: "vs", Service: vs, Server: &vs.RealServers[0], Kind: alert.Down, At: time.Now(), Event: true, Mail: true, Phase: config.Running,
		}
		w.Tell(news) // nobody is told before there are settings
		w.Change(&c.GlobalDefs)
		w.Tell(news)
		w.Change(&hooked)
		up := news
		up.Kind = alert.Up
		w.Tell(up)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		const at = `"at":"2000-01-01T00:00:00Z","service":"tcp 192.0.2.1:80","server":"198.51.100.1:80","event":`
		const subject = "a:25 [lb1] Realserver [198.51.100.1]:tcp:80 of virtual server vs - "
		synctest.Wait()
		list := []string{<-sent, <-sent, <-sent}
		slices.Sort(list) // the destinations don't wait for each other
		if want := []string{subject + "DOWN", subject + "UP", `good {"director":"lb1","seq":3,` + at + `"UP"}`}; !slices.Equal(list, want) {
			t.Errorf("%q, want %q", list, want)
		}
		news.Event = false
		w.Tell(news)
		want("down", subject+"DOWN")
		<-time.After(59 * time.Second)
		want("too early")
		<-time.After(time.Second)
		want("again", subject+"DOWN")
		<-time.After(time.Minute)
		want("and again", subject+"DOWN")

		hangs, up.Event = true, false
		w.Tell(up)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		start := time.Now()
		w.Close(t.Context())
		if took := time.Since(start); took != stopLimit {
			t.Errorf("the end took %v", took)
		}
		want("the end")
	})
}
