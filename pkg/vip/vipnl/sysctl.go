package vipnl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sysctls are variables of a network namespace, by their path below /proc/sys/net, which we changed.
type sysctls struct {
	was map[string]int // as it was before
	// record is a file that says what they were, for a run after one that was killed; empty: none. One that can't be read or written
	// is no reason to do without what they are changed for.
	record string
	read   bool
}

// recall reads the record of an earlier run.
func (s *sysctls) recall() {
	if s.read || s.record == "" {
		return
	}
	s.read = true
	if text, err := os.ReadFile(s.record); err == nil {
		s.was = parseRecord(text)
	}
}

// parseRecord returns what a record says, nothing if that can't be what note wrote: restore writes there, as root.
func parseRecord(text []byte) (was map[string]int) {
	if json.Unmarshal(text, &was) != nil {
		return nil
	}
	for path := range was {
		if family, _, _ := strings.Cut(path, "/"); !filepath.IsLocal(path) || filepath.Clean(path) != path || family != "ipv4" && family != "ipv6" {
			return nil
		}
	}
	return was
}

// note writes the record.
func (s *sysctls) note() {
	if s.record == "" {
		return
	}
	if len(s.was) == 0 {
		_ = os.Remove(s.record)
		return
	}
	text, err := json.Marshal(s.was)
	if err == nil {
		err = os.WriteFile(s.record+".new", text, 0o600)
	}
	if err == nil {
		_ = os.Rename(s.record+".new", s.record)
	}
}

func readSysctl(path string) (int, error) {
	text, err := os.ReadFile(filepath.Join("/proc/sys/net", path))
	if err != nil {
		return 0, fmt.Errorf("read sysctl: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("sysctl net/%s: %w", path, err)
	}
	return n, nil
}

// writeSysctl writes one if it differs.
func writeSysctl(path string, value int) error {
	if is, err := readSysctl(path); err != nil || is == value {
		return err
	}
	if err := os.WriteFile(filepath.Join("/proc/sys/net", path), []byte(strconv.Itoa(value)), 0o644); err != nil {
		return fmt.Errorf("set sysctl to %d: %w", value, err)
	}
	return nil
}

// set changes one until restore.
func (s *sysctls) set(path string, value int) error {
	s.recall()
	is, err := readSysctl(path)
	if err != nil || is == value {
		return err
	}
	if s.was == nil {
		s.was = make(map[string]int)
	}
	if _, known := s.was[path]; !known {
		s.was[path] = is
		s.note() // first: we may be killed at any time
	}
	return writeSysctl(path, value)
}

// raise is set for one that may be greater already.
func (s *sysctls) raise(path string, value int) error {
	is, err := readSysctl(path)
	if err != nil || is >= value {
		return err
	}
	return s.set(path, value)
}

// restore puts back those that are still used by nobody. Those of an interface that is gone went with it.
func (s *sysctls) restore(used func(path string) bool) (err error) {
	s.recall()
	before := len(s.was)
	for _, path := range slices.Sorted(maps.Keys(s.was)) {
		if used(path) {
			continue
		}
		if e := writeSysctl(path, s.was[path]); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
			continue
		}
		delete(s.was, path)
	}
	if len(s.was) < before {
		s.note()
	}
	return err
}

// loosen makes net.ipv4.conf.all.rp_filter 0, without which a VMAC can't have a 0 of its own: the greater of both counts. All other
// interfaces, and those to come, get what it was. Strictness moves, it is not lost.
func (s *sysctls) loosen(except func(dev string) bool) error {
	all, err := readSysctl("ipv4/conf/all/rp_filter")
	if err != nil || all == 0 {
		return err
	}
	devs, err := os.ReadDir("/proc/sys/net/ipv4/conf")
	if err != nil {
		return fmt.Errorf("read sysctls: %w", err)
	}
	for _, d := range devs {
		if d.Name() == "all" || d.Name() == "lo" || except(d.Name()) { // nothing is checked on lo
			continue
		}
		err := s.raise("ipv4/conf/"+d.Name()+"/rp_filter", all)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return err
		}
	}
	return s.set("ipv4/conf/all/rp_filter", 0)
}
