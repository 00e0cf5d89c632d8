package teller

import (
	"context"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Trial sends a test to all destinations of a configuration, once and at the same time, beside what waits for them, and returns what they
// answered. It blocks its caller until all have, or their timeouts are over. It may be called at any time.
func (t *Teller) Trial(ctx context.Context, c *config.Config) *status.Trials {
	mails, posts := alert.NewDesk(&c.GlobalDefs, t.host).Trial(time.Now(), c.VirtualServers)
	r := &status.Trials{Trials: make([]status.Trial, len(mails)+len(posts))}
	var all sync.WaitGroup
	try := func(one *status.Trial, send func() error) {
		all.Go(func() {
			begin := time.Now()
			if err := send(); err != nil {
				one.Error = err.Error()
			}
			one.Took = time.Since(begin)
		})
	}
	for i, m := range mails {
		r.Trials[i] = status.Trial{To: toMailServer(&m), Recipients: m.Recipients()}
		try(&r.Trials[i], func() error { return t.mail(ctx, m) })
	}
	for i, p := range posts {
		one := &r.Trials[len(mails)+i]
		one.To = toWebhook(&p)
		try(one, func() error { return t.post(ctx, p) })
	}
	all.Wait()
	return r
}

// Names of destinations.
func toMailServer(m *alert.Mail) string { return "mail server " + m.Via.Server }
func toWebhook(p *alert.Post) string    { return "webhook " + p.To.Name }
