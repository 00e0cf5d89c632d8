package daemon

import (
	"context"
	"os"
	"syscall"
	"time"
)

// lookEvery is how often a configuration file is looked at that is to be read again when it changes.
const lookEvery = 5 * time.Second

// stamp tells versions of a file apart. The zero value is that of no file.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64 // an editor may put another file in its place
}

func stampOf(name string) (s stamp) {
	if info, err := os.Stat(name); err == nil {
		s = stamp{modified: info.ModTime(), size: info.Size()}
		if system, ok := info.Sys().(*syscall.Stat_t); ok {
			s.inode = system.Ino
		}
	}
	return s
}

// autoReload reloads when the configuration file has changed and stays so from one look to the next, as long as the configuration says
// that this is wanted. It runs until the context is done. A version that is refused is read once.
func (o *owner) autoReload(ctx context.Context) {
	var before stamp
	for tick := time.Tick(lookEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		wanted, err := ask(ctx, o, func(context.Context) bool { return o.cfg.GlobalDefs.AutoReload })
		if err != nil {
			return // it ends
		}
		now := stampOf(o.files.config)
		settled := now == before
		before = now
		o.reloads.Lock()
		changed := now != o.read && now != (stamp{}) && o.awaited == nil // later, if a configuration waits for its confirmation
		o.reloads.Unlock()
		if !wanted || !settled || !changed {
			continue
		}
		o.log.Info("the configuration file has changed", "file", o.files.config)
		if _, err := o.Reload(ctx, false); err != nil {
			return // it ends
		}
	}
}
