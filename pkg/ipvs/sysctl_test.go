package ipvs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func TestSysctlTable(t *testing.T) {
	names := make([]string, 0, len(ipvs.SysctlTable))
	for _, s := range ipvs.SysctlTable {
		names = append(names, s.Name)
		if s.Kind == 0 || s.Doc == "" {
			t.Errorf("%s has no kind or no doc", s.Name)
		}
		if s.Boot != "" && s.Check(s.Boot) != nil {
			t.Errorf("at boot: %v", s.Check(s.Boot))
		}
		if got, ok := ipvs.FindSysctl(s.Name); !ok || got != s {
			t.Errorf("%s is not found", s.Name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(ipvs.SysctlTable) {
		t.Errorf("not sorted, or a name twice: %v", names)
	}
	for _, absent := range []string{"", "absent", "conntrac", "zz"} {
		if s, ok := ipvs.FindSysctl(absent); ok {
			t.Errorf("%q finds %v", absent, s)
		}
	}
}

func TestSysctlCheck(t *testing.T) {
	for _, c := range []struct {
		name      string
		good, bad []string
	}{
		{"conntrack", []string{"0", "1"}, []string{"", "2", "-1", "01", "yes", " 1", "1\n", "1 1"}},
		{"am_droprate", []string{"0", "10", "2147483647"}, []string{"", "-1", "+1", "010", "2147483648", "1e3", "3 50", "x"}},
		{"est_nice", []string{"-20", "0", "19"}, []string{"-21", "20", "-0"}},
		{"sync_ports", []string{"1", "2", "64"}, []string{"0", "3", "128", "-2"}},
		{"drop_packet", []string{"0", "1", "2", "3"}, []string{"4", "-1", ""}},
		{"sync_threshold", []string{"3 50", "0 0", "9 0", "0 1"}, []string{"3", "50 50", "-1 50", "3 50 1", "3 x", "", "1 1"}},
		{"est_cpulist", []string{"", "0", "0-1", "0,2", "0-3,5", "0-3,5-6,8"}, []string{
			"0,1", "1,0", "3-3", "3-2", "0-1,2", "0,0", "all", ",", "0,", "-1", "0-", "0-7:1/2", "01", "1\n2",
		}},
	} {
		s, ok := ipvs.FindSysctl(c.name)
		if !ok {
			t.Fatal(c.name)
		}
		for _, v := range c.good {
			if err := s.Check(v); err != nil {
				t.Error(err)
			}
			if s.Normal(v) != v {
				t.Errorf("%s %q becomes %q", c.name, v, s.Normal(v))
			}
		}
		for _, v := range c.bad {
			if s.Check(v) == nil {
				t.Errorf("%s = %q passes", c.name, v)
			}
		}
	}
}

func TestSysctlCheckSays(t *testing.T) {
	for name, want := range map[string]string{
		"conntrack":      `conntrack is 0 or 1, not "x"`,
		"sync_retries":   `sync_retries is a number from 0 to 3, not "x"`,
		"sync_ports":     `sync_ports is a power of two from 1 to 64, not "x"`,
		"secure_tcp":     `secure_tcp is 0 (off), 1 (when memory is short) or 3 (always), not "x"`,
		"sync_threshold": `sync_threshold is two numbers such as "3 50", the first below the second unless that is 0, not "x"`,
		"est_cpulist":    `est_cpulist is CPUs as the kernel lists them, such as "0-3,5", or empty, not "x"`,
	} {
		s, _ := ipvs.FindSysctl(name)
		if err := s.Check("x"); err == nil || err.Error() != want {
			t.Errorf("%v, want\n%s", err, want)
		}
	}
}

func TestSysctlSame(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		want       bool
	}{
		{"conntrack", "0", "1", false},
		{"conntrack", "1", "5", true},
		{"conntrack", "0", "-1", false},
		{"sync_threshold", "3 50", "3\t50", true},
		{"sync_threshold", "3  50", "3 50 ", true},
		{"sync_threshold", "3 50", "3 5", false},
		{"drop_entry", "1", "2", true},
		{"drop_entry", "2", "1", true},
		{"drop_entry", "1", "3", false},
		{"drop_entry", "0", "1", false},
		{"sync_retries", "1", "2", false},
		{"est_cpulist", "", "", true},
	} {
		s, _ := ipvs.FindSysctl(c.name)
		if got := s.Same(c.a, c.b); got != c.want {
			t.Errorf("%s %q and %q the same: %t", c.name, c.a, c.b, got)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for s, want := range map[string]ipvs.Release{
		"6.1.0-18-amd64": {Major: 6, Minor: 1},
		"5.10":           {Major: 5, Minor: 10},
		"6.8-rc1":        {Major: 6, Minor: 8},
		"4.19.325+":      {Major: 4, Minor: 19},
	} {
		if got, err := ipvs.ParseRelease(s); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "6", "6.", ".1", "linux", "v6.1", "-6.1", "6.x", "6.99999999999999999999", " 6.1"} {
		if got, err := ipvs.ParseRelease(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
	if (ipvs.Release{Major: 5, Minor: 10}).Compare(ipvs.Release{Major: 5, Minor: 9}) <= 0 {
		t.Error("5.10 is not after 5.9")
	}
}

func TestSysctlDefaults(t *testing.T) {
	for _, release := range []string{"4.19.0", "5.8", "5.9", "6.1.0-18-amd64", "7.1"} {
		defaults, err := ipvs.SysctlDefaults(release)
		if err != nil || len(defaults) == 0 {
			t.Errorf("%s: %v, %v", release, defaults, err)
		}
		r, _ := ipvs.ParseRelease(release)
		for _, d := range defaults {
			s, ok := ipvs.FindSysctl(d.Name)
			if !ok || s.Check(d.Value) != nil || d.Why == "" || s.Since.Compare(r) > 0 {
				t.Errorf("%s: %+v is no default", release, d)
			}
			if d.Value == s.Boot {
				t.Errorf("%s: %s is %s anyway", release, d.Name, d.Value)
			}
			// These depend on a pair of directors or on a firewall: nobody can choose them from here.
			if strings.HasPrefix(d.Name, "sync_") || d.Name == "conntrack" || d.Name == "backup_only" {
				t.Errorf("%s: %s is not ours to choose", release, d.Name)
			}
		}
	}
	const want = `no defaults for sysctls: kernel release "garbage" does not begin with a version such as 6.1`
	if defaults, err := ipvs.SysctlDefaults("garbage"); err == nil || err.Error() != want || len(defaults) > 0 {
		t.Errorf("%v, %v", defaults, err)
	}
}

// FuzzSysctlCheck: what passes is one line that means the same after Normal, and is a line.
func FuzzSysctlCheck(f *testing.F) {
	f.Add(0, "1")
	f.Add(9, "0-3,5")
	f.Add(24, "3 50")
	f.Fuzz(func(t *testing.T, i int, value string) {
		s := ipvs.SysctlTable[uint(i)%uint(len(ipvs.SysctlTable))]
		if s.Check(value) != nil {
			return
		}
		if n := s.Normal(value); s.Check(n) != nil || !s.Same(n, value) || strings.ContainsAny(n, "\n\t") {
			t.Errorf("%s %q becomes %q", s.Name, value, n)
		}
	})
}
