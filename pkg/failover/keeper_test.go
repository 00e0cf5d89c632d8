package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
)

type fakeKeeper struct{ *stage }

func (k fakeKeeper) Run(ctx context.Context) error {
	<-ctx.Done()
	k.note("keeper ends")
	return nil
}
func (k fakeKeeper) Change(s vipnl.Setup) {
	k.note("setup: %d links, %d wishes", len(s.Links), len(s.Universe))
}

func (k fakeKeeper) Wish(w vip.Wish) {
	text := "wish " + w.Owner + ":"
	for _, a := range w.Addresses {
		text += " " + a.Prefix.String()
	}
	if w.Repeat > 0 {
		text += fmt.Sprint(" repeat ", w.Repeat)
	}
	k.mu.Lock()
	k.wishes[w.Owner] = w
	k.mu.Unlock()
	k.note("%s", text)
}

func eventAt(at time.Time) status.Event { return status.Event{At: at} }
