package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// tracked is the files of FILE_CHECKs, which are checked at once when somebody changes them.
type tracked struct {
	watch    func(ctx context.Context, paths []string, changed func(path string)) error
	paths    map[health.ID]string
	changed  bool               // since the goroutine was started
	stop     context.CancelFunc // the goroutine that watches; nil: none does
	watching sync.WaitGroup
}

// follow takes files off and puts others on, with the checks of a reload.
func (t *tracked) follow(removed, added []health.ID) {
	for _, id := range removed {
		if _, known := t.paths[id]; known {
			delete(t.paths, id)
			t.changed = true
		}
	}
	for _, id := range added {
		if f, is := id.Check().Spec.(health.File); is {
			t.paths[id] = f.Path
			t.changed = true
		}
	}
}

// watchFiles has the files watched that there are now. It is no more than a shortcut: where it fails the checks run as often as
// they say.
func (o *owner) watchFiles(ctx context.Context) {
	t := &o.tracked
	if !t.changed {
		return
	}
	t.changed = false
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
	if len(t.paths) == 0 {
		return
	}
	checks := make(map[string][]health.ID)
	for id, path := range t.paths {
		checks[path] = append(checks[path], id)
	}
	ctx, t.stop = context.WithCancel(ctx)
	paths := slices.Sorted(maps.Keys(checks))
	t.watching.Go(func() {
		err := t.watch(ctx, paths, func(path string) { o.checks.Now(slices.Clone(checks[path])) })
		if ctx.Err() == nil {
			o.log.Warn("the files of FILE_CHECKs can't be watched; they are read when the checks are due", "err", err)
		}
	})
}
