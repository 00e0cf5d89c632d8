package ipvstest

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// SysctlClient is what ipvsproc.Dir and Kernel have in common.
type SysctlClient interface {
	Sysctls(context.Context) (ipvs.Sysctls, error)
	SomeSysctls(ctx context.Context, names ...string) (ipvs.Sysctls, error)
	SetSysctl(ctx context.Context, name, value string) error
}

// SysctlConformance tests what everything above relies on when it reads and changes sysctls. Each case gets a client of
// its own, for a kernel that has just booted.
func SysctlConformance(t *testing.T, open func(t *testing.T) SysctlClient) {
	for _, c := range []struct {
		name string
		test func(*testing.T, SysctlClient)
	}{
		{"values at boot", testBootSysctls},
		{"every value comes back as it was written", testSetSysctls},
		{"some sysctls", testSomeSysctls},
		{"refused sysctls change nothing", testBadSysctls},
		{"a canceled context", testCanceledSysctls},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func readSysctls(t *testing.T, c SysctlClient) ipvs.Sysctls {
	t.Helper()
	got, err := c.Sysctls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// testBootSysctls also shows that the table is right about the kernels that have a sysctl, as far as Linux 6.1 goes.
func testBootSysctls(t *testing.T, c SysctlClient) {
	got := readSysctls(t, c)
	for _, s := range ipvs.SysctlTable {
		v, ok := got[s.Name]
		switch {
		case s.Since.Compare(release) > 0:
		case !ok:
			t.Errorf("no %s", s.Name)
		case s.Boot != "" && v != s.Boot:
			t.Errorf("%s is %q, want %q", s.Name, v, s.Boot)
		}
		if ok && s.Check(v) != nil {
			t.Error(s.Check(v))
		}
		delete(got, s.Name)
	}
	if len(got) > 0 {
		t.Errorf("sysctls that are not in the table: %v", got)
	}
}

func testSetSysctls(t *testing.T, c SysctlClient) {
	boot := readSysctls(t, c)
	for _, s := range ipvs.SysctlTable {
		if _, ok := boot[s.Name]; !ok {
			continue
		}
		for _, v := range someValues(s) {
			if err := c.SetSysctl(t.Context(), s.Name, v); err != nil {
				t.Errorf("%v", err)
			}
			if got := readSysctls(t, c)[s.Name]; got != v {
				t.Errorf("%s is %q, want %q", s.Name, got, v)
			}
		}
		if err := c.SetSysctl(t.Context(), s.Name, boot[s.Name]); err != nil {
			t.Error(err)
		}
	}
	if err := c.SetSysctl(t.Context(), "sync_threshold", " 4\t 40"); err != nil {
		t.Error(err)
	}
	if got := readSysctls(t, c)["sync_threshold"]; got != "4 40" {
		t.Errorf("sync_threshold is %q, want 4 40", got)
	}
	// Memory is not short.
	if err := c.SetSysctl(t.Context(), "drop_entry", "2"); err != nil {
		t.Error(err)
	}
	s, _ := ipvs.FindSysctl("drop_entry")
	if got := readSysctls(t, c)["drop_entry"]; !s.Same(got, "2") {
		t.Errorf("drop_entry is %s, want 1 or 2", got)
	}
}

// someValues are values that a kernel takes and prints as they are.
func someValues(s ipvs.Sysctl) []string {
	switch s.Kind {
	case ipvs.SysctlSwitch:
		return []string{"1", "0"}
	case ipvs.SysctlNumber:
		var v []string
		for _, n := range []string{"-8", "0", "1", "3", "8", "2147483", "2147483647", "4294967295"} {
			if s.Check(n) == nil {
				v = append(v, n)
			}
		}
		return v
	case ipvs.SysctlPowerOfTwo:
		return []string{"64", "2", "1"}
	case ipvs.SysctlDefence:
		return []string{"3", "1", "0"}
	case ipvs.SysctlThreshold:
		return []string{"0 0", "7 0", "0 1", "2147483646 2147483647"}
	case ipvs.SysctlCPUs:
		return []string{"0"}
	}
	return nil
}

func testSomeSysctls(t *testing.T, c SysctlClient) {
	for _, name := range []string{"conn_reuse_mode", "conntrack"} {
		if err := c.SetSysctl(t.Context(), name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.SomeSysctls(t.Context(), "conntrack", "absent", "sync_threshold", "", "../ip_forward")
	if want := (ipvs.Sysctls{"conntrack": "1", "sync_threshold": "3 50"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := c.SomeSysctls(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("nothing asked for: %v, %v", got, err)
	}
}

func testBadSysctls(t *testing.T, c SysctlClient) {
	before := readSysctls(t, c)
	for _, s := range []struct {
		name, value string
		want        error
	}{
		{"conntrack", "x", ipvs.EINVAL},
		{"conntrack", "", ipvs.EINVAL},
		{"conntrack", "1 0", ipvs.EINVAL},
		{"drop_entry", "4", ipvs.EINVAL},
		{"sync_ports", "3", ipvs.EINVAL},
		{"sync_threshold", "50 3", ipvs.EINVAL},
		{"sync_threshold", "3", ipvs.EINVAL},
		{"sync_retries", "-1", ipvs.EINVAL},
		{"absent", "1", fs.ErrNotExist},
		{"", "1", fs.ErrNotExist},
		{"..", "1", fs.ErrNotExist},
		{"../ip_forward", "1", fs.ErrNotExist},
		{"./conntrack", "1", fs.ErrNotExist},
	} {
		if err := c.SetSysctl(t.Context(), s.name, s.value); !errors.Is(err, s.want) {
			t.Errorf("set %s to %q: %v, want %v", s.name, s.value, err, s.want)
		}
	}
	if after := readSysctls(t, c); !maps.Equal(before, after) {
		t.Errorf("%v, want %v", after, before)
	}
}

func testCanceledSysctls(t *testing.T, c SysctlClient) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Sysctls(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v, want canceled", err)
	}
	if _, err := c.SomeSysctls(ctx, "conntrack"); !errors.Is(err, context.Canceled) {
		t.Errorf("read one: %v, want canceled", err)
	}
	if err := c.SetSysctl(ctx, "conntrack", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("set: %v, want canceled", err)
	}
	if v := readSysctls(t, c)["conntrack"]; v != "0" {
		t.Errorf("conntrack is %s", v)
	}
}
