package vipnl

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
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
	for _, text := range []string{"", "no JSON", `{"a": "b"}`, `{"ipv4/conf/all/rp_filter": 1, "ipv4/../../kernel/sysrq": 1}`, `{"core/somaxconn": 1}`, `{"/ipv4": 1}`} {
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

// What a record has restore write is below net/ipv4 and net/ipv6, and is what can be noted again.
func FuzzSysctlRecord(f *testing.F) {
	for _, text := range []string{`{"ipv4/conf/all/rp_filter":1,"ipv6/conf/eth0.7/disable_ipv6":0}`, `{"ipv4/../../kernel/sysrq":1}`, `{"core/somaxconn":1}`, `{"":1}`, `null`, `{"ipv4/a":1e9}`, `{`} {
		f.Add([]byte(text))
	}
	const below = "/proc/sys/net"
	f.Fuzz(func(t *testing.T, text []byte) {
		was := parseRecord(text)
		for path := range was {
			at := filepath.Join(below, path)
			if !strings.HasPrefix(at, below+"/ipv4") && !strings.HasPrefix(at, below+"/ipv6") || at != below+"/"+path {
				t.Errorf("%q is written", at)
			}
		}
		if noted, err := json.Marshal(was); err != nil || !maps.Equal(parseRecord(noted), was) {
			t.Errorf("%v is noted as %s, %v", was, noted, err)
		}
	})
}
