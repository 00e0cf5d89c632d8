package ipvsproc

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// boot makes a directory as Linux 6.1 has it, tabs included.
func boot(t *testing.T) Dir {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	values, err := new(ipvstest.Kernel).Sysctls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	values["sync_threshold"] = "3\t50"
	values["not_in_the_table"] = "1"
	for name, v := range values {
		write(t, Dir(dir), name, v)
	}
	return Dir(dir)
}

func write(t *testing.T, d Dir, name, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(d), name), []byte(value+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	ipvstest.SysctlConformance(t, func(t *testing.T) ipvstest.SysctlClient { return boot(t) })
}

func TestNormalised(t *testing.T) {
	d := boot(t)
	write(t, d, "conntrack", "5") // on, to the kernel
	got, err := d.SomeSysctls(t.Context(), "sync_threshold", "conntrack", "../vs/conntrack", "not_in_the_table")
	want := ipvs.Sysctls{"sync_threshold": "3 50", "conntrack": "1"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestUnavailable(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "vs"))
	if _, err := d.Sysctls(t.Context()); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	if _, err := d.SomeSysctls(t.Context(), "conntrack"); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("read one: %v", err)
	}
	if err := d.SetSysctl(t.Context(), "conntrack", "1"); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("set: %v", err)
	}
	if err := d.SetSysctl(t.Context(), "absent", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("set what isn't in the table: %v", err)
	}
}

func TestErrors(t *testing.T) {
	d := boot(t)
	for _, c := range []struct{ name, value, want string }{
		{"conntrack", "yes", `set sysctl net.ipv4.vs.conntrack: ` + ipvs.EINVAL.Error() + `: conntrack is 0 or 1, not "yes"`},
		{"absent", "1", "set sysctl net.ipv4.vs.absent: there is none with that name: file does not exist"},
		{"conn_lfactor", "1", "set sysctl net.ipv4.vs.conn_lfactor: this kernel has none with that name: file does not exist"},
	} {
		if err := d.SetSysctl(t.Context(), c.name, c.value); err == nil || err.Error() != c.want {
			t.Errorf("%v, want\n%s", err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(string(d), "conn_lfactor")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made:", err)
	}
}
