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
	"github.com/ipvsd/ipvsd/pkg/status"
)

// A test is tried once, everywhere at the same time, and all answers come back in the order of the configuration.
func TestTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(slog.New(slog.DiscardHandler))
		w.mail = func(context.Context, alert.Mail) error {
			<-time.After(2 * time.Second)
			return errors.New("550 not here")
		}
		w.post = func(_ context.Context, p alert.Post) error {
			<-time.After(3 * time.Second)
			return nil
		}
		c := new(config.Config)
		c.GlobalDefs.Mail.Server, c.GlobalDefs.Mail.To = "a:25", []string{"x@example.org", "y@example.org"}
		c.GlobalDefs.Webhooks = []config.Webhook{{Name: "one"}, {Name: "two"}}
		begin := time.Now()
		got := w.Trial(t.Context(), c)
		want := []status.Trial{
			{To: "mail server a:25", Recipients: "x@example.org, y@example.org", Error: "550 not here", Took: 2 * time.Second},
			{To: "webhook one", Took: 3 * time.Second}, {To: "webhook two", Took: 3 * time.Second},
		}
		if !slices.Equal(got.Trials, want) || got.Delivered() {
			t.Errorf("%+v\nwant %+v", got.Trials, want)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("all took %v", took)
		}
		if alerts, _ := w.Counts(); len(alerts) != 0 {
			t.Errorf("counted: %+v", alerts)
		}
	})
}
