package daemon

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Table returns the kernel's table with its counters and settings.
func (o *owner) Table(ctx context.Context, services []ipvs.ServiceKey) (*status.Kernel, error) {
	type read struct {
		*status.Kernel
		err error
	}
	r, err := ask(ctx, o, func(ctx context.Context) read {
		k, err := readKernel(ctx, o.kernel, services, o.ledger.Owned)
		return read{k, err}
	})
	return r.Kernel, errors.Join(err, r.err)
}

// Table returns what a daemon would, where none runs.
func Table(ctx context.Context, stateDir string, services []ipvs.ServiceKey) (*status.Kernel, error) {
	owned, err := filesIn(Options{StateDir: stateDir}).readOwned()
	if err != nil {
		return nil, err
	}
	k, err := ipvsnl.Open()
	if err != nil {
		return nil, err
	}
	table, err := readKernel(ctx, namespace{k, ipvsproc.Default}, services, owned)
	return table, errors.Join(err, k.Close())
}

// readKernel reads the table, or the services of it that are named.
func readKernel(ctx context.Context, k kernel, services []ipvs.ServiceKey, owned desired.Owned) (*status.Kernel, error) {
	var of map[ipvs.ServiceKey]bool
	if len(services) > 0 {
		of = make(map[ipvs.ServiceKey]bool, len(services))
		for _, key := range services {
			of[key] = true
		}
	}
	table, err := k.Read(ctx, of)
	if err != nil {
		return nil, err
	}
	at := time.Now() // that rates are reckoned with
	table = slices.DeleteFunc(table, func(s ipvs.ServiceStatus) bool { return s.Unread })
	info, err := k.Info(ctx)
	if err != nil {
		return nil, err
	}
	var settings ipvs.Settings
	if settings.Timeouts, err = k.Timeouts(ctx); err != nil {
		return nil, err
	}
	if settings.Master, settings.Backup, err = k.SyncDaemons(ctx); err != nil {
		return nil, err
	}
	sysctls, err := k.Sysctls(ctx)
	if err != nil {
		sysctls = nil // a container may hide them; the table is worth more than to know whether it counts
	}
	s := status.KernelOf(table, settings, func(key ipvs.ServiceKey, server netip.AddrPort) bool {
		servers, ours := owned[key]
		return ours && (server == netip.AddrPort{} || slices.Contains(servers, server))
	})
	s.At, s.Version, s.ConnBuckets, s.Frozen = at, info.Version.String(), info.ConnTableSize, sysctls["run_estimation"] == "0"
	return s, nil
}
