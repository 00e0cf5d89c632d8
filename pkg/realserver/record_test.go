package realserver_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/realserver"
)

// half is a record that somebody has cut: what was set is gone, what was before is not.
const half = `{"vips":[{"vip":"192.0.2.80","method":"dr","link":"lo"}],"sysctls_before":{"net/ipv4/conf/all/arp_ignore":0}}`

// FuzzRecord: whatever is in the file, a machine can be prepared after it and put back, and nothing is left of it then.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(half))
	f.Add([]byte(`{"vips":null,"addresses_added":[{"link":"lo","prefix":"192.0.2.80/32"}],"links_brought_up":["tunl0"],"links_made":["x"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r realserver.Record
		if json.Unmarshal(text, &r) != nil {
			return
		}
		prepareAndUndo(t, &r)
	})
}

func TestRecordWithoutWhatWasSet(t *testing.T) {
	var r realserver.Record
	if err := json.Unmarshal([]byte(half), &r); err != nil {
		t.Fatal(err)
	}
	prepareAndUndo(t, &r)
}

func prepareAndUndo(t *testing.T, r *realserver.Record) {
	t.Helper()
	h := &realserver.Host{
		Sysctls: map[string]int{"net/ipv4/conf/all/arp_ignore": 0, "net/ipv4/conf/lo/arp_ignore": 0},
		Links:   []realserver.Link{{Name: "lo", Up: true}, {Name: "eth0", Up: true, Ethernet: true}},
	}
	vips, err := realserver.New([]netip.Addr{netip.MustParseAddr("192.0.2.80")}, realserver.DR, "")
	if err != nil {
		t.Fatal(err)
	}
	r.Note(vips, realserver.Steps(vips, h), h)
	r.Undo(nil, h).Lines()
	if len(r.VIPs) > 0 || len(r.Added) > 0 || len(r.Up) > 0 || len(r.Made) > 0 || len(r.Was) > 0 || len(r.Set) > 0 {
		t.Errorf("after all was undone there is %+v", r)
	}
}
