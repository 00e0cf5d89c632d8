package failover

import (
	"context"

	"github.com/ipvsd/ipvsd/pkg/track"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp/vrrpio"
)

// New returns a Failover without instances.
func New(o Options) *Failover { return newFailover(o, assemble, look) }

// look returns the interfaces of this host, none if they can't be known: that is told when they are watched.
func look() (list []vip.Interface) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	vipnl.Interfaces(ctx, func(found []vip.Interface, _ error) {
		list = found
		cancel()
	})
	return list
}

// record returns the file in which a part writes down what it changed on the host.
func (f *Failover) record(part string) string {
	if f.records == "" {
		return ""
	}
	return f.records + "." + part
}

// assemble returns the real parts, or why they could not work.
func assemble(f *Failover) (*parts, error) {
	if err := permitted(); err != nil {
		return nil, err
	}
	cfg := f.config()
	record, remains := f.openRecord()
	runner := vrrpio.New(vrrpio.Options{
		Log: f.log, Report: f.report, Realtime: vrrpio.Realtime(cfg.Realtime), LogUnknown: cfg.LogUnknown, Record: record,
		Held: f.await != nil || remains != nil,
	})
	return &parts{
		runner: runner, remains: remains,
		keeper: vipnl.NewKeeper(vipnl.Options{
			Log: f.log, Report: func(r vipnl.Report) { f.inbox.put(r) }, Placed: runner.Placed,
			Firewall: vipnl.NewFirewall(), Silencer: vipnl.NewSilencer(), Links: vipnl.NewLinks(f.log, f.record("links")), Record: f.record("addresses"),
			Announcer: vipnl.NewAnnouncer(f.log, func(c vip.Conflict) { f.inbox.put(c) }),
		}),
		tracker:    track.New(track.Options{Log: f.log, Report: f.Observe}),
		interfaces: vipnl.Interfaces,
	}, nil
}
