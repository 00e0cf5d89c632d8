package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
)

type fakeKeeper struct{ *stage }

func (k fakeKeeper) Run(ctx context.Context) error {
	<-ctx.Done()
	k.note("keeper ends")
	return nil
}
func (k fakeKeeper) Change(s setup) {
	k.note("setup: %d links, %d wishes", len(s.links), len(s.universe))
}

func (k fakeKeeper) Wish(w vip.Wish) {
	text := "wish " + w.Owner + ":"
	for _, a := range w.Addresses {
		text += " " + a.Prefix.String()
	}
	if w.Repeat > 0 {
		text += fmt.Sprint(" repeat ", w.Repeat)
	}
	k.note("%s", text)
}

func eventAt(at time.Time) status.Event { return status.Event{At: at} }
