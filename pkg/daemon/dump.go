package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/dump"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Dump is what keepalived writes into files when it gets a signal.
type Dump uint8

// The dumps.
const (
	DumpData       Dump = iota // keepalived.data, keepalived_check.data, keepalived_parent.data
	DumpStats                  // keepalived.stats
	DumpClearStats             // the same; counters begin anew
	DumpJSON                   // keepalived.json
)

// Dump writes files of Options.DumpDir. What comes of it goes to the log. It must not be called concurrently.
func (d *Daemon) Dump(ctx context.Context, what Dump) {
	if d.options.DumpDir == "" {
		d.options.Log.Warn("nothing is dumped: start with --dump-dir DIR, as keepalived with /tmp; ipvsctl status and vrrp show the same")
		return
	}
	if err := d.dump(ctx, what); err != nil && ctx.Err() == nil {
		d.options.Log.Error("dump", "err", err)
	}
}

func (d *Daemon) dump(ctx context.Context, what Dump) error {
	snapshot, err := d.owner.Status(ctx)
	if err != nil {
		return err
	}
	cfg, err := ask(ctx, d.owner, func(context.Context) *config.Config { return d.owner.cfg })
	if err != nil {
		return err
	}
	routers, err := d.failover.Status(ctx)
	if err != nil {
		return err
	}
	counted := make(map[string]status.RouterCounters, len(routers.Instances))
	for i := range routers.Instances {
		v := &routers.Instances[i]
		counted[v.Name] = v.Counters
		v.Counters = dump.Since(v.Counters, d.cleared[v.Name])
	}
	s := dump.State{Config: cfg, Routers: &routers, Services: snapshot.Services}
	switch what {
	case DumpData:
		return errors.Join(d.replace("keepalived.data", s.Data()), d.replace("keepalived_check.data", s.Checks()), d.replace("keepalived_parent.data", s.Global()))
	case DumpJSON:
		text, err := s.JSON(d.options.JSONVersion)
		return errors.Join(err, d.replace("keepalived.json", string(text)))
	case DumpClearStats:
		d.cleared = counted
	case DumpStats:
	}
	return d.replace("keepalived.stats", s.Stats())
}

// replace writes a file of DumpDir, which may be a directory where everybody can write: what is there under the name, be it
// somebody's link, is replaced and not written to.
func (d *Daemon) replace(name, text string) error {
	f, err := os.CreateTemp(d.options.DumpDir, "."+name+".*") // with O_EXCL, and for us alone
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.options.DumpDir, name))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
