package ipvsproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Dir is a directory with a file for each sysctl. It is safe for concurrent use.
type Dir string

// Default is where Linux has them.
const Default Dir = "/proc/sys/net/ipv4/vs"

// Sysctls returns the sysctls of the table that the kernel has, in the form that ipvs.Sysctl.Check takes. While it has
// no IPVS the error wraps ipvs.ErrUnavailable: any call of ipvsnl has it load the module if it can.
func (d Dir) Sysctls(ctx context.Context) (ipvs.Sysctls, error) {
	return d.readAll(ctx, ipvs.SysctlTable)
}

// SomeSysctls is Sysctls of some names only, at the cost of three system calls each. Names that the table or the kernel
// hasn't got are missing in the answer.
func (d Dir) SomeSysctls(ctx context.Context, names ...string) (ipvs.Sysctls, error) {
	table := make([]ipvs.Sysctl, 0, len(names))
	for _, name := range names {
		if s, ok := ipvs.FindSysctl(name); ok {
			table = append(table, s)
		}
	}
	return d.readAll(ctx, table)
}

func (d Dir) readAll(ctx context.Context, table []ipvs.Sysctl) (ipvs.Sysctls, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read sysctls: %w", err)
	}
	values := make(ipvs.Sysctls, len(table))
	for _, s := range table {
		value, err := readFile(d.file(s))
		switch {
		case err == nil:
			values[s.Name] = s.Normal(value)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("read sysctls: %w", err)
		}
	}
	if len(values) == 0 {
		if err := d.available(); err != nil {
			return nil, fmt.Errorf("read sysctls: %w", err)
		}
	}
	return values, nil
}

// available returns an error if the kernel has no IPVS in this network namespace.
func (d Dir) available() error {
	_, err := os.Stat(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (%s)", ipvs.ErrUnavailable, d)
	}
	return err
}

// readFile is os.ReadFile in three system calls instead of six: a sysctl comes whole with the first read.
func readFile(name string) (string, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: name, Err: err}
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return "", &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return string(bytes.TrimSpace(buf[:n])), nil
}

// SetSysctl changes a sysctl. What ipvs.Sysctl.Check doesn't take is an error that wraps ipvs.EINVAL, a name that the
// table or the kernel hasn't got one that wraps fs.ErrNotExist.
func (d Dir) SetSysctl(ctx context.Context, name, value string) error {
	if err := d.set(ctx, name, value); err != nil {
		return fmt.Errorf("set sysctl net.ipv4.vs.%s: %w", name, err)
	}
	return nil
}

func (d Dir) set(ctx context.Context, name, value string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, ok := ipvs.FindSysctl(name)
	if !ok {
		return fmt.Errorf("there is none with that name: %w", fs.ErrNotExist)
	}
	if err := s.Check(value); err != nil {
		return fmt.Errorf("%w: %w", ipvs.EINVAL, err)
	}
	f, err := os.OpenFile(d.file(s), os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.available(); err != nil {
			return err
		}
		return fmt.Errorf("this kernel has none with that name: %w", fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Normal(value) + "\n")
	if err = errors.Join(err, f.Close()); errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("the kernel does not take %q: %w", value, ipvs.EINVAL)
	}
	return err
}

func (d Dir) file(s ipvs.Sysctl) string { return string(d) + "/" + s.Name }
