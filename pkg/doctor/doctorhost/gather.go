// Package doctorhost gathers the facts that package doctor judges: it reads what the kernel tells about this network namespace, asks the
// neighbours who has which address, and listens for a while. It changes nothing, loads no module, and starts no program but
// iptables-save. One goroutine besides the caller's listens, for the time of a call.
package doctorhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Options are what Gather is told.
type Options struct {
	// Listen is how long to listen for adverts, sync messages and answers to ARP. 0: not at all, and nobody is asked.
	Listen   time.Duration
	Daemon   *status.Snapshot  // what ipvsd says of itself; nil: none answers
	Prepared []doctor.Prepared // by ipvsctl realserver prepare
	At       time.Time
}

// Gather returns the facts of the process's network namespace. What can't be seen is noted in them; an error is that of a kernel
// from which nothing can be learnt.
func Gather(ctx context.Context, o Options) (*doctor.Facts, error) {
	f := &doctor.Facts{At: o.At, Daemon: o.Daemon, Prepared: o.Prepared, Sysctls: sysctls(), Clock: clock()}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("release of the kernel: %w", err)
	}
	f.Release = unix.ByteSliceToString(name.Release[:])
	f.Modules = modules(f.Release)
	if err := table(ctx, f); err != nil {
		return nil, err
	}
	if err := network(f); err != nil {
		return nil, err
	}
	f.Processes, f.AtBoot = processes(f.Links), atBoot()
	var err error
	if f.SNAT, err = sourceNAT(ctx); err != nil {
		missed(f, "vs-conntrack", err)
	}
	if o.Listen > 0 {
		if err := listen(ctx, f, o.Listen); err != nil {
			missed(f, "vip-claimed", err)
			missed(f, "vrid-duplicate", err)
			missed(f, "sync-id", err)
		}
	}
	return f, ctx.Err()
}

func missed(f *doctor.Facts, id string, err error) {
	f.Unseen = append(f.Unseen, doctor.Unseen{ID: id, Why: err.Error()})
}

// table reads IPVS's table if the kernel has IPVS at work: to ask for it would load the module.
func table(ctx context.Context, f *doctor.Facts) error {
	if _, err := os.Stat("/proc/net/ip_vs"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f.IPVS = true
	client, err := ipvsnl.Open()
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // nothing was written
	t, err := client.Snapshot(ctx)
	var info ipvs.Info
	var s ipvs.Settings
	if err == nil {
		info, err = client.Info(ctx)
	}
	if err == nil {
		s.Timeouts, err = client.Timeouts(ctx)
	}
	if err == nil {
		s.Master, s.Backup, err = client.SyncDaemons(ctx)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: the kernel's table is for root only", err)
	}
	if err != nil {
		return err
	}
	f.Table = status.KernelOf(t, s, func(ipvs.ServiceKey, netip.AddrPort) bool { return false })
	f.Table.At, f.Table.Version, f.Table.ConnBuckets = f.At, info.Version.String(), info.ConnTableSize
	own, err := ipvsproc.Default.SomeSysctls(ctx, "run_estimation")
	f.Table.Frozen = err == nil && own["run_estimation"] == "0"
	return nil
}

// servers returns the addresses of the table's servers, each once.
func servers(f *doctor.Facts) (list []netip.Addr) {
	if f.Table == nil {
		return nil
	}
	for _, s := range f.Table.Services {
		for _, r := range s.Servers {
			if a := r.Addr.Addr(); !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	return list
}
