package desired_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

var start = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func TestOwnedRoundTrip(t *testing.T) {
	owned := desired.Owned{
		web.ServiceKey:               {addr("198.51.100.1:80"), addr("198.51.100.2:80")},
		ipvs.FWMarkKey(7, ipvs.IPv6): {addr("[2001:db8::1]:0")},
	}
	text, err := json.Marshal(owned)
	if err != nil {
		t.Fatal(err)
	}
	var back desired.Owned
	if err := json.Unmarshal(text, &back); err != nil || !cmp.Equal(back, owned, comparable) {
		t.Errorf("%v: got %v from %s", err, back, text)
	}
}

// What a configuration names is ours from then on, and stays so when a later one does not name it, until it is out of the table.
func TestLedgerFollows(t *testing.T) {
	one, two, three := addr("198.51.100.1:80"), addr("198.51.100.2:80"), addr("198.51.100.3:80")
	l := desired.NewLedger(desired.Owned{})
	was := virtual(server("198.51.100.2:80"), server("198.51.100.1:80"))
	if !l.Follow(nil, []*config.VirtualServer{was}, start) || l.Leaving() {
		t.Errorf("after the first configuration: %v", l)
	}
	is := virtual(server("198.51.100.3:80"), server("198.51.100.1:80"))
	if !l.Follow([]*config.VirtualServer{was}, []*config.VirtualServer{is}, start.Add(time.Second)) || !l.Leaving() {
		t.Errorf("after the second: %v", l)
	}
	wantOwned(t, l, desired.Owned{web.ServiceKey: {one, two, three}})
	same := virtual(server("198.51.100.3:80"), server("198.51.100.1:80"))
	if l.Follow([]*config.VirtualServer{is}, []*config.VirtualServer{same}, start.Add(time.Minute)) {
		t.Error("the same again is news")
	}
	if since := l.Left[web.ServiceKey][two]; !since.Equal(start.Add(time.Second)) {
		t.Errorf("left at %v, when a configuration without it came first", since)
	}
	table := ipvs.Table{{Service: web, Destinations: []ipvs.DestinationStatus{status(one), status(two)}}}
	if changed, shrank := l.Forget(table); len(changed) > 0 || shrank {
		t.Error("forgot a server that is in the table")
	}
	table[0].Unread, table[0].Destinations = true, nil
	if changed, shrank := l.Forget(table); len(changed) > 0 || shrank {
		t.Error("forgot a server of a service that was not read")
	}
	table[0] = ipvs.ServiceStatus{Service: web, Destinations: []ipvs.DestinationStatus{status(one)}}
	if changed, shrank := l.Forget(table); len(changed) != 1 || changed[0] != same || !shrank || l.Leaving() {
		t.Errorf("kept a server that has gone: %v", l)
	}
	wantOwned(t, l, desired.Owned{web.ServiceKey: {one, three}})
}

// A server that comes back does not leave any more; one that leaves later does so from then on.
func TestLedgerReturns(t *testing.T) {
	both := virtual(server("198.51.100.1:80"), server("198.51.100.2:80"))
	single := virtual(server("198.51.100.1:80"))
	l := desired.NewLedger(desired.Owned{})
	l.Follow(nil, []*config.VirtualServer{both}, start)
	l.Follow([]*config.VirtualServer{both}, []*config.VirtualServer{single}, start)
	if l.Follow([]*config.VirtualServer{single}, []*config.VirtualServer{both}, start) || l.Leaving() {
		t.Errorf("after its return: %v", l)
	}
	l.Follow([]*config.VirtualServer{both}, []*config.VirtualServer{single}, start.Add(time.Hour))
	if since := l.Left[web.ServiceKey][addr("198.51.100.2:80")]; !since.Equal(start.Add(time.Hour)) {
		t.Errorf("left at %v", since)
	}
}

// A service that no configuration names stays ours until it is out of the table, and takes its servers along.
func TestLedgerServiceLeaves(t *testing.T) {
	vs := virtual(server("198.51.100.1:80"))
	l := desired.NewLedger(desired.Owned{web.ServiceKey: {addr("198.51.100.1:80"), addr("198.51.100.9:80")}})
	if l.Follow(nil, []*config.VirtualServer{vs}, start) || !l.Leaving() {
		t.Errorf("after a start over an old record: %v", l)
	}
	if l.Follow([]*config.VirtualServer{vs}, nil, start) || !l.Leaving() || len(l.Left) > 0 {
		t.Errorf("after the service left: %v", l)
	}
	if _, shrank := l.Forget(ipvs.Table{{Service: web, Unread: true}}); shrank {
		t.Error("forgot a service that is in the table")
	}
	if _, shrank := l.Forget(nil); !shrank || l.Leaving() {
		t.Errorf("kept a service that has gone: %v", l)
	}
}

func wantOwned(t *testing.T, l desired.Ledger, want desired.Owned) {
	t.Helper()
	if diff := cmp.Diff(want, l.Owned, comparable); diff != "" {
		t.Errorf("owned (-want +got):\n%s", diff)
	}
}

func virtual(servers ...config.RealServer) *config.VirtualServer {
	return configOf(servers...).VirtualServers[0]
}

func status(a netip.AddrPort) ipvs.DestinationStatus {
	return ipvs.DestinationStatus{Destination: ipvs.Destination{Addr: a}}
}
