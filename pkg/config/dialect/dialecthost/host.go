// Package dialecthost answers what a configuration in a foreign dialect asks of the machine: files that it includes, variables,
// names, programs and accounts (document.Host). Everything is asked by the goroutine that reads the configuration.
package dialecthost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

const (
	// MaxBytes is the size of a configuration, with all that it includes, that is taken for one: about a million servers. To
	// read one takes some 35 times its size of memory.
	MaxBytes = 64 << 20
	// patience is how long names may be looked up, each and all of a configuration. Names that are answered at all are answered
	// within milliseconds; a reload must not wait for ever for those that are not.
	patience      = 5 * time.Second
	patienceInAll = 15 * time.Second
)

// Host is this machine, for one configuration that is read once.
type Host struct {
	bytes    int64 // read so far
	names    time.Duration
	resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
}

var _ document.Host = (*Host)(nil)

// New returns this machine as it is now.
func New() *Host { return &Host{resolver: net.DefaultResolver} }

// ReadFile returns the content of a file. Only a regular file has one: what may have no end, or none to write it, must not hold
// up a daemon.
func (h *Host) ReadFile(name string) ([]byte, error) {
	// Non-blocking: the other end of a pipe need not be there. A regular file doesn't care.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes-h.bytes+1))
	if h.bytes += int64(len(text)); err == nil && h.bytes > MaxBytes {
		err = fmt.Errorf("%s: larger than %d MB, with what was read before it", name, MaxBytes>>20)
	}
	return text, err
}

// Glob returns the names of the files that match a pattern of the shell's, with its braces. As with the shell, a * matches no
// dot at the beginning of a name.
func (h *Host) Glob(pattern string) ([]string, error) {
	var names []string
	for _, p := range braces(pattern) {
		found, err := filepath.Glob(strings.ReplaceAll(p, "[!", "[^"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		for _, name := range found {
			if !hidden(p, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// braces returns what a{b,c} stands for: ab and ac.
func braces(pattern string) []string {
	open := -1
	depth := 0
	var commas []int
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			if depth++; depth == 1 {
				open, commas = i, commas[:0]
			}
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '}':
			if depth--; depth < 0 {
				return []string{pattern}
			}
			if depth > 0 {
				continue
			}
			var all []string
			from := open + 1
			for _, to := range append(commas, i) {
				all = append(all, braces(pattern[:open]+pattern[from:to]+pattern[i+1:])...)
				from = to + 1
			}
			return all
		}
	}
	return []string{pattern}
}

// hidden says whether a part of a name begins with a dot that the pattern doesn't have.
func hidden(pattern, name string) bool {
	want, got := strings.Split(path.Clean(pattern), "/"), strings.Split(name, "/")
	for i := range got {
		if i < len(want) && strings.HasPrefix(got[i], ".") && !strings.HasPrefix(want[i], ".") {
			return true
		}
	}
	return false
}

// Getenv returns a variable of the environment.
func (h *Host) Getenv(name string) string { return os.Getenv(name) }

// Hostname returns what uname -n prints.
func (h *Host) Hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// LookupPort returns the port of a service of /etc/services, 0 if there is none.
func (h *Host) LookupPort(service, protocol string) uint16 {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, protocol, service)
	if err != nil {
		return 0
	}
	return uint16(port)
}

// LookupHost returns the addresses of a name, IPv4 first.
func (h *Host) LookupHost(name string) ([]string, error) {
	left := min(patience, patienceInAll-h.names)
	if left <= 0 {
		return nil, fmt.Errorf("%s is not looked up: other names took more than %s; write addresses instead of names", name, patienceInAll)
	}
	begin := time.Now()
	defer func() { h.names += time.Since(begin) }()
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	found, err := h.resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if e, ok := errors.AsType[*net.DNSError](err); ok {
			err = errors.New(e.Err)
		}
		return nil, fmt.Errorf("%s has no address: %w; write the address, or put the name into /etc/hosts", name, err)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	names := make([]string, len(found))
	for i, a := range found {
		names[i] = a.String()
	}
	return slices.Compact(names), nil
}

// LookPath returns where a program is that can be run. The error says why it can't be, and not once more which it is.
func (h *Host) LookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	} else if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	return path, err
}

// HasAccount says whether there is a user, and a group if it isn't empty; each by name or number.
func (h *Host) HasAccount(name, group string) bool {
	if _, err := user.Lookup(name); err != nil && !number(name) {
		return false
	}
	if group == "" {
		return true
	}
	_, err := user.LookupGroup(group)
	return err == nil || number(group)
}

// number says whether a name is one: an account that has no name can be used all the same.
func number(name string) bool {
	_, err := strconv.ParseUint(name, 10, 32)
	return err == nil
}
