package track

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// followFiles reads track_files, at first and whenever somebody has written them.
func (w *watch) followFiles(ctx context.Context, wanted map[string]config.TrackFile, _ <-chan struct{}) {
	names := make(map[string][]string)
	for name, f := range wanted {
		names[f.Path] = append(names[f.Path], name)
	}
	read := func(path string) {
		r := readFile(ctx, path)
		for _, name := range names[path] {
			w.see(ctx, vrrp.Object{Kind: vrrp.TrackFile, Name: name}, r)
		}
	}
	paths := make([]string, 0, len(names))
	for path := range names {
		read(path)
		paths = append(paths, path)
	}
	for ctx.Err() == nil {
		if err := probe.WatchFiles(ctx, paths, read); ctx.Err() == nil {
			w.log.Warn("track_file: changes are not told of; the files are read every second", "err", err)
		}
		for again := time.Now().Add(time.Minute); time.Now().Before(again) && pause(ctx); {
			for _, path := range paths {
				read(path)
			}
		}
	}
}

// Initialize makes the files that init_file tells of, and did not tell of before in the same way. It is called before anything reads
// them, and may take as long as a file system does.
func Initialize(log *slog.Logger, files, before map[string]config.TrackFile) {
	for name, f := range files {
		if !f.Init || f == before[name] {
			continue
		}
		if err := initialize(f); err != nil {
			log.Warn("track_file: init_file is not written", "file", f.Path, "err", err)
		}
	}
}

// initialize writes what init_file says: a file that is there is left as it is, unless it is to be overwritten.
func initialize(f config.TrackFile) error {
	flags := os.O_WRONLY | os.O_CREATE | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if f.Overwrite {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_EXCL
	}
	file, err := os.OpenFile(f.Path, flags, 0o644)
	if errors.Is(err, fs.ErrExist) && !f.Overwrite {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(strconv.Itoa(f.Value) + "\n")
	return errors.Join(err, file.Close())
}

// readFile returns the number in a file. What is not there, or is no number, counts as 0.
func readFile(ctx context.Context, path string) vrrp.Reading {
	r := vrrp.Reading{Known: true, Up: true}
	if where := unfit(path); where != "" {
		r.Reason = path + " counts as 0: it is on " + where + ", where changes are not told of"
		return r
	}
	f, err := probe.File(ctx, health.File{Path: path, Weight: 1, Weighed: true})
	switch {
	case err != nil: // so far below zero that a server would lose all weight
		r.Value = -math.MaxInt32
	case f.Advice.Kind == health.Add:
		r.Value = int(f.Advice.Value)
	}
	r.Reason = f.Warning
	return r
}

// remote are file systems that inotify does not tell everything of, by their magic numbers (statfs(2)). keepalived refuses them, too.
var remote = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB", unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.V9FS_MAGIC: "9p", unix.AFS_FS_MAGIC: "AFS", unix.CEPH_SUPER_MAGIC: "Ceph", unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.CGROUP2_SUPER_MAGIC: "cgroup",
}

// unfit returns on which file system a file is that can't be watched; empty: it can be, or its directory isn't there.
func unfit(path string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &s); err != nil {
		return ""
	}
	return remote[s.Type]
}
