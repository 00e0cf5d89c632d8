package vipnl

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// A run that was killed has left a record of what sysctls were; a record that says nothing is none.
func TestSysctlRecord(t *testing.T) {
	record := filepath.Join(t.TempDir(), "sysctls")
	killed := sysctls{record: record, read: true, was: map[string]int{"ipv4/conf/eth0/arp_ignore": 0, "ipv4/conf/all/rp_filter": 2}}
	killed.note()
	next := sysctls{record: record}
	next.recall()
	if !maps.Equal(next.was, killed.was) {
		t.Errorf("recalled %v", next.was)
	}
	next.was = nil
	next.recall()
	if next.was != nil {
		t.Error("read twice")
	}
	next.note()
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("there is still a record: %v", err)
	}
	for _, text := range []string{"", "no JSON", `{"a": "b"}`} {
		if err := os.WriteFile(record, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := sysctls{record: record}
		if s.recall(); len(s.was) > 0 {
			t.Errorf("%q says %v", text, s.was)
		}
	}
	var none sysctls
	none.recall()
	none.note()
}

// disable_local_igmp is a sysctl that is to be 0.
func TestNeededSysctls(t *testing.T) {
	got := neededSysctls(Setup{NoReports: true, PromoteSecondaries: []string{"eth0"}})
	if want := map[string]int{"ipv4/igmp_link_local_mcast_reports": 0, "ipv4/conf/eth0/promote_secondaries": 1}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
